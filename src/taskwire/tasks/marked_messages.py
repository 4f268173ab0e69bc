"""Starts a task from a message when a person puts the reaction `TASKWIRE_EMOJI` on the message.

The prompt is the message, with its text files and a link back to the message. The task belongs to the person
who reacted, and the task's card is in the message's thread. `create.py` checks the request, as for a mention.
A message that was edited after the reaction starts nothing, because the person has not read its new words. So
does a message with a file that was changed while the request waited.
"""

from dataclasses import replace
from functools import partial

from taskwire.agent.input import AgentInput
from taskwire.agent.picked_files import PickedFiles
from taskwire.dependencies import Dependencies
from taskwire.domain.errors import UserError
from taskwire.domain.ids import ThreadRef
from taskwire.domain.queueing.jobs import CreateRequested, Reply
from taskwire.domain.queueing.person_jobs import MakeTaskOfMessage
from taskwire.domain.requester import Requester
from taskwire.domain.text.agent_text import sanitize_for_agent
from taskwire.domain.text.mrkdwn import is_blank
from taskwire.job_context import Handler, JobContext, Outcome, done, retry
from taskwire.messages import answers, refusals
from taskwire.outbox.request_retries import retry_for_person
from taskwire.people.permissions import People
from taskwire.slack.errors import ChannelProblem, MessageGone
from taskwire.slack.shortcuts import PickedMessage, is_edited_since
from taskwire.tasks.create import TaskCreator, make_link_id


class MarkedMessages:
    """Handles messages on which a person has put the reaction that starts a task."""

    def __init__(
        self, deps: Dependencies, people: People, agent_input: AgentInput, creator: TaskCreator
    ) -> None:
        self._deps = deps
        self._people = people
        self._agent_input = agent_input
        self._picked_files = PickedFiles(deps, people, agent_input)
        self._creator = creator

    def handlers(self) -> tuple[Handler, ...]:
        """Return the handlers: which method runs each kind of job."""
        return (Handler.without_link(MakeTaskOfMessage, self.handle),)

    async def handle(self, context: JobContext) -> Outcome:
        """Start a task from the message. If the bot wrote the message, start nothing."""
        work = context.work(MakeTaskOfMessage)
        return await retry_for_person(self._deps, context, None, partial(self._handle, work))

    async def _handle(self, work: MakeTaskOfMessage, context: JobContext) -> Outcome:
        await self._people.get_account(work.requester.person)
        channel = work.requester.channel
        try:
            message = await self._deps.slack.find_picked(channel, work.message_ts)
        except (ChannelProblem, MessageGone):
            raise UserError(*refusals.message_unreadable()) from None
        if message.is_own:
            return done()
        is_same = await self._picked_files.has_same_words(context, work.requester, message)
        if message.files and work.file_hashes is None:
            hashes = await self._picked_files.get_hashes(context, work.requester, message.ts, message.files)
            return retry(0, context.job.with_work(file_hashes=hashes))
        # If the message is a reply, the answer is shown in the thread of that reply, where the person reads.
        requester = work.requester.model_copy(update={"thread_ts": message.thread_ts})
        try:
            if not is_same:
                raise UserError(*refusals.message_changed(), reason="changed")
            return await self._start(requester, message, work.file_hashes or (), context)
        except UserError as error:
            context.audit.is_refused(error.reason)
            return replace(done(None, (requester, answers.refusal(error))), is_refusal=True)

    async def _start(
        self, requester: Requester, message: PickedMessage, hashes: tuple[str, ...], context: JobContext
    ) -> Outcome:
        root = message.thread_ts or message.ts
        link = await self._deps.links.find_by_thread(ThreadRef(requester.channel, root))
        if link not in (None, make_link_id(context.job.id)):
            raise UserError(*refusals.message_thread_has_task())
        if is_edited_since(message, requester.at):
            raise UserError(*refusals.message_changed(), reason="changed")
        # If the message mentions the bot, its text is used without the mention.
        written = Reply(
            person=message.person or requester.person,
            ts=message.ts,
            text=message.text,
            blocks=message.blocks_json,
            files=message.files,
            file_hashes=hashes,
        )
        if len(message.files) != len(hashes):
            raise UserError(*refusals.message_changed(), reason="changed")
        prepared = await self._agent_input.prepare(written)
        if prepared.changed_files:
            raise UserError(*refusals.message_changed(), reason="changed")
        if is_blank(prepared.text):
            raise UserError(*refusals.message_without_text())
        behind = await self._agent_input.link_back(requester.channel, message)
        prompt = sanitize_for_agent(f"{prepared.text}{behind}")
        request = CreateRequested(requester=requester, prompt=prompt, thread_ts=root)
        outcome = await self._creator.create(request, context)
        refused = prepared.refused_files
        told = ((requester, answers.files_not_given(refused)),) if refused else ()
        return replace(outcome, private_messages=(*outcome.private_messages, *told))
