"""Steering a linked task: pause, resume, edit, delete, detach, mute.

Each is one job in the link's steer list. Pause, delete and detach stand ahead of the input that waits; what
they do to it (hold it, give it back) is written in the call that ends them.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import TypeVar

from taskwire.coder.errors import (
    AlreadyRunning,
    BuildActive,
    CoderError,
    MustBePaused,
    NotFound,
)
from taskwire.coder.models import Build, Task, TaskStatus, WorkspaceStatus
from taskwire.dependencies import Dependencies
from taskwire.domain.agent_text import AgentText, for_agent, is_command
from taskwire.domain.errors import Refused, UserError
from taskwire.domain.ids import Ts, microseconds, moment_of
from taskwire.domain.jobs import Act, ApplyEvent, Job, to_coder, to_thread
from taskwire.domain.links import Hold, Link
from taskwire.domain.message import Message
from taskwire.domain.naming import digest, new_title_for
from taskwire.domain.replies import STALE
from taskwire.domain.retry_policies import BUILD_UNDER_WAY
from taskwire.domain.secrets import masked_beginning
from taskwire.domain.transitions import Acted, Vanished
from taskwire.job_context import Handler, JobContext, Outcome, Private, done, retry
from taskwire.messages import answers, inputs, refusals
from taskwire.outbox import questions
from taskwire.outbox.agent_input import AgentInput
from taskwire.outbox.enqueue import draw, receipt, say
from taskwire.outbox.observing import LONGEST_TITLE
from taskwire.outbox.retries import patiently
from taskwire.outbox.undelivered import give_back, list_undelivered
from taskwire.people.permissions import People
from taskwire.queue.batch import Batch
from taskwire.state.links import ENDED_MS

# How the id of what the thread hears of its end begins.
DETACHED = "detached:"
# Which build there is if somebody has wanted the opposite since.
_UNDONE_BY = {"pause": "start", "resume": "stop"}
KEPT_MS = 24 * 3_600_000
# What is done without a call to Coder.
_WITHOUT_CODER = ("detach", "mute", "unmute")

T = TypeVar("T")


class TaskActions:
    """Carries out the jobs that act on a linked task."""

    def __init__(self, deps: Dependencies, people: People, texts: AgentInput) -> None:
        self._deps = deps
        self._people = people
        self._texts = texts
        self._verbs: dict[str, Callable[[JobContext, Link, Act], Awaitable[Outcome]]] = {
            "pause": self._pause,
            "resume": self._resume,
            "edit": self._edit,
            "delete": self._delete,
            "detach": self._detach,
            "mute": self._mute,
            "unmute": self._mute,
        }

    def handlers(self) -> tuple[Handler, ...]:
        """List the handlers of this class."""
        return (Handler.with_any_link(Act, self.act),)

    async def act(self, context: JobContext, link: Link | None) -> Outcome:
        """Check again that this person may, then do what they asked."""
        work = context.work(Act)
        return await patiently(self._deps, context, link, partial(self._answered, link, work))

    async def _answered(self, link: Link | None, work: Act, context: JobContext) -> Outcome:
        """Act, and put the answer where it belongs."""
        try:
            outcome = await self._act(link, work, context)
        except UserError as error:
            if not work.kept:
                raise
            outcome = replace(done(None, (work.requester, answers.refusal(error))), is_refusal=True)
        if work.is_part:
            return replace(outcome, privately=())
        # If something is kept, a private question was pressed, which gives way to its answer.
        return replace(outcome, privately=(), instead=outcome.privately) if work.kept else outcome

    async def _act(self, link: Link | None, work: Act, context: JobContext) -> Outcome:
        if link is not None and link.ended == "gone" and work.verb == "delete" and context.is_outcome_unknown:
            # The list was quicker than the answer, and the thread has heard of it.
            return done(None, *_told_elsewhere(work, link, answers.deleted(link)))
        if link is None or link.ended is not None:
            raise UserError(*refusals.already_ended(await self._people.as_seen(work.requester, link)))
        if work.was_away and self._deps.slack.now() - moment_of(work.requester.at) > STALE:
            return done(None, (work.requester, answers.act_too_old(work.verb)))
        if not context.is_outcome_unknown:
            needs_coder = work.verb not in _WITHOUT_CODER
            await self._people.require_steer(work.requester, link, needs_coder=needs_coder)
        try:
            overtaken = await self._overtaken(context, link, work)
            return overtaken or await self._verbs[work.verb](context, link, work)
        except NotFound:
            raise UserError(*refusals.task_is_gone(link.title)) from None
        except Refused as refused:
            if context.keeps_attempt or not isinstance(refused, CoderError):
                raise
            raise UserError(*refusals.coder_refused(work.verb, link, refused.answer.said)) from refused

    async def _overtaken(self, context: JobContext, link: Link, work: Act) -> Outcome | None:
        """Leave alone what somebody has undone since: Redis may have forgotten that this was done before."""
        if not context.lease.is_suspect or context.is_outcome_unknown or work.verb not in _UNDONE_BY:
            return None
        task = await self._task(link)
        if task.workspace_id is None:
            return None
        build = (await self._deps.coder.get_workspace(task.workspace_id)).latest_build
        is_newer = build.created_at is not None and build.created_at > moment_of(work.requester.at)
        if not is_newer or build.transition != _UNDONE_BY[work.verb]:
            return None
        return done(None, (work.requester, answers.overtaken(link, work.verb)))

    async def _pause(self, context: JobContext, link: Link, work: Act) -> Outcome:
        task = await self._task(link)
        if context.is_outcome_unknown:
            is_newer = task.workspace_build_number > int(context.note)
            is_done = is_newer and task.status in (TaskStatus.UNKNOWN, TaskStatus.PAUSED)
            context.settled("there" if is_done else "not_there")
            if is_done:
                return await self._paused(context, link, work, task.workspace_build_number)
        if task.status is TaskStatus.PAUSED:
            return await self._paused(context, link, work, None)
        try:
            build = await self._start_build(context, link, task, self._deps.coder.pause)
        except BuildActive:
            return self._busy(context, link, work)
        return await self._paused(context, link, work, build.build_number)

    async def _paused(self, context: JobContext, link: Link, work: Act, build: int | None) -> Outcome:
        """Hold the replies that wait, and say how many there are; without a build it was paused already."""
        words = answers.pausing(link) if build is not None else answers.already_paused(link)
        if link.record.thread_ts is None:
            return done(None, (work.requester, words))
        hold = Hold(by=work.requester.person, at=await self._asked_at(link, work))
        written_before = microseconds(hold.at)
        waiting = [
            r
            for _, r in await list_undelivered(self._deps.links, link.id)
            if microseconds(r.ts) <= written_before
        ]
        batch = self._deps.writes.hold(Batch(), link.id, hold)
        if build is not None:
            acted = Acted(verb="pause", by=work.requester.person, build=build)
            batch.append(to_thread(link.id), Job(id=f"acted:{context.job.id}", work=ApplyEvent(event=acted)))
        for reply in waiting:
            receipt(link.id, reply.ts, "waiting", batch)
        if waiting:
            message = inputs.paused_holding(link, len(waiting), is_paused=build is None)
            say(link.id, f"held:{context.job.id}", message, batch, is_call=True, about=questions.HELD)
            return done(batch, *_told_elsewhere(work, link, words))
        return done(batch, (work.requester, words))

    async def _asked_at(self, link: Link, work: Act) -> Ts:
        """When it was asked for, by the clock of the replies."""
        if link.record.thread_ts is None or not link.record.has_other_clock:
            return work.requester.at
        return max([link.record.thread_ts, *await self._deps.links.list_taken(link.id)], key=microseconds)

    async def _resume(self, context: JobContext, link: Link, work: Act) -> Outcome:
        task = await self._task(link)
        if context.is_outcome_unknown:
            is_done = task.workspace_build_number > int(context.note) and task.is_up
            context.settled("there" if is_done else "not_there")
            if is_done:
                return self._resumed(context, link, work, task.workspace_build_number)
        if link.hold is not None and microseconds(link.hold.at) > microseconds(work.requester.at):
            return done(None, (work.requester, answers.paused_since(link)))
        is_running = task.workspace_status is WorkspaceStatus.RUNNING
        if (task.status is TaskStatus.ERROR or (work.is_retry and task.is_lost)) and is_running:
            # Coder refuses to resume what runs, however unwell: it has to be stopped first.
            build = await self._start_build(context, link, task, self._deps.coder.pause)
            acted = Acted(verb="retry", by=work.requester.person, build=build.build_number)
            busy = self._busy(context, link, work, answers.restarting(link))
            stop = Job(id=f"retry:{context.job.id}", work=ApplyEvent(event=acted))
            busy.batch.append(to_thread(link.id), stop)
            return busy
        try:
            build = await self._start_build(context, link, task, self._deps.coder.resume)
        except AlreadyRunning:
            return done(self._let_go(link), (work.requester, answers.already_running(link)))
        except BuildActive:
            if task.status in (TaskStatus.PENDING, TaskStatus.INITIALIZING):
                return done(self._let_go(link), (work.requester, answers.already_running(link)))
            return self._busy(context, link, work)
        return self._resumed(context, link, work, build.build_number)

    def _resumed(self, context: JobContext, link: Link, work: Act, build: int) -> Outcome:
        if link.record.thread_ts is None:
            return done(None, (work.requester, answers.resuming(link)))
        batch = self._let_go(link)
        acted = Acted(verb="resume", by=work.requester.person, build=build)
        batch.append(to_thread(link.id), Job(id=f"acted:{context.job.id}", work=ApplyEvent(event=acted)))
        return done(batch, (work.requester, answers.resuming(link)))

    def _let_go(self, link: Link) -> Batch:
        """Let go what a pause holds."""
        batch = self._deps.writes.unhold(Batch(), link.id)
        return questions.held_goes(self._deps, link, inputs.HELD_SENT, batch) if link.hold else batch

    async def _edit(self, context: JobContext, link: Link, work: Act) -> Outcome:
        text = await self._text(work)
        if is_command(text):
            raise UserError(*refusals.prompt_is_command())
        task = await self._task(link)
        is_done = context.is_outcome_unknown and task.initial_prompt == text
        context.settled("there" if is_done else "not_there", has_landed=is_done)
        if not is_done:
            try:
                await self._attempt(context, link, "edit", lambda: self._deps.coder.edit_input(task.id, text))
            except MustBePaused:
                if work.is_patient:
                    return self._busy(context, link, work)
                kept = digest(link.id, context.job.id)
                batch = self._deps.notes.keeping(Batch(), text, "edit", kept, ttl_ms=KEPT_MS)
                return done(batch, (work.requester, answers.pause_to_edit(link, f"{link.id} {kept}")))
        if link.record.thread_ts is None:
            return done(None, (work.requester, answers.edited(link)))
        shown = masked_beginning(self._deps.mask, text, LONGEST_TITLE)
        record = link.record.model_copy(update={"prompt": text, "title": new_title_for(shown)})
        batch = draw(link.id, self._deps.writes.record(Batch(), record))
        questions.settle(link, questions.EDIT, inputs.EDITED, batch)
        return done(batch, (work.requester, answers.edited(link)))

    async def _text(self, work: Act) -> AgentText:
        """The new prompt; behind a button it is kept for a while."""
        if not work.kept:
            return work.text
        kept = await self._deps.notes.find("edit", work.kept)
        if kept is None:
            raise UserError(*refusals.too_late())
        return for_agent(kept)

    async def _delete(self, context: JobContext, link: Link, work: Act) -> Outcome:
        try:
            task = await self._task(link)
            context.settled()
            await self._attempt(context, link, "delete", lambda: self._deps.coder.delete_task(task.id))
        except NotFound:
            # Gone, if this account still reads others: a token that lost its rights sees nothing at all.
            if not context.is_outcome_unknown and not await self._reads_tasks():
                raise
            context.settled("there", has_landed=True)
        except BuildActive:
            return self._busy(context, link, work)
        if link.record.thread_ts is None:
            return done(None, (work.requester, answers.deleted(link)))
        # The thread's questions are settled when it hears of the end.
        batch = await self._give_back(link, work, Batch())
        gone = Vanished(by=work.requester.person)
        batch.append(to_thread(link.id), Job(id=f"deleted:{context.job.id}", work=ApplyEvent(event=gone)))
        return done(batch, *_told_elsewhere(work, link, answers.deleted(link)))

    async def _reads_tasks(self) -> bool:
        return (await self._deps.coder.me()).is_owner

    async def _detach(self, context: JobContext, link: Link, work: Act) -> Outcome:
        batch = await questions.settle_all(self._deps, link, Batch())
        await self._give_back(link, work, batch)
        if not link.closed:
            say(link.id, f"{DETACHED}{context.job.id}", answers.detached(link), batch)
        self._deps.writes.ends(batch, link.record, "detached")
        # Another thread may follow, to which this one's card will lead.
        self._deps.notes.keeping(batch, link.id, "detached", str(link.record.task_id), ttl_ms=ENDED_MS)
        return done(draw(link.id, batch), *_told_elsewhere(work, link, answers.detached_by_name(link)))

    async def _give_back(self, link: Link, work: Act, batch: Batch) -> Batch:
        """Take what waits out of the list, and give the texts back to the thread."""
        waiting = await list_undelivered(self._deps.links, link.id)
        self._deps.writes.drop_held(batch, link.id)
        for job, _ in waiting:
            batch.drop(to_coder(link.id), job.id)
        replies = [reply for _, reply in waiting]
        return await give_back(self._texts, link, work.requester.at, replies, batch)

    async def _mute(self, context: JobContext, link: Link, work: Act) -> Outcome:
        is_muted = work.verb == "mute"
        batch = Batch()
        if is_muted:
            self._deps.writes.field(batch, link.id, "muted", work.requester.person)
        else:
            self._deps.writes.no_field(batch, link.id, "muted")
        del context
        return done(draw(link.id, batch), (work.requester, answers.muted(link, is_muted=is_muted)))

    async def _task(self, link: Link) -> Task:
        if link.record.task_id is None:
            raise UserError(*refusals.no_task_yet(link))
        return await self._deps.coder.get_task(link.record.task_id)

    async def _start_build(
        self, context: JobContext, link: Link, task: Task, call: Callable[[str], Awaitable[Build]]
    ) -> Build:
        """Pause or resume; the note is the build that there was before."""
        return await self._attempt(context, link, str(task.workspace_build_number), lambda: call(task.id))

    async def _attempt(
        self, context: JobContext, link: Link, note: str, call: Callable[[], Awaitable[T]]
    ) -> T:
        """Try it; what was tried in vain while the person might is tried again only if they still may."""
        if context.found is not None:
            await self._people.require_steer(context.work(Act).requester, link)
        return await context.attempt(note, self._deps.coder.timeouts.change, call)

    def _busy(self, context: JobContext, link: Link, work: Act, words: Message | None = None) -> Outcome:
        """A start or stop is under way: wait for it, and say so once."""
        if work.waits >= BUILD_UNDER_WAY.most_tries:
            raise UserError(*refusals.build_never_ends(link))
        words = words or answers.waiting_for_build(link, work.verb)
        told = ((work.requester, words),) if not work.waits else ()
        return retry(BUILD_UNDER_WAY.interval_seconds, context.job.knowing(waits=work.waits + 1), None, *told)


def _told_elsewhere(work: Act, link: Link, words: Message) -> tuple[Private, ...]:
    """An answer for whoever did not act in the thread, where the same is said."""
    here = (work.requester.channel, work.requester.thread_ts)
    return () if here == (link.record.channel, link.record.thread_ts) else ((work.requester, words),)
