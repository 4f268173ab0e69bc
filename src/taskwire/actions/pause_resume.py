"""Pauses and resumes a linked task, and has the functions that all actions on a task share.

A pause and a resume each make a new build of the task's workspace. The intent record has the number that the
latest build had before the call. If Coder now has a later build, Coder has carried out the call, even if
Coder's answer was lost.
"""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from taskwire.actions.stop import is_between_people, take_back_word
from taskwire.coder.errors import (
    AlreadyRunning,
    BuildActive,
)
from taskwire.coder.models import Build, Task, TaskStatus, WorkspaceStatus
from taskwire.dependencies import Dependencies
from taskwire.domain.errors import UserError
from taskwire.domain.ids import Ts, microseconds
from taskwire.domain.lifecycle.events import Acted
from taskwire.domain.lifecycle.links import Hold, Link
from taskwire.domain.queueing.jobs import Act, ApplyEvent, Job
from taskwire.domain.queueing.queues import to_thread
from taskwire.domain.queueing.retry_policies import BUILD_UNDER_WAY
from taskwire.domain.text.message import Message
from taskwire.job_context import JobContext, Outcome, PrivateMessage, done, retry
from taskwire.messages import answers, inputs, refusals
from taskwire.outbox import questions
from taskwire.outbox.enqueue import draw, say, show_receipt
from taskwire.people.permissions import People
from taskwire.people.quotas import Quotas
from taskwire.queue.batch import Batch
from taskwire.waiting_replies.undelivered import list_undelivered, replies_among

T = TypeVar("T")


