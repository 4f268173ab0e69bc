"""Handles messages to the bot outside the threads of tasks: mentions in discussions, and direct messages.

A mention with a prompt starts a task, whose card goes into the thread of the mention. A direct message with a
prompt is answered with an offer; the task starts when the person accepts the offer. Mentions and direct
messages may also contain the commands of `/task`. `domain/parsing/bot_messages.py` decides what a message
asks for, and `create.py` handles a request for a new task.
"""

import json
from dataclasses import replace
from functools import partial
from typing import cast

from taskwire.agent.input import AgentInput, has_only_own_files, require_fits
from taskwire.agent.picked_files import PickedFiles
from taskwire.dependencies import Dependencies
from taskwire.domain.durations import DAY_MS
from taskwire.domain.errors import OutsideError, UserError
from taskwire.domain.ids import LinkId, ThreadRef, Ts
from taskwire.domain.lifecycle.links import Link
from taskwire.domain.lifecycle.phases import Phase
from taskwire.domain.parsing import replies
from taskwire.domain.parsing.bot_messages import Prompt, find_title, read_message
from taskwire.domain.parsing.commands import Command, Delete, Help, OpenForm, OpenSettings
from taskwire.domain.parsing.naming import digest
from taskwire.domain.parsing.near_misses import NameMissing, NearMiss, NotOneTask
from taskwire.domain.queueing.jobs import CreateRequested, Job, MessageToBot, Reply
from taskwire.domain.queueing.queues import FIRST_IN_INTAKE, intake
from taskwire.domain.queueing.requests import intake_score, make_work
from taskwire.domain.requester import EarlierMessages, Requester
from taskwire.domain.text.message import Block, Message
from taskwire.domain.text.mrkdwn import label_mentions
from taskwire.job_context import Handler, JobContext, Outcome, done, retry
from taskwire.messages import answers, help_texts, refusals, teammates
from taskwire.messages.task_lists import get_open_phase
from taskwire.messages.unknown_verbs import offer_commands
from taskwire.notices.who_is_called import ASKED_DIRECTLY
from taskwire.outbox.posting import post_once
from taskwire.outbox.readers import may_answer
from taskwire.outbox.request_retries import retry_for_person
from taskwire.people.account_errors import AccountNeeded
from taskwire.people.permissions import People
from taskwire.queue.batch import Batch
from taskwire.slack.errors import ChannelProblem, MessageGone
from taskwire.slack.metadata import Metadata
from taskwire.tasks.create import TaskCreator, keep_request
from taskwire.tasks.lookup import Lookup, TasksNotListed
from taskwire.tasks.matching import has_title
from taskwire.tasks.offered_commands import keep_offers
from taskwire.tasks.queries import Queries, Question, offer_question
from taskwire.waiting_replies.quoted import queue_reply

# How long the buttons of an offer work.
OFFER_TTL_MS = 7 * DAY_MS


