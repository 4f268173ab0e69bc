"""Handles the shortcut *Send to its task*: a message of the thread that was not input becomes a reply.

The person who uses the shortcut must be allowed to steer the task. If another person wrote the message, the
agent gets the author's name. If the author changes a file of the message after the shortcut was used, the
message is not sent. A message that begins with `//` can be sent only by its author. A message that the agent
already has, or that already waits for the agent, is not sent again. If the owner was asked to pass the
message on, the shortcut has done that too.
"""

import json
from functools import partial
from typing import cast

from taskwire.agent.input import AgentInput, has_only_own_files
from taskwire.agent.picked_files import PickedFiles
from taskwire.dependencies import Dependencies
from taskwire.domain.errors import UserError
from taskwire.domain.lifecycle.links import Link
from taskwire.domain.parsing import replies
from taskwire.domain.queueing.jobs import REPLY_ID_PREFIX, Job, Reply, SendToTask
from taskwire.domain.queueing.queues import no_agent_score, to_coder
from taskwire.domain.text.message import Block
from taskwire.job_context import Handler, JobContext, Outcome, done, replace_question, retry
from taskwire.messages import answers, refusals, teammates
from taskwire.outbox.enqueue import show_receipt
from taskwire.outbox.home_requests import refresh_owners_home
from taskwire.outbox.request_retries import retry_for_person
from taskwire.people.permissions import People
from taskwire.queue.batch import Batch
from taskwire.waiting_replies.offered import DecidedReply, find_offered, forget_offered, keep_decided
from taskwire.waiting_replies.places import require_place_for_reply
from taskwire.waiting_replies.undelivered import list_undelivered


class MessageSender:
    """Handles the shortcut *Send to its task*."""

    def __init__(self, deps: Dependencies, people: People, agent_input: AgentInput) -> None:
        self._deps = deps
        self._people = people
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
        await self._require_for_agent(work)
        is_own = work.author == work.requester.person and has_only_own_files(work.author, work.files)
        if work.files and not work.file_hashes and not is_own:
            hashes = await self._picked_files.get_hashes(context, work.requester, work.ts, work.files)
            return retry(0, context.job.with_work(file_hashes=hashes))
        job_id = f"{REPLY_ID_PREFIX}{work.ts}"
        is_waiting = any(job.id == job_id for job, _ in await list_undelivered(self._deps.links, link.id))
        if is_waiting or await self._deps.links.find_delivered(link.id, work.ts) is not None:
            return done(None, (work.requester, answers.agent_has_message()))
        await require_place_for_reply(self._deps, link, work.requester.person)
        reply = Reply(
            person=work.requester.person,
            ts=work.ts,
            text=work.text,
            blocks=work.blocks,
            files=work.files,
            file_hashes=work.file_hashes,
            author_name=await self._get_author_name(work),
            is_confirmed=True,
            surface=work.requester.surface or "shortcut",
        )
        batch = Batch().append(
            to_coder(link.id), Job(id=job_id, work=reply), score=no_agent_score(work.requester.at)
        )
        self._deps.writes.add_taken(batch, link.id, work.ts)
        show_receipt(link.id, work.ts, "taken", batch)
        return await self._settle_offer(link, work, job_id, batch)

    async def _require_for_agent(self, work: SendToTask) -> None:
        """Raise UserError if another person has marked the message as not for the agent.

        The author may send their own message in spite of its mark.
        """
        if work.author is None or work.author == work.requester.person:
            return
        blocks = cast("list[Block]", json.loads(work.blocks)) if work.blocks else []
        if replies.begins_with_aside_mark(work.text, self._deps.bot.bot_user_id, blocks):
            raise UserError(*teammates.stays_between_people(await self._people.find_name(work.author)))

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

    async def _get_author_name(self, work: SendToTask) -> str:
        """Return the name of the message's author; empty if the person sends their own message."""
        if work.author == work.requester.person:
            return ""
        if work.author is None:
            return work.app_name or "An app"
        try:
            return await self._people.get_name(work.author)
        except UserError:
            return "Somebody"