class PauseAndResume:
    """Pauses and resumes tasks."""

    def __init__(self, deps: Dependencies, people: People) -> None:
        self._deps = deps
        self._people = people
        self._quotas = Quotas(deps, people)

    async def pause(self, context: JobContext, link: Link, work: Act) -> Outcome:
        """Stop the workspace. Replies from before the pause are held until a person decides about them."""
        if work.is_offered_stop and link.hold is not None and not context.is_outcome_unknown:
            return await self._answer_paused_already(link, work)
        await show_pending(self._deps, context, link, work)
        task = await get_task(context, link)
        if context.is_outcome_unknown:
            is_newer = task.workspace_build_number > int(context.intent)
            is_done = is_newer and task.status in (TaskStatus.UNKNOWN, TaskStatus.PAUSED)
            context.record_reconciled("there" if is_done else "not_there")
            if is_done:
                return await self._finish_pause(context, link, work, task.workspace_build_number)
        if task.status is TaskStatus.PAUSED:
            return await self._finish_pause(context, link, work, None)
        try:
            build = await self._start_build(context, link, task, context.coder.pause)
        except BuildActive:
            return wait_for_build(context, link, work)
        return await self._finish_pause(context, link, work, build.build_number)

    async def _finish_pause(self, context: JobContext, link: Link, work: Act, build: int | None) -> Outcome:
        """Hold the waiting replies, and tell people how many replies are held.

        `build` is None if the task was paused already.
        """
        settings = await self._deps.channel_settings.get(link.record.channel)
        make_answer = answers.task_is_pausing if build is not None else answers.task_already_paused
        words = make_answer(link, is_resumed_by_reply=settings.is_resumed_by_reply)
        batch = Batch()
        word = await self._find_word(link, work, batch)
        if link.record.thread_ts is None:
            return done(None, (work.requester, words))
        at = await self._find_pause_time(link, work)
        hold = Hold(person=work.requester.person, at=at, reply_id=word)
        written_before = microseconds(hold.at)
        waiting = [
            r
            for job, r in await list_undelivered(self._deps.links, link.id)
            if microseconds(r.ts) <= written_before and job.id != word
        ]
        self._deps.writes.hold_replies(batch, link.id, hold)
        if build is not None:
            acted = Acted(verb="pause", person=work.requester.person, build=build)
            batch.append(to_thread(link.id), Job(id=f"acted:{context.job.id}", work=ApplyEvent(event=acted)))
        for reply in waiting:
            show_receipt(link.id, reply.ts, "waiting", batch)
        if waiting:
            held_link = link.model_copy(update={"hold": hold})
            what = inputs.PAUSED if build is None else inputs.PAUSING
            message = inputs.ask_about_held_replies(held_link, len(waiting), what)
            say(
                link.id,
                f"{questions.HELD_BY_PAUSE_PREFIX}{context.job.id}",
                message,
                batch,
                is_call=True,
                question_id=questions.HELD_REPLIES,
            )
            if work.is_offered_stop:
                return done(batch, (work.requester, words))
            return done(batch, *answer_elsewhere(work, link, words))
        if word:
            words = inputs.offer_stop_as_text(words, link, word)
        if build is not None and _is_effect_seen(link, work):
            return done(batch)
        return done(batch, (work.requester, words))

    async def _find_word(self, link: Link, work: Act, batch: Batch) -> str:
        """Return the job id of the reply that asked for the pause; empty if it cannot be meant as text.

        In a thread where only mentions are input, a `stop` without a mention is text for nobody.
        """
        word = work.reply_id
        if work.is_offered_stop:
            return word if await take_back_word(self._deps, link, work, batch) else ""
        if word and await is_between_people(self._deps, link, word):
            self._deps.writes.forget_reply(batch, link.id, word)
            return ""
        return word

    async def _answer_paused_already(self, link: Link, work: Act) -> Outcome:
        """Answer a person who presses *Stop the task* when the task is paused already.

        The bot had offered this button, because the person had written a reply that is only `pause`. The
        reply is taken out of the queue, so that the agent does not get it after the pause. Only this person
        is told.
        """
        settings = await self._deps.channel_settings.get(link.record.channel)
        batch = Batch()
        await take_back_word(self._deps, link, work, batch)
        words = answers.task_already_paused(link, is_resumed_by_reply=settings.is_resumed_by_reply)
        return done(batch, (work.requester, words))

    async def _find_pause_time(self, link: Link, work: Act) -> Ts:
        """Return when the person asked for the pause, by the clock of the thread's messages.

        Replies have the time of the same clock, so the result can be compared with them.
        """
        if link.record.shown_ts is None or not link.record.has_other_clock:
            return work.requester.at
        return max([link.record.shown_ts, *await self._deps.links.list_taken(link.id)], key=microseconds)

    async def resume(self, context: JobContext, link: Link, work: Act) -> Outcome:
        """Start the workspace. A running workspace that is broken or has lost its agent is stopped first."""
        task = await get_task(context, link)
        if context.is_outcome_unknown:
            is_done = task.workspace_build_number > int(context.intent) and task.is_up
            context.record_reconciled("there" if is_done else "not_there")
            if is_done:
                return await self._finish_resume(context, link, work, task.workspace_build_number)
        if link.hold is not None and microseconds(link.hold.at) > microseconds(work.requester.at):
            context.audit.is_refused("overtaken")
            return done(None, (work.requester, answers.task_paused_meanwhile(link)))
        if task.status is TaskStatus.PAUSED:
            await self._quotas.require_room(link, context.job.id)
        await show_pending(self._deps, context, link, work)
        is_running = task.workspace_status is WorkspaceStatus.RUNNING
        if (task.status is TaskStatus.ERROR or (work.is_retry and task.is_lost)) and is_running:
            # Coder refuses to resume a running workspace, so a broken workspace has to be stopped first.
            build = await self._start_build(context, link, task, context.coder.pause)
            acted = Acted(verb="retry", person=work.requester.person, build=build.build_number)
            own = work.model_copy(update={"stop_build": build.build_number})
            busy = wait_for_build(context, link, own, answers.workspace_is_restarting(link))
            stop = Job(id=f"retry:{context.job.id}", work=ApplyEvent(event=acted))
            busy.batch.append(to_thread(link.id), stop)
            return busy
        try:
            build = await self._start_build(context, link, task, context.coder.resume)
        except AlreadyRunning:
            return await self._answer_running(link, work)
        except BuildActive:
            if task.status in (TaskStatus.PENDING, TaskStatus.INITIALIZING):
                return await self._answer_running(link, work)
            return wait_for_build(context, link, work)
        return await self._finish_resume(context, link, work, build.build_number)

    async def _answer_running(self, link: Link, work: Act) -> Outcome:
        """Send the held replies to a task that runs already, and say so."""
        words = answers.task_already_running(link, await self._count_held(link))
        return done(self._release_held(link), (work.requester, words))

    async def _count_held(self, link: Link) -> int:
        """Return how many replies the agent gets because of the resume."""
        return len(replies_among(await self._deps.links.list_held(link.id)))

    async def _finish_resume(self, context: JobContext, link: Link, work: Act, build: int) -> Outcome:
        if link.record.thread_ts is None:
            return done(None, (work.requester, answers.task_is_resuming(link)))
        batch = self._release_held(link)
        acted = Acted(verb="resume", person=work.requester.person, build=build)
        batch.append(to_thread(link.id), Job(id=f"acted:{context.job.id}", work=ApplyEvent(event=acted)))
        if _is_effect_seen(link, work):
            return done(batch)
        words = answers.task_is_resuming(link, await self._count_held(link))
        return done(batch, (work.requester, words))

    def _release_held(self, link: Link) -> Batch:
        """Return a batch that sends the replies that a pause holds, and settles the question about them."""
        is_held = link.hold is not None or link.waits_for_resume
        batch = self._deps.writes.release_held(Batch(), link.id)
        return questions.settle_held(self._deps, link, inputs.HELD_SENT, batch) if is_held else batch

    async def _start_build(
        self, context: JobContext, link: Link, task: Task, call: Callable[[str], Awaitable[Build]]
    ) -> Build:
        """Call Coder (`call`) to pause or resume the task, and return the new build.

        The intent record of the call has the number of the build before it.
        """
        return await attempt_change(
            self._people, context, link, str(task.workspace_build_number), lambda: call(task.id)
        )


