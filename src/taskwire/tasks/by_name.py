"""Handles commands that name a task.

This module finds the task, checks rights, and appends the action to the task's queue.
"""

from collections.abc import Awaitable, Callable
from functools import partial

from taskwire.dependencies import Dependencies
from taskwire.domain.errors import OutsideError, TryLater, UserError
from taskwire.domain.ids import TaskId
from taskwire.domain.lifecycle.links import Link, is_group
from taskwire.domain.parsing.grammar import find_verb
from taskwire.domain.parsing.naming import digest
from taskwire.domain.parsing.near_misses import (
    NotOneTask,
    SeveralTasks,
    UnknownTask,
    missing_text,
    needs_text,
    offer_tasks,
)
from taskwire.domain.parsing.replies import suggest_verbs
from taskwire.domain.parsing.task_names import TaskName
from taskwire.domain.queueing.jobs import REPLY_ID_PREFIX, Act, ActRequested, AnswerInThread, Job, Reply
from taskwire.domain.queueing.queues import (
    FIRST_IN_INTAKE,
    intake,
    request_score,
    thread_answers,
    to_coder,
)
from taskwire.domain.requester import Requester
from taskwire.domain.text.agent_text import is_shell_command, sanitize_for_agent
from taskwire.domain.text.mrkdwn import escape_mrkdwn
from taskwire.job_context import Handler, JobContext, Outcome, done
from taskwire.messages import accounts, answers, missing_rights, refusals
from taskwire.messages.unknown_verbs import offer_commands
from taskwire.outbox.permalinks import find_permalink
from taskwire.outbox.request_retries import retry_for_person
from taskwire.people.permissions import People
from taskwire.people.quotas import Quotas
from taskwire.queue.batch import Batch
from taskwire.tasks.create import TaskCreator, make_link_id
from taskwire.tasks.last_known import LastKnown
from taskwire.tasks.lookup import Following, Lookup, VisibleTask, bare_record
from taskwire.tasks.offered_commands import keep_offers
from taskwire.tasks.queries import does_something
from taskwire.waiting_replies.quoted import post_quotation, queue_reply

# Finds the link of a task that a person manages by its name and the text after the name.
FindManaged = Callable[[Requester, TaskName, str], Awaitable[tuple[Link, str] | None]]