class MessagesToBot:
    """Handles the jobs of messages to the bot."""

    def __init__(
        self,
        deps: Dependencies,
        people: People,
        lookup: Lookup,
        queries: Queries,
        agent_input: AgentInput,
        creator: TaskCreator,
    ) -> None:
        self._deps = deps
        self._people = people
        self._lookup = lookup
        self._queries = queries
        self._agent_input = agent_input
        self._picked_files = PickedFiles(deps, people, agent_input)
        self._creator = creator

    def handlers(self) -> tuple[Handler, ...]:
        """Return the handlers: which method runs each kind of job."""
        return (Handler.without_link(MessageToBot, self.handle),)

    async def handle(self, context: JobContext) -> Outcome:
        """Handle one message: start a task, carry out a command, or offer commands."""
        work = context.work(MessageToBot)
        return await retry_for_person(self._deps, context, None, partial(self._handle_in_turn, work))

    async def _handle_in_turn(self, work: MessageToBot, context: JobContext) -> Outcome:
        """Handle the message. If it goes before all other requests and Slack does not answer, put it behind
        them."""
        try:
            return await self._handle(work, context)
        except OutsideError:
            if context.lease.score != str(FIRST_IN_INTAKE):
                raise
            context.audit.is_nothing()
            return done(Batch().append(intake(work.requester.person), context.job))

    async def _handle(self, work: MessageToBot, context: JobContext) -> Outcome:
        thread = ThreadRef(work.requester.channel, _root_of(work))
        link = None if work.is_direct else await self._deps.links.find_by_thread(thread)
        if link is not None:
            # Another mention has already started a task in this thread.
            return done(_pass_as_reply(work, link))
        await self._people.get_profile(work.requester.person)
        blocks = cast("list[Block]", json.loads(work.blocks)) if work.blocks else []
        bot = self._deps.bot.bot_user_id
        person = work.requester.person
        meaning = replies.classify(work.text, bot, person, blocks, is_direct=work.is_direct)
        if isinstance(meaning, replies.Aside):
            return done()
        if not work.file_hashes and not has_only_own_files(person, work.files):
            hashes = await self._picked_files.get_hashes(
                context, work.requester, work.requester.at, work.files
            )
            if len(hashes) != len(work.files):
                names = tuple(file.name for file in work.files)
                raise UserError(*teammates.shared_files_changed(names), reason="changed")
            return retry(0, context.job.with_work(file_hashes=hashes))
        text = replies.remove_bot_mention(work.text, bot, blocks)
        text = label_mentions(text, await self._agent_input.list_names(text))
        try:
            asked = read_message(text, is_direct=work.is_direct)
        except NearMiss as near_miss:
            return await self._offer_commands(work, near_miss, digest("offered", context.job.id))
        except NameMissing as missing:
            own = await self._queries.offer_own_tasks(work.requester, missing.verb)
            return await self._offer_commands(work, own, digest("offered", context.job.id))
        titled = find_title(text) if isinstance(asked, Prompt) else None
        if titled is not None and await self._is_title(work.requester, titled[1]):
            return await self._run_command(work, titled[0], context)
        if isinstance(asked, Prompt):
            return await self._start(work, asked, context)
        return await self._run_command(work, asked, context)

    async def _is_title(self, requester: Requester, words: str) -> bool:
        """Return whether a task that the person may see has exactly these words as its title."""
        try:
            seen = await self._lookup.list_visible(requester)
        except (AccountNeeded, TasksNotListed):
            return False
        return await has_title(((each.link or each.task).title for each in seen), words)

    async def _start(self, work: MessageToBot, asked: Prompt, context: JobContext) -> Outcome:
        prompt, refused = await self._add_files(work, asked.request.prompt)
        request = make_work(work.requester, asked.request).model_copy(update={"prompt": prompt})
        assert isinstance(request, CreateRequested)  # noqa: S101 - a prompt always becomes this request
        if work.is_direct:
            return await self._offer(work, request, context)
        root = _root_of(work)
        earlier = EarlierMessages(channel=work.requester.channel, thread_ts=root, before=work.requester.at)
        request = request.model_copy(
            update={"thread_ts": root, "context": earlier if asked.with_thread else None}
        )
        # The link is written with this job, so a later mention in the thread finds the link.
        outcome = await self._creator.create(request, context)
        told = ((work.requester, answers.files_not_given(refused)),) if refused else ()
        return replace(outcome, private_messages=(*outcome.private_messages, *told))

    async def _add_files(self, work: MessageToBot, prompt: str) -> tuple[str, tuple[str, ...]]:
        """Return the prompt with the content of the message's text files, and the other files' names."""
        person, ts = work.requester.person, work.requester.at
        files = Reply(person=person, ts=ts, text="", files=work.files, file_hashes=work.file_hashes)
        prepared = await self._agent_input.prepare(files)
        if prepared.changed_files:
            raise UserError(*teammates.shared_files_changed(prepared.changed_files), reason="changed")
        whole = f"{prompt}\n\n{prepared.text}" if prepared.text else prompt
        require_fits(whole)
        return whole, prepared.refused_files

    async def _offer(self, work: MessageToBot, request: CreateRequested, context: JobContext) -> Outcome:
        """Ask in the direct message whether to start a task with the text of the message."""
        key = digest(context.job.id)
        requester = work.requester
        asking = await self._find_asking(requester)
        message = (
            answers.offer_task_or_answer(asking, request.prompt, key)
            if asking is not None
            else answers.offer_task(request.prompt, key)
        )
        meta = Metadata(id=f"offer:{key}", kind="answer")
        queue = LinkId(f"intake:{requester.person}")
        # The buttons must work as soon as a person sees them. So the request is stored before the post.
        offered = request.model_copy(update={"is_offered": True})
        await context.write(await keep_request(self._deps, offered, key, context.now_ms, OFFER_TTL_MS))
        try:
            await post_once(self._deps, context, queue, requester.channel, requester.thread_ts, message, meta)
        except (ChannelProblem, MessageGone):
            # The person has deleted the message, or the conversation is closed.
            return done()
        return done()

    async def _find_asking(self, requester: Requester) -> Link | None:
        """Return the task about whose question the person was called by a direct message, if it still waits.

        The person may have answered where they were called.
        """
        called = await self._deps.notes.find(ASKED_DIRECTLY, requester.person)
        link = await self._deps.links.find(LinkId(called)) if called else None
        if link is None or get_open_phase(link) not in (Phase.NEEDS_YOU, Phase.FAILED):
            return None
        return link if await may_answer(self._people, requester.person, link) else None

    async def _offer_commands(self, work: MessageToBot, near_miss: NearMiss, key: str) -> Outcome:
        """Offer the command that the person probably meant.

        If the command creates a task, the task's card goes into the thread or the direct messages of the
        message.
        """
        root = None if work.is_direct else _root_of(work)
        batch = await keep_offers(self._deps.notes, near_miss, key, work.requester, root)
        return done(batch, (work.requester, offer_commands(near_miss, key)))

    async def _run_command(self, work: MessageToBot, command: Command, context: JobContext) -> Outcome:
        requester = work.requester
        if isinstance(command, OpenForm) or (isinstance(command, Help) and command.verb is None):
            return done(None, (requester, help_texts.message_help(is_direct=work.is_direct)))
        if isinstance(command, Question):
            return await self._answer(work, command, context)
        if isinstance(command, OpenSettings):
            return done(None, (requester, answers.offer_settings()))
        if isinstance(command, Delete):
            return done(None, (requester, await self._offer_deletion(requester, command)))
        job = Job(id=f"command:{context.job.id}", work=make_work(requester, command))
        return done(Batch().append(intake(requester.person), job, score=intake_score(job.work)))

    async def _answer(self, work: MessageToBot, question: Question, context: JobContext) -> Outcome:
        """Answer a question about a task. If the name does not fit exactly one task, show a button for each
        task that may be meant. The button asks the same question about this task."""
        try:
            return done(None, (work.requester, await self._queries.answer(work.requester, question)))
        except NotOneTask as error:
            return await self._offer_commands(
                work, offer_question(question, error), digest("offered", context.job.id)
            )

    async def _offer_deletion(self, requester: Requester, command: Delete) -> Message:
        seen = await self._lookup.get_permitted("delete", requester, command.name)
        if seen.link is None:
            raise UserError(*refusals.no_dialog_from_message("delete", seen.task.name))
        return answers.offer_delete_dialog(seen.link)


def _root_of(work: MessageToBot) -> Ts:
    return work.requester.thread_ts or work.requester.at


def _pass_as_reply(work: MessageToBot, link: LinkId) -> Batch:
    """Queue the message as a reply in its thread, with a receipt."""
    ts = work.requester.at
    reply = Reply(
        person=work.requester.person,
        ts=ts,
        text=work.text,
        blocks=work.blocks,
        files=work.files,
        file_hashes=work.file_hashes,
    )
    return queue_reply(link, reply)