async def show_pending(deps: Dependencies, context: JobContext, link: Link, work: Act) -> None:
    """Show on the card at once that this action is being carried out, unless the card shows it already."""
    act = "retry" if work.is_retry else work.verb
    pending = f"{act} {context.job.id}"
    is_shown = link.model_copy(update={"pending": pending}).shown_pending is not None
    if context.is_outcome_unknown or link.record.thread_ts is None or link.pending == pending or not is_shown:
        return
    batch = deps.writes.set_field(Batch(), link.id, "pending", pending)
    await context.write(draw(link.id, batch))


async def forget_pending(deps: Dependencies, context: JobContext, outcome: Outcome) -> Outcome:
    """Return `outcome`. If the action was not carried out, let the card show the task's phase again.

    Until then, the card says that the action is being carried out.
    """
    was_refused = outcome.is_refusal or context.audit.outcome == "refused" or outcome.trouble != "none"
    if outcome.kind != "done" or not was_refused:
        return outcome
    link = await deps.links.find(context.link_id)
    if link is not None and link.pending.endswith(f" {context.job.id}"):
        draw(link.id, deps.writes.remove_field(outcome.batch, link.id, "pending"))
    return outcome


async def get_task(context: JobContext, link: Link) -> Task:
    """Return the link's task. Raise UserError while the task is still being created."""
    if link.record.task_id is None:
        raise UserError(*refusals.task_not_created_yet(link))
    return await context.coder.get_task(link.record.task_id)


async def attempt_change(
    people: People,
    context: JobContext,
    link: Link,
    intent: str,
    call: Callable[[], Awaitable[T]],
) -> T:
    """Make a call that changes the task, and return the result. `intent` becomes the call's intent record.

    If this is not the first attempt, check the person's rights again before the call.
    """
    if context.reconcile_result is not None:
        work = context.work(Act)
        await people.require_right_to(work.verb, work.requester, link)
    return await context.attempt(intent, context.coder.timeouts.change, call)


def wait_for_build(context: JobContext, link: Link, work: Act, words: Message | None = None) -> Outcome:
    """Return an outcome that runs the job again when the present build may have ended.

    At the first wait, the person is told with the message `words`. The default message says that the action
    waits for the build. Raises UserError if the job has waited too often.
    """
    if work.wait_count >= BUILD_UNDER_WAY.max_tries:
        raise UserError(*refusals.build_never_ends(link))
    words = words or answers.task_waits_for_build(link, work.verb)
    told = ((work.requester, words),) if not work.wait_count else ()
    later = context.job.with_work(wait_count=work.wait_count + 1, stop_build=work.stop_build)
    return retry(BUILD_UNDER_WAY.interval_seconds, later, None, *told)


def answer_elsewhere(work: Act, link: Link, words: Message) -> tuple[PrivateMessage, ...]:
    """Return `words` as a private answer if the person acted elsewhere, for example by a command.

    A person who acted in the thread or on the card gets no private answer, because everybody sees the effect
    there.
    """
    is_here = work.requester.is_in(link.record.thread)
    return () if is_here or _is_effect_seen(link, work) else ((work.requester, words),)


def _is_effect_seen(link: Link, work: Act) -> bool:
    """Return whether the person pressed a button of the card or of a notice.

    The card then shows at once what happens, and the notice loses its buttons. A private answer would only
    repeat that.
    """
    return work.is_public_press and work.requester.channel == link.record.channel
