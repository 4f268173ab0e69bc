"""Handles the shortcut *Send to its task*: a message of the thread that was not input becomes a reply.

The person who uses the shortcut must be allowed to steer the task. If another person wrote the message, the
agent gets the author's name. Slack says who wrote the message and what is in it, not the shortcut's payload.
If the author edits the message or changes a file of it after the shortcut was used, the message is not sent.
Two messages can be sent only by their author: one that begins with `//`, and one with a file that its author
did not upload. A message that the agent already has, or that already waits for the agent, is not sent again.
If the owner was asked to pass the message on, or the bot has asked whether a message with `!` is text, the
shortcut has decided that too.
"""

import json
from dataclasses import replace
from functools import partial
from typing import cast

from taskwire.agent.input import AgentInput, has_only_own_files, is_asked_as_verb, is_given
from taskwire.agent.picked_files import PickedFiles
from taskwire.dependencies import Dependencies
from taskwire.domain.errors import UserError
from taskwire.domain.ids import Ts, UserId
from taskwire.domain.lifecycle.links import Link
from taskwire.domain.parsing import replies
from taskwire.domain.queueing.jobs import REPLY_ID_PREFIX, Job, Reply, SendToTask
from taskwire.domain.queueing.queues import no_agent_score, to_coder
from taskwire.domain.text.message import Block
from taskwire.job_context import Handler, JobContext, Outcome, done, replace_question
from taskwire.messages import answers, inputs, refusals, teammates
from taskwire.outbox import questions
from taskwire.outbox.enqueue import show_receipt
from taskwire.outbox.home_requests import refresh_owners_home
from taskwire.outbox.request_retries import retry_for_person
from taskwire.people.permissions import People
from taskwire.queue.batch import Batch
from taskwire.replies.admit import ReplyReceiver
from taskwire.slack.errors import ChannelProblem, MessageGone
from taskwire.slack.shortcuts import PickedMessage, is_edited_since
from taskwire.waiting_replies.kept import find_kept_reply
from taskwire.waiting_replies.offered import DecidedReply, find_offered, forget_offered, keep_decided
from taskwire.waiting_replies.places import require_place_for_reply
from taskwire.waiting_replies.undelivered import list_undelivered


