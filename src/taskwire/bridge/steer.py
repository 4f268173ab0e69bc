"""Steering a linked task: pause, resume, edit, delete, detach, mute.

Each is one job in the link's steer list. Pause, delete and detach stand ahead of the input that waits; what
they do to it (hold it, give it back) is written in the call that ends them.
"""

from collections.abc import Awaitable, Callable
from functools import partial

from taskwire.bridge.doors import Doors
from taskwire.bridge.giving_back import give_back
from taskwire.bridge.hand import Ending, Hand, Private, done, later
from taskwire.bridge.input_text import InputText
from taskwire.bridge.patience import patiently
from taskwire.bridge.people import People
from taskwire.bridge.saying import draw, receipt, say
from taskwire.bridge.send import STALE
from taskwire.coder.errors import (
    AlreadyRunning,
    BuildActive,
    CoderError,
    MustBePaused,
    NoTasks,
    NotFound,
    TokenRefused,
)
from taskwire.coder.models import Build, Task, TaskStatus, WorkspaceStatus
from taskwire.model.changes import Acted, Vanished
from taskwire.model.errors import Refused, UserError
from taskwire.model.ids import Ts, microseconds, moment_of
from taskwire.model.jobs import Act, Happened, Job, Reply, steer, tell
from taskwire.model.links import Hold, Link
from taskwire.model.messages import Message
from taskwire.model.naming import digest
from taskwire.store.steps import Step
from taskwire.words import answers, inputs, refusals

# A start or stop under way is waited for this long before the person is told that it does not end.
BUILD_WAITS = 40
BUILD_WAIT_SECONDS = 3.0
# How the id of what the thread hears of its end begins.
DETACHED = "detached:"
# Which build there is if somebody has wanted the opposite since.
_UNDONE_BY = {"pause": "start", "resume": "stop"}
KEPT_MS = 24 * 3_600_000