class NamedActions:
    """Handles the commands that name a task."""

    def __init__(self, deps: Dependencies, people: People, lookup: Lookup, creator: TaskCreator) -> None:
        self._deps = deps
        self._people = people
        self._lookup = lookup
        self._creator = creator
        self._last_known = LastKnown(deps, people)
        self._quotas = Quotas(deps, people)

    def handlers(self) -> tuple[Handler, ...]:
        """Return the handlers: which method runs each kind of job."""
        return (Handler.without_link(ActRequested, self.handle_request),)

    async def handle_request(self, context: JobContext) -> Outcome:
        """Find the task that the command names, and append the action to the task's queue."""
        work = context.work(ActRequested)
        return await retry_for_person(self._deps, context, None, partial(self._pass_on, work))

    async def _pass_on(self, work: ActRequested, context: JobContext) -> Outcome:
        try:
            return await self._find_and_pass_on(work, context)
        except OutsideError:
            # The end of a share need not wait for Coder.
            ended = await self._end_share(context, work, self._last_known.find_managed)
            if ended is not None:
                return ended
            if context.lease.score != str(FIRST_IN_INTAKE):
                raise
            # The person's other requests must not wait behind this one.
            context.audit.is_nothing()
            return done(Batch().append(intake(work.requester.person), context.job))

    async def _end_share(self, context: JobContext, work: ActRequested, find: FindManaged) -> Outcome | None:
        """Queue the end of a share without asking Coder. Return None if this is none, or finds no task.

        The rights are checked when it is carried out.
        """
        if work.verb != "unshare":
            return None
        known = await find(work.requester, TaskName.parse(work.name), work.text)
        if known is None:
            return None
        link, text = known
        return self._queue_act(context, work.model_copy(update={"text": sanitize_for_agent(text)}), link)

    async def _find_and_pass_on(self, work: ActRequested, context: JobContext) -> Outcome:
        name, asked = TaskName.parse(work.name), work
        try:
            if work.text:
                name, text = await self._lookup.take_title(work.requester, name, work.text)
                work = work.model_copy(update={"text": sanitize_for_agent(text)})
                _require_text(work)
            following = Following(work.text, is_for_agent=work.verb in ("send", "edit"))
            seen = await self._lookup.get(work.requester, name, following)
        except UserError as error:
            is_missing = error.reason == "no_such_task"
            # A missing task may come back, with its shares.
            ended = await self._end_share(context, asked, self._last_known.find_gone) if is_missing else None
            if ended is not None:
                return ended
            if not isinstance(error, NotOneTask):
                raise
            return await self._offer_tasks(context, work, error)
        if work.verb == "attach":
            return await self._attach(context, work, seen)
        if seen.link is None:
            return await self._act_without_thread(context, work, seen)
        await self._people.require_right_to(work.verb, work.requester, seen.link)
        if work.verb == "send":
            return await self._send(context, work, seen.link)
        return self._queue_act(context, work, seen.link)

    def _queue_act(self, context: JobContext, work: ActRequested, link: Link) -> Outcome:
        act = Act(
            requester=work.requester,
            verb=work.verb,
            text=work.text,
            who=work.who,
            is_answered_elsewhere=work.is_answered_elsewhere,
        )
        job = Job(id=f"{work.verb}:{context.job.id}", work=act)
        score = request_score(work.verb, work.requester.at)
        return done(Batch().append(to_coder(link.id), job, score=score))

    async def _offer_tasks(self, context: JobContext, work: ActRequested, error: NotOneTask) -> Outcome:
        """Offer the command for each task that may be meant. If there is none, offer to create a task.

        A task for which the command does nothing now, or that the person may not act on, is only shown.
        """
        verb = find_verb(work.verb)
        if verb is None:
            raise error
        context.audit.is_refused(error.reason)
        who = " ".join(f"<!subteam^{each}>" if is_group(each) else f"<@{each}>" for each in work.who)
        text = f"{who} {escape_mrkdwn(error.rest if isinstance(error, UnknownTask) else work.text)}".strip()
        rests = error.rests if isinstance(error, SeveralTasks) else ()
        texts = [f"{who} {escape_mrkdwn(sanitize_for_agent(rest))}".strip() for rest in rests]
        idle = [number for number, link in enumerate(error.links) if not await self._is_useful(work, link)]
        near_miss = offer_tasks(error, verb, text, idle, texts)
        key = digest("offered", context.job.id)
        batch = await keep_offers(self._deps.notes, near_miss, key, work.requester)
        return done(batch, (work.requester, offer_commands(near_miss, key)))

    async def _is_useful(self, work: ActRequested, link: Link) -> bool:
        """Return whether the command would do something to this task, and the person may act on it."""
        verb = find_verb(work.verb)
        if verb is not None and not does_something(verb, link, work.requester.channel):
            return False
        if not link.id or work.verb == "attach":
            return True
        try:
            await self._people.require_right_to(work.verb, work.requester, link, needs_coder=False)
        except OutsideError:
            return True
        except UserError:
            return False
        return True

    async def _attach(self, context: JobContext, work: ActRequested, seen: VisibleTask) -> Outcome:
        """Give the task a thread in this channel.

        If the task has a thread elsewhere, move the task to this channel. Raise UserError unless the person
        is the task's owner or an administrator.
        """
        link = seen.link
        if link is not None and (
            link.record.thread_ts is None or link.record.channel == work.requester.channel
        ):
            where = "" if link.closed_error else await find_permalink(self._deps, link.record)
            return done(None, (work.requester, answers.task_already_attached(link, where)))
        await self._people.places.require_place(work.requester, "attached")
        account = await self._people.get_account(work.requester.person)
        is_own = seen.task.owner_id == account.id
        if not is_own and not await self._people.is_admin(work.requester.person):
            raise UserError(*missing_rights.not_owner_to_attach(seen.task.name), reason="not_allowed")
        # While a task moves, its present thread counts for the new channel too.
        counted_link = link.id if link is not None else make_link_id(context.job.id)
        counted = await self._quotas.count_attached(
            work.requester, seen.task, counted_link, context.job.id, context.now_ms
        )
        if link is not None:
            # The task moves. The job that ends the present thread requests the new thread.
            act = Act(requester=work.requester, verb="detach", is_move=True)
            job = Job(id=f"detach:{context.job.id}", work=act)
            score = request_score("detach", work.requester.at)
            return done(counted.append(to_coder(link.id), job, score=score))
        owner = (
            work.requester.person if is_own else await self._people.accounts.find_in_slack(seen.task.owner_id)
        )
        if owner is None and not self._people.accounts.has_service:
            raise UserError(*accounts.owner_not_connected(seen.task.name), reason="no_account")
        return done(await self._creator.attach(counted, work.requester, seen.task, owner, context.job.id))

    async def _act_without_thread(
        self, context: JobContext, work: ActRequested, seen: VisibleTask
    ) -> Outcome:
        """Act on a task without a thread.

        The task gets a link that is used only for this action and that expires within a day. Raise TryLater
        if the task had a thread when it was gone from Coder: the next poll opens that thread again.
        """
        if await self._deps.links.list_gone([TaskId(seen.task.id)]):
            raise TryLater("the task is in Coder again, and the next poll opens its thread again")
        if work.verb in ("send", "detach", "mute", "unmute", "share", "unshare"):
            raise UserError(*refusals.task_has_no_thread(work.verb, seen.task.name))
        record = bare_record(seen.task, work.requester, self._deps.mask)
        batch = self._deps.writes.write_threadless_record(Batch(), record)
        act = Act(requester=work.requester, verb=work.verb, text=work.text)
        job = Job(id=f"{work.verb}:{context.job.id}", work=act)
        return done(batch.append(to_coder(record.id), job, score=request_score(work.verb, work.requester.at)))

    async def _send(self, context: JobContext, work: ActRequested, link: Link) -> Outcome:
        """Post a person's text in the thread as a quotation with their name, and queue it as their reply.

        The receipt goes on the message with the quotation.
        """
        reply = await post_quotation(self._deps, self._people, context, link, work.requester, work.text)
        if is_shell_command(work.text):
            return done(
                self._make_question_batch(link, work, reply),
                (work.requester, answers.input_to_be_confirmed(link)),
            )
        batch = queue_reply(link.id, reply)
        if work.requester.is_elsewhere and work.requester.channel == link.record.channel:
            # The person used a dialog beside the thread, and sees their text in the thread anyway.
            return done(batch)
        return done(batch, (work.requester, answers.input_shown_in_thread(link)))

    def _make_question_batch(self, link: Link, work: ActRequested, reply: Reply) -> Batch:
        """Return a batch with a question in the thread about a text that looks like a command of the agent.

        The question asks, as for a reply in the thread, whether the text is meant as input.
        """
        job_id, ts = f"{REPLY_ID_PREFIX}{reply.ts}", reply.ts
        requester = work.requester.model_copy(
            update={"channel": link.record.channel, "thread_ts": link.record.thread_ts, "at": ts}
        )
        question = AnswerInThread(
            requester=requester,
            question="not_a_verb",
            words=suggest_verbs(work.text),
            text=work.text,
            job=job_id,
        )
        batch = self._deps.writes.keep_reply(Batch(), link.id, job_id, reply)
        return batch.append(
            thread_answers(link.id, requester.person), Job(id=f"not_a_verb:{ts}", work=question)
        )


def _require_text(work: ActRequested) -> None:
    """Raise UserError if the command needs a text after the task's name, and the name is all of it."""
    verb = find_verb(work.verb)
    if not work.text and verb is not None and needs_text(verb):
        raise missing_text(verb)