class MessageSender:
    """Handles the shortcut *Send to its task*."""

    def __init__(
        self, deps: Dependencies, people: People, agent_input: AgentInput, receiver: ReplyReceiver
    ) -> None:
        self._deps = deps
        self._people = people
        self._receiver = receiver
        self._picked_files = PickedFiles(deps, people, agent_input)

    def handlers(self) -> tuple[Handler, ...]:
        """Return the handlers: which method runs each kind of job."""
        return (Handler.with_any_link(SendToTask, self.send), *self._picked_files.handlers())

    async def send(self, context: JobContext, link: Link | None) -> Outcome:
        """Check the rights of the person who used the shortcut. Queue the message as that person's reply."""
        work = context.work(SendToTask)
        return await retry_for_person(self._deps, context, link, partial(self._send, link, work))

    async def _send(self, link: Link | None, work: SendToTask, context: JobContext) -> Outcome:
        if link is None or link.end_reason is not None:
            raise UserError(*refusals.link_ended(await self._people.find_visible(work.requester, link)))
        await self._people.require_right_to("send", work.requester, link)
        job_id = f"{REPLY_ID_PREFIX}{work.ts}"
        is_waiting = any(job.id == job_id for job, _ in await list_undelivered(self._deps.links, link.id))
        if is_waiting or await self._deps.links.find_delivered(link.id, work.ts) is not None:
            return done(None, (work.requester, answers.agent_has_message()))
        await require_place_for_reply(self._deps, link, work.requester.person)
        message = await self._read(link, work.ts)
        if message is None or is_edited_since(message, work.requester.at):
            return self._refuse(context, work, is_gone=message is None)
        is_own = message.person == work.requester.person
        if not is_own:
            await self._require_for_agent(message)
            await self._require_authors_files(message, work.requester.person)
            if not await self._picked_files.has_same_words(context, work.requester, message):
                return self._refuse(context, work)
        hashes: tuple[str, ...] = ()
        if message.files and not (is_own and has_only_own_files(message.person, message.files)):
            hashes = await self._picked_files.get_hashes(context, work.requester, work.ts, message.files)
            if len(hashes) != len(message.files):
                return self._refuse(context, work)
        reply = Reply(
            person=work.requester.person,
            ts=work.ts,
            text=message.text,
            blocks=self._receiver.choose_blocks(message),
            files=message.files,
            file_hashes=hashes,
            author_name="" if is_own else await self._get_author_name(message),
            is_confirmed=True,
            surface=work.requester.surface or "shortcut",
        )
        batch = Batch().append(
            to_coder(link.id), Job(id=job_id, work=reply), score=no_agent_score(work.requester.at)
        )
        self._deps.writes.add_taken(batch, link.id, work.ts)
        show_receipt(link.id, work.ts, "taken", batch)
        await self._settle_shell_mark(link, job_id, batch)
        return await self._settle_offer(link, work, job_id, batch)

    async def _read(self, link: Link, ts: Ts) -> PickedMessage | None:
        """Return the message as it is in Slack now; None if it is not in the link's thread.

        The payload of the shortcut also has the message, but a payload can be made up.
        """
        record = link.record
        try:
            message = await self._deps.slack.find_picked(record.channel, ts)
        except (ChannelProblem, MessageGone):
            return None
        return message if (message.thread_ts or message.ts) == record.thread_ts else None

    def _refuse(self, context: JobContext, work: SendToTask, *, is_gone: bool = False) -> Outcome:
        """Tell the person that the message is not as they saw it when they used the shortcut."""
        context.audit.is_refused("gone" if is_gone else "changed")
        told = done(None, (work.requester, answers.picked_not_sent(is_gone=is_gone)))
        return replace(told, is_refusal=True)

    async def _require_for_agent(self, message: PickedMessage) -> None:
        """Raise UserError if another person has marked the message as not for the agent."""
        if message.person is None:
            return
        blocks = cast("list[Block]", json.loads(message.blocks_json)) if message.blocks_json else []
        if replies.begins_with_aside_mark(message.text, self._deps.bot.bot_user_id, blocks):
            raise UserError(*teammates.stays_between_people(await self._people.find_name(message.person)))

    async def _require_authors_files(self, message: PickedMessage, sender: UserId) -> None:
        """Raise UserError if a file would reach the agent as the words of a person who cannot answer for it.

        Its uploader can have changed the file since the message's author shared it. Of an app's message, it
        is not known who has uploaded a file for it, so only files that the sender can change are refused.
        """
        author = message.person
        foreign = [
            file.name
            for file in message.files
            # A file that Slack no longer stores has no URL, and brings no words.
            if file.url
            and is_given(file)
            and (file.uploader_id in ("", sender) if author is None else file.uploader_id != author)
        ]
        if foreign:
            name = await self._get_author_name(message)
            raise UserError(*teammates.files_of_others(name, foreign))

    async def _settle_shell_mark(self, link: Link, job_id: str, batch: Batch) -> None:
        """Settle the question whether this message with `!` is text, and forget the stored message."""
        kept = await find_kept_reply(self._deps, link, job_id)
        if kept is None or not is_asked_as_verb(self._deps, kept):
            return
        self._deps.writes.forget_reply(batch, link.id, job_id)
        # Redis does not know where a private question is. A later press of its buttons must have no effect.
        await questions.settle_finally(self._deps, link, job_id, inputs.question_closed("decided"), batch)

    async def _settle_offer(self, link: Link, work: SendToTask, job_id: str, batch: Batch) -> Outcome:
        """Settle the question whether this message is passed on, so that the agent does not get it twice."""
        offered, requester = await find_offered(self._deps, link.id, job_id), work.requester
        if offered is None:
            return done(batch)
        decided = DecidedReply(person=requester.person, at=requester.at, was_passed=True)
        keep_decided(self._deps, link.id, job_id, decided, batch)
        forget_offered(self._deps, link, job_id, batch)
        await refresh_owners_home(self._deps, link, batch)
        if offered.asker is None:
            return done(batch)
        name = await self._people.find_name(requester.person)
        return replace_question(batch, offered.asker, teammates.was_decided(name, was_passed=True))

    async def _get_author_name(self, message: PickedMessage) -> str:
        """Return the name of the message's author, who is not the person who sends it."""
        if message.person is None:
            # An app can choose the name of a person.
            return f"{message.app_name} (an app)" if message.app_name else "An app"
        try:
            return await self._people.directory.get_name(message.person)
        except UserError:
            return "Somebody"