class Steerer:
    """Carries out the jobs that act on a linked task."""

    def __init__(self, doors: Doors, people: People, texts: InputText) -> None:
        self._doors = doors
        self._people = people
        self._texts = texts
        self._verbs: dict[str, Callable[[Hand, Link, Act], Awaitable[Ending]]] = {
            "pause": self._pause,
            "resume": self._resume,
            "edit": self._edit,
            "delete": self._delete,
            "detach": self._detach,
            "mute": self._mute,
            "unmute": self._mute,
        }

    async def act(self, hand: Hand) -> Ending:
        """Check again that this person may, then do what they asked."""
        work = hand.work(Act)
        link = await self._doors.links.find(hand.link_id)
        return await patiently(self._doors, hand, link, partial(self._act, link, work))

    async def _act(self, link: Link | None, work: Act, hand: Hand) -> Ending:
        if link is not None and link.ended == "gone" and work.verb == "delete" and hand.is_in_doubt:
            # The list was quicker than the answer, and the thread has heard of it.
            return done(None, *_told_elsewhere(work, link, answers.deleted(link)))
        if link is None or link.ended is not None:
            raise UserError(*refusals.already_ended(link))
        if work.was_away and self._doors.slack.now() - moment_of(work.asker.at) > STALE:
            return done(None, (work.asker, answers.act_too_old(work.verb)))
        if not hand.is_in_doubt:
            await self._people.require_steer(work.asker.person, link)
        try:
            overtaken = await self._overtaken(hand, link, work)
            return overtaken or await self._verbs[work.verb](hand, link, work)
        except (TokenRefused, NoTasks):
            raise
        except NotFound:
            raise UserError(*refusals.task_is_gone(link.title)) from None
        except Refused as refused:
            if hand.keeps_attempt or not isinstance(refused, CoderError):
                raise
            raise UserError(*refusals.coder_refused(work.verb, link, refused.answer.said)) from refused

    async def _overtaken(self, hand: Hand, link: Link, work: Act) -> Ending | None:
        """Leave alone what somebody has undone since: Redis may have forgotten that this was done before."""
        if not hand.turn.is_suspect or hand.is_in_doubt or work.verb not in _UNDONE_BY:
            return None
        task = await self._task(link)
        if task.workspace_id is None:
            return None
        build = (await self._doors.coder.get_workspace(task.workspace_id)).latest_build
        is_newer = build.created_at is not None and build.created_at > moment_of(work.asker.at)
        if not is_newer or build.transition != _UNDONE_BY[work.verb]:
            return None
        return done(None, (work.asker, answers.overtaken(link, work.verb)))

    async def _pause(self, hand: Hand, link: Link, work: Act) -> Ending:
        task = await self._task(link)
        if hand.is_in_doubt:
            is_newer = task.workspace_build_number > int(hand.note)
            is_done = is_newer and task.status in (TaskStatus.UNKNOWN, TaskStatus.PAUSED)
            hand.settled("there" if is_done else "not_there")
            if is_done:
                return await self._paused(hand, link, work, task.workspace_build_number)
        if task.status is TaskStatus.PAUSED:
            return await self._paused(hand, link, work, None)
        try:
            build = await self._start_build(hand, task, self._doors.coder.pause)
        except BuildActive:
            return self._busy(hand, link, work)
        return await self._paused(hand, link, work, build.build_number)

    async def _paused(self, hand: Hand, link: Link, work: Act, build: int | None) -> Ending:
        """Hold the replies that wait, and say how many there are; without a build it was paused already."""
        words = answers.pausing(link) if build is not None else answers.already_paused(link)
        if link.bond.thread_ts is None:
            return done(None, (work.asker, words))
        hold = Hold(by=work.asker.person, at=await self._asked_at(link, work))
        written_before = microseconds(hold.at)
        waiting = [r for _, r in await self._waiting(link) if microseconds(r.ts) <= written_before]
        step = self._doors.writes.hold(Step(), link.id, hold)
        if build is not None:
            acted = Acted(verb="pause", by=work.asker.person, build=build)
            step.append(tell(link.id), Job(id=f"acted:{hand.job.id}", work=Happened(event=acted)))
        for reply in waiting:
            receipt(link.id, reply.ts, "waiting", step)
        if waiting:
            message = inputs.paused_holding(link, len(waiting), is_paused=build is None)
            say(link.id, f"held:{hand.job.id}", message, step, is_call=True)
            return done(step, *_told_elsewhere(work, link, words))
        return done(step, (work.asker, words))

    async def _asked_at(self, link: Link, work: Act) -> Ts:
        """When it was asked for, by the clock of the replies."""
        if link.bond.thread_ts is None or not link.bond.has_other_clock:
            return work.asker.at
        return max([link.bond.thread_ts, *await self._doors.links.list_taken(link.id)], key=microseconds)

    async def _resume(self, hand: Hand, link: Link, work: Act) -> Ending:
        task = await self._task(link)
        if hand.is_in_doubt:
            is_done = task.workspace_build_number > int(hand.note) and task.is_up
            hand.settled("there" if is_done else "not_there")
            if is_done:
                return self._resumed(hand, link, work, task.workspace_build_number)
        if link.hold is not None and microseconds(link.hold.at) > microseconds(work.asker.at):
            return done(None, (work.asker, answers.paused_since(link)))
        is_running = task.workspace_status is WorkspaceStatus.RUNNING
        if task.status is TaskStatus.ERROR and is_running:
            # Coder refuses to resume what runs, however unwell: it has to be stopped first.
            build = await self._start_build(hand, task, self._doors.coder.pause)
            acted = Acted(verb="retry", by=work.asker.person, build=build.build_number)
            busy = self._busy(hand, link, work)
            stop = Job(id=f"retry:{hand.job.id}", work=Happened(event=acted))
            busy.step.append(tell(link.id), stop)
            return busy
        try:
            build = await self._start_build(hand, task, self._doors.coder.resume)
        except AlreadyRunning:
            step = self._doors.writes.unhold(Step(), link.id)
            return done(step, (work.asker, answers.already_running(link)))
        except BuildActive:
            if task.status in (TaskStatus.PENDING, TaskStatus.INITIALIZING):
                step = self._doors.writes.unhold(Step(), link.id)
                return done(step, (work.asker, answers.already_running(link)))
            return self._busy(hand, link, work)
        return self._resumed(hand, link, work, build.build_number)

    def _resumed(self, hand: Hand, link: Link, work: Act, build: int) -> Ending:
        if link.bond.thread_ts is None:
            return done(None, (work.asker, answers.resuming(link)))
        step = self._doors.writes.unhold(Step(), link.id)
        acted = Acted(verb="resume", by=work.asker.person, build=build)
        step.append(tell(link.id), Job(id=f"acted:{hand.job.id}", work=Happened(event=acted)))
        return done(step, (work.asker, answers.resuming(link)))

    async def _edit(self, hand: Hand, link: Link, work: Act) -> Ending:
        task, text = await self._task(link), await self._text(work)
        is_done = hand.is_in_doubt and task.initial_prompt == text
        hand.settled("there" if is_done else "not_there", has_landed=is_done)
        if not is_done:
            try:
                await hand.attempt(
                    "edit",
                    self._doors.coder.timeouts.change,
                    lambda: self._doors.coder.edit_input(task.id, text),
                )
            except MustBePaused:
                if work.is_patient:
                    return self._busy(hand, link, work)
                kept = digest(link.id, hand.job.id)
                step = self._doors.memory.keeping(Step(), text, "edit", kept, ttl_ms=KEPT_MS)
                return done(step, (work.asker, answers.pause_to_edit(link, f"{link.id} {kept}")))
        if link.bond.thread_ts is None:
            return done(None, (work.asker, answers.edited(link)))
        bond = link.bond.model_copy(update={"prompt": text})
        step = draw(link.id, self._doors.writes.bond(Step(), bond))
        return done(step, (work.asker, answers.edited(link)))

    async def _text(self, work: Act) -> str:
        """The new prompt; behind a button it is kept for a while."""
        if not work.kept:
            return work.text
        kept = await self._doors.memory.find("edit", work.kept)
        if kept is None:
            raise UserError(*refusals.too_late())
        return kept

    async def _delete(self, hand: Hand, link: Link, work: Act) -> Ending:
        try:
            task = await self._task(link)
            hand.settled()
            await hand.attempt(
                "delete", self._doors.coder.timeouts.change, lambda: self._doors.coder.delete_task(task.id)
            )
        except NotFound:
            # Gone, if this account still reads others: a token that lost its rights sees nothing at all.
            if not hand.is_in_doubt and not await self._reads_tasks():
                raise
            hand.settled("there", has_landed=True)
        except BuildActive:
            return self._busy(hand, link, work)
        if link.bond.thread_ts is None:
            return done(None, (work.asker, answers.deleted(link)))
        step = await self._give_back(link, work)
        gone = Vanished(by=work.asker.person)
        step.append(tell(link.id), Job(id=f"deleted:{hand.job.id}", work=Happened(event=gone)))
        return done(step, *_told_elsewhere(work, link, answers.deleted(link)))

    async def _reads_tasks(self) -> bool:
        return (await self._doors.coder.me()).is_owner

    async def _detach(self, hand: Hand, link: Link, work: Act) -> Ending:
        step = await self._give_back(link, work)
        if not link.closed:
            say(link.id, f"{DETACHED}{hand.job.id}", answers.detached(link), step)
        self._doors.writes.ends(step, link.bond, "detached")
        return done(draw(link.id, step), *_told_elsewhere(work, link, answers.detached(link)))

    async def _give_back(self, link: Link, work: Act) -> Step:
        """Take what waits out of the list, and give the texts back to the thread."""
        waiting = await self._waiting(link)
        step = self._doors.writes.drop_held(Step(), link.id)
        for job, _ in waiting:
            step.drop(steer(link.id), job.id)
        replies = [reply for _, reply in waiting]
        return await give_back(self._texts, link, work.asker.at, replies, step)

    async def _mute(self, hand: Hand, link: Link, work: Act) -> Ending:
        is_muted = work.verb == "mute"
        step = Step()
        if is_muted:
            self._doors.writes.field(step, link.id, "muted", work.asker.person)
        else:
            self._doors.writes.no_field(step, link.id, "muted")
        del hand
        return done(draw(link.id, step), (work.asker, answers.muted(link, is_muted=is_muted)))

    async def _waiting(self, link: Link) -> list[tuple[Job, Reply]]:
        jobs = await self._doors.links.list_held(link.id) + await self._doors.links.list_waiting(link.id)
        return [(job, job.work) for job in jobs if isinstance(job.work, Reply)]

    async def _task(self, link: Link) -> Task:
        if link.bond.task_id is None:
            raise UserError(*refusals.no_task_yet(link))
        return await self._doors.coder.get_task(link.bond.task_id)

    async def _start_build(self, hand: Hand, task: Task, call: Callable[[str], Awaitable[Build]]) -> Build:
        """Pause or resume; the note is the build that there was before."""
        note = str(task.workspace_build_number)
        return await hand.attempt(note, self._doors.coder.timeouts.change, lambda: call(task.id))

    def _busy(self, hand: Hand, link: Link, work: Act) -> Ending:
        """A start or stop is under way: wait for it, and say so once."""
        if work.waits >= BUILD_WAITS:
            raise UserError(*refusals.build_never_ends(link))
        told = ((work.asker, answers.waiting_for_build(link, work.verb)),) if not work.waits else ()
        return later(BUILD_WAIT_SECONDS, hand.job.knowing(waits=work.waits + 1), None, *told)


def _told_elsewhere(work: Act, link: Link, words: Message) -> tuple[Private, ...]:
    """An answer for whoever does not see the thread, where the same is said."""
    return () if work.asker.channel == link.bond.channel else ((work.asker, words),)
