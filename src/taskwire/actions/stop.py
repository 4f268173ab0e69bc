"""Stops a task when a person asks for a stop without typing a verb.

There are three ways to ask for a stop:

- a reply that is only a word such as `stop`;
- a stop sign emoji, as a reaction to one of the task's messages;
- the button *Stop*, which Slack itself shows while an agent works.

Each way becomes the action `pause`, which `pause_resume.py` carries out. This module decides whether a reply
of one word stops the task. It also finds the task of a message that got the reaction.
"""

import json
from functools import partial
from typing import cast

from taskwire.coder.errors import PersonTokenRefused
from taskwire.dependencies import Dependencies
from taskwire.domain.errors import AccountRefused, UserError
from taskwire.domain.ids import TaskId, ThreadRef, moment_of
from taskwire.domain.lifecycle.links import Link
from taskwire.domain.parsing import replies
from taskwire.domain.parsing.replies import STALE_AFTER
from taskwire.domain.queueing.jobs import Act, Job
from taskwire.domain.queueing.person_jobs import StopByReaction
from taskwire.domain.queueing.queues import no_agent_score, request_score, to_coder
from taskwire.domain.text.message import Block
from taskwire.job_context import Handler, JobContext, Outcome, done
from taskwire.messages.card_controls import is_agent_running
from taskwire.notices.coming_turns import count_sent
from taskwire.outbox import questions
from taskwire.outbox.enqueue import show_receipt
from taskwire.outbox.request_retries import retry_for_person
from taskwire.outbox.waiting_requests import is_renewed
from taskwire.people.account_errors import AccountNeeded
from taskwire.people.permissions import People
from taskwire.queue.batch import Batch
from taskwire.slack.errors import ChannelProblem, MessageGone
from taskwire.waiting_replies.kept import find_kept_reply
from taskwire.waiting_replies.undelivered import find_reply, replies_among


async def take_as_reply(deps: Dependencies, people: People, link: Link, work: Act) -> Outcome | None:
    """Queue a reply that is only `stop` as input for the agent. Return None if it must stop the task instead.

    The reply stops nothing in three cases: its author may not steer the task, the thread has no task any
    more, or the bot read the reply long after it was written. The handler of replies then decides about the
    reply. If the reply is between people, it is no input either, and nobody gets an answer.
    """
    if not work.reply_id or work.is_offered_stop:
        return None
    if await is_between_people(deps, link, work.reply_id):
        if await _may_stop_unaddressed(deps, people, link, work):
            return None
        return done(deps.writes.forget_reply(Batch(), link.id, work.reply_id))
    if await _may_stop(deps, people, link, work):
        return None
    reply = await find_kept_reply(deps, link, work.reply_id)
    if reply is None or reply.person != work.requester.person:
        # The author has deleted the message, or somebody else names it. Only its author's own word becomes
        # input without a question.
        return done()
    batch = deps.writes.forget_reply(Batch(), link.id, work.reply_id)
    job = Job(id=work.reply_id, work=reply)
    return done(batch.append(to_coder(link.id), job, score=no_agent_score(reply.ts)))


async def take_back_word(deps: Dependencies, link: Link, work: Act, batch: Batch) -> bool:
    """Take a reply that is only `pause` out of the queue, after its author has pressed *Stop the task*.

    The reply's text is kept, so that a person can still send it to the agent. Return False if the agent may
    have got the reply already, or if somebody else has written it: a press can be made up.
    """
    job_id = work.reply_id
    waiting = find_reply(await deps.links.list_waiting(link.id), job_id)
    reply = waiting or find_reply(await deps.links.list_held(link.id), job_id)
    if reply is None or reply.question or reply.person != work.requester.person:
        return False
    if waiting is not None:
        batch.drop(to_coder(link.id), job_id)
    else:
        deps.writes.drop_held(batch, link.id, job_id)
        await questions.settle_empty_hold(deps, link, job_id, batch)
    deps.writes.keep_reply(batch, link.id, job_id, reply.without_progress())
    show_receipt(link.id, reply.ts, "none", batch)
    return True


async def is_between_people(deps: Dependencies, link: Link, job_id: str) -> bool:
    """Return whether a reply that is only `stop` is between people: when it was written, only mentions of the
    bot were input in its thread, and it does not mention the bot."""
    if not link.is_mention_only and link.every_reply_since is None:
        return False
    reply = await find_kept_reply(deps, link, job_id)
    if reply is None:
        return link.is_mention_only
    if not link.reads_only_mentions_at(reply.ts):
        return False
    blocks = cast("list[Block]", json.loads(reply.blocks)) if reply.blocks else []
    return not replies.is_addressed(reply.text, deps.bot.bot_user_id, blocks)


async def _may_stop_unaddressed(deps: Dependencies, people: People, link: Link, work: Act) -> bool:
    """Return whether a `stop` between people stops the task: something runs, and its author may steer.

    A person who has no right to the task gets no answer. So Coder is not asked about such a person, because
    the person would be told if Coder did not answer or refused the person's account. If the person's token is
    only about to be renewed, raise PersonTokenRefused, so that the job runs again.
    """
    requester, person = work.requester, work.requester.person
    is_own = link.record.is_owned_by(person)
    if requester.barred or requester.is_out_of_place or not await _has_something_to_stop(deps, link):
        return False
    try:
        if is_own or await people.is_admin(person) or await people.is_let_in(person, link):
            return await _may_stop(deps, people, link, work)
    except (AccountNeeded, PersonTokenRefused) as error:
        if is_own or await is_renewed(deps, error):
            raise
    except (AccountRefused, UserError):
        if is_own:
            raise
    return False


async def _has_something_to_stop(deps: Dependencies, link: Link) -> bool:
    """Return whether the agent runs, or is about to run because of a request or a reply."""
    if link.pending_act in ("resume", "retry") or is_agent_running(link):
        return True
    return bool(replies_among(await deps.links.list_waiting(link.id)) or await count_sent(deps, link))


async def _may_stop(deps: Dependencies, people: People, link: Link, work: Act) -> bool:
    is_old = work.was_away and deps.slack.now() - moment_of(work.requester.at) > STALE_AFTER
    if link.end_reason is not None or is_old:
        return False
    try:
        return await people.can_steer(work.requester.person, link)
    except UserError:
        return False


class StopReactions:
    """Handles reactions with a stop sign to messages of the bot."""

    def __init__(self, deps: Dependencies) -> None:
        self._deps = deps

    def handlers(self) -> tuple[Handler, ...]:
        """Return the handlers: which method runs each kind of job."""
        return (Handler.without_link(StopByReaction, self.handle_reaction),)

    async def handle_reaction(self, context: JobContext) -> Outcome:
        """Pause the task of the message that got the reaction. If there is no such task, do nothing."""
        work = context.work(StopByReaction)
        return await retry_for_person(self._deps, context, None, partial(self._stop, work))

    async def _stop(self, work: StopByReaction, context: JobContext) -> Outcome:
        link = await self._find_link(work)
        if link is None or link.record.thread_ts is None:
            return done()
        requester = work.requester.model_copy(update={"thread_ts": link.record.thread_ts})
        job = Job(id=f"pause:{context.job.id}", work=Act(requester=requester, verb="pause"))
        return done(Batch().append(to_coder(link.id), job, score=request_score("pause", requester.at)))

    async def _find_link(self, work: StopByReaction) -> Link | None:
        """Return the link of the message that got the reaction; None if the message belongs to no task.

        The event of a reaction does not name the message's thread. A card is found by its ts. All other
        messages of the bot have the task's id in their metadata.
        """
        links, channel = self._deps.links, work.requester.channel
        link_id = await links.find_by_thread(ThreadRef(channel, work.message_ts))
        if link_id is not None:
            return await links.find(link_id)
        try:
            meta = await self._deps.slack.find_metadata(channel, work.message_ts)
        except (ChannelProblem, MessageGone):
            return None
        if meta is None or meta.task_id is None:
            return None
        link = await links.find_by_task(TaskId(meta.task_id))
        return link if link is not None and link.record.channel == channel else None
