"""Input for the agent: what a person wrote, delivered in its turn and exactly once.

Coder's answer decides, not the state that was last seen: input is tried whenever the task is active, a
paused task is resumed first, and what comes too early waits. An answer that was lost is read back from the
agent's log; what stays undecidable is asked of a person, and everything behind it waits for their word.
"""

from datetime import datetime, timedelta
from typing import Literal

from pydantic import BaseModel

from taskwire.bridge.doors import Doors
from taskwire.bridge.hand import Ending, Hand, done, in_doubt, later
from taskwire.bridge.input_text import InputText
from taskwire.bridge.people import People
from taskwire.bridge.posting import landed_seconds
from taskwire.bridge.saying import receipt, say, took_input
from taskwire.coder.errors import (
    AlreadyRunning,
    AppUnreachable,
    BuildActive,
    MustBeActive,
    NoLogs,
    NoTasks,
    NotFound,
    NotReady,
    RejectedByApp,
    TaskPaused,
    TokenRefused,
)
from taskwire.coder.models import Logs, Task
from taskwire.model.changes import Acted
from taskwire.model.errors import OutsideError, Refused, TryLater, Unknown, UserError
from taskwire.model.ids import from_ms, microseconds, moment_of
from taskwire.model.jobs import Asker, Happened, Job, Reply, TidyInput, in_turn, steer, tell, tidy
from taskwire.model.links import Link
from taskwire.model.messages import Message
from taskwire.model.phases import Phase
from taskwire.slack.errors import NoRoom
from taskwire.store.steps import Step
from taskwire.telemetry import logger
from taskwire.words import inputs

# "Not stable", "pending", "initializing": tried again after 2, 4, 8 … 30 s.
FIRST_WAIT_SECONDS = 2.0
LONGEST_WAIT_SECONDS = 30.0
# After its first byte, so long at most until an input is typed: Coder dials the agent for up to 30 s.
WRITE_SECONDS = 10.0
LANDING_SECONDS = 35.0
LOOK_SECONDS = 5.0
# Found in the thread after the bot was away: older than this, a person is asked before it is sent.
STALE = timedelta(hours=1)
# A question that nobody answers ends with the reply not delivered.
ASKED_SECONDS = 7 * 24 * 3600.0

# A reply for which the agent is not ready in a day is given back; what concerns a person is told once a day.
DAY_MS = 24 * 3_600_000

_log = logger("taskwire.send")


class SendNote(BaseModel):
    """What reading an attempt back needs: where the agent's log ended before it."""

    what: Literal["resume", "send"]
    build: int
    last_id: int = -1
    text: str = ""
    reported_at: datetime | None = None
    # When the attempt began, by Redis's clock, in milliseconds.
    begun_ms: int = 0


class Sender:
    """Carries out the jobs that bring input to the agent."""

    def __init__(self, doors: Doors, people: People, texts: InputText) -> None:
        self._doors = doors
        self._people = people
        self._texts = texts

    async def reply(self, hand: Hand) -> Ending:
        """Deliver a reply, or say what it waits for."""
        work = hand.work(Reply)
        link = await self._doors.links.find(hand.link_id)
        if link is None:
            return done()
        if link.ended is not None:
            return await self._ended(link, work)
        if hand.is_in_doubt:
            return await self._read_back(hand, link, work)
        if work.asked:
            return await self._still_asked(hand, link, work)
        try:
            return await self._towards_the_agent(hand, link, work)
        except (TryLater, Unknown) as error:
            if isinstance(error, NoRoom) or hand.keeps_attempt:
                raise
            return _unanswered(hand, error)

    async def _towards_the_agent(self, hand: Hand, link: Link, work: Reply) -> Ending:
        refusal = await self._refusal(link, work)
        if refusal is not None:
            return await self._not_theirs(link, work, refusal)
        if not work.is_admitted:
            admitted = hand.job.knowing(is_admitted=True)
            return done(Step().append(steer(link.id), admitted, score=in_turn(work.ts)))
        held = await self._kept_back(hand, link, work)
        return held or await self._with_text(hand, link, work)

    async def _ended(self, link: Link, work: Reply) -> Ending:
        """Say once a day that nobody gets what is written here; the mark says it of each reply."""
        step = receipt(link.id, work.ts, "failed")
        if await self._doors.memory.find("told-ended", link.id) is None:
            self._doors.memory.keeping(step, "1", "told-ended", link.id, ttl_ms=DAY_MS)
            say(link.id, f"ended:{work.ts}", inputs.link_ended(link), step)
        return done(step)

    async def _refusal(self, link: Link, work: Reply) -> Message | None:
        """Why this person's replies are no input, if they are none."""
        try:
            if await self._people.may_steer(work.person, link):
                return None
        except UserError as error:
            return inputs.reply_refused(error)
        return inputs.reply_not_theirs(link)

    async def _not_theirs(self, link: Link, work: Reply, refusal: Message) -> Ending:
        """Told once, privately; the reply stays what it is, a message to other people."""
        step = receipt(link.id, work.ts, "none")
        if not await self._doors.memory.is_first("told-not-theirs", link.id, work.person, ttl_ms=30 * DAY_MS):
            return done(step)
        asker = Asker(
            person=work.person, channel=link.bond.channel, at=work.ts, thread_ts=link.bond.thread_ts
        )
        return done(step, (asker, refusal))

    async def _kept_back(self, hand: Hand, link: Link, work: Reply) -> Ending | None:
        """Let a pause hold what was written before it, and end with what is written after it."""
        hold = link.hold
        if hold is not None and microseconds(work.ts) <= microseconds(hold.at) and not work.is_confirmed:
            step = receipt(link.id, work.ts, "waiting")
            return later(0, None, self._doors.writes.set_aside(step, link.id, in_turn(work.ts)))
        if hold is not None:
            return later(0, None, self._doors.writes.unhold(Step(), link.id))
        is_stale = from_ms(hand.now_ms) - moment_of(work.ts) > STALE
        if work.was_away and is_stale and not work.is_confirmed and not link.bond.has_other_clock:
            question = inputs.still_send(link, hand.job.id, await self._texts.words(work))
            return self._asked(hand, link, work, "stale", question)
        return None

    async def _with_text(self, hand: Hand, link: Link, work: Reply) -> Ending:
        given = await self._texts.of(work)
        if given.refused and given.text and not work.is_without_files:
            words = await self._texts.words(work)
            question = inputs.refused_files(link, hand.job.id, given.refused, words)
            return self._asked(hand, link, work, "files", question)
        if not given.text:
            return self._failed(hand, link, work, inputs.nothing_to_send(given.refused), is_over=True)
        return await self._deliver(hand, link, work, given.text)

    async def _deliver(self, hand: Hand, link: Link, work: Reply, text: str) -> Ending:
        assert link.bond.task_id is not None  # noqa: S101 - a link's first jobs bind it before any reply
        try:
            task = await self._doors.coder.get_task(link.bond.task_id)
        except NotFound:
            # Whether it is gone is for the sweep to say; until then the reply waits.
            return await self._wait(hand, link, work)
        if task.status_word == "paused":
            return await self._resume(hand, link, work, task)
        if task.status_word != "active":
            return await self._wait(hand, link, work, is_broken=task.status_word == "error")
        try:
            logs = await self._doors.coder.get_logs(task.id)
            if hand.turn.is_suspect and (sent := await self._sent_before(hand, link, work, logs, text)):
                return sent
            note = _note(hand, task, logs, text)
            unclear = await self._attempt(hand, link, work, task, note)
        except (NotReady, AppUnreachable, BuildActive, TaskPaused, MustBeActive, NoLogs):
            return await self._wait(hand, link, work)
        except (TokenRefused, NoTasks):
            # The account's trouble, not this reply's: it waits.
            raise
        except Refused as refused:
            words = await self._texts.words(work)
            message = inputs.not_delivered(link, hand.job.id, str(refused), words)
            return self._failed(hand, link, work, message)
        return unclear or await self._delivered(link, work, note.reported_at)

    async def _attempt(
        self, hand: Hand, link: Link, work: Reply, task: Task, note: SendNote
    ) -> Ending | None:
        """Send it once; an ending, or Unknown, if nobody can tell yet whether the agent has it."""
        try:
            await hand.attempt(
                note.model_dump_json(),
                self._write_seconds,
                lambda: self._doors.coder.send(task.id, note.text),
                self._tidy_step(link, work, note),
                is_kept_up=True,
            )
        except Unknown as error:
            if await self._glimpse(task.id, note):
                hand.settled(has_landed=True)
            elif isinstance(error, RejectedByApp):
                return in_doubt(hand.job.knowing(was_rejected=True))
            else:
                raise
        return None

    @property
    def _write_seconds(self) -> float:
        return min(WRITE_SECONDS, self._doors.coder.timeouts.send)

    def _lands_ms(self, note: SendNote) -> int:
        """When an attempt can no longer reach the agent; one of an older version was waited for already."""
        landing = min(LANDING_SECONDS, self._doors.coder.timeouts.send)
        return note.begun_ms + int((self._write_seconds + landing) * 1000) if note.begun_ms else 0

    async def _sent_before(self, hand: Hand, link: Link, work: Reply, logs: Logs, text: str) -> Ending | None:
        """What is known of an input that the agent may have had before Redis went back in time."""
        written = moment_of(work.ts)
        same = [e for e in logs.logs if e.is_input and e.content.strip() == text and e.time > written]
        if not same or work.is_confirmed:
            return None
        if len(same) == 1:
            return await self._delivered(link, work, None)
        words = await self._texts.words(work)
        return self._asked(hand, link, work, "in_doubt", inputs.input_in_doubt(link, hand.job.id, words))

    async def _resume(self, hand: Hand, link: Link, work: Reply, task: Task) -> Ending:
        note = SendNote(what="resume", build=task.workspace_build_number)
        try:
            build = await hand.attempt(
                note.model_dump_json(),
                self._doors.coder.timeouts.change,
                lambda: self._doors.coder.resume(task.id),
            )
        except (BuildActive, AlreadyRunning):
            return await self._wait(hand, link, work)
        return self._resumed(hand, link, work, build.build_number)

    def _resumed(self, hand: Hand, link: Link, work: Reply, build: int) -> Ending:
        acted = Acted(verb="resume", by=work.person, build=build)
        step = self._waiting_receipt(link, work)
        step.append(tell(link.id), Job(id=f"resume:{hand.job.id}:{build}", work=Happened(event=acted)))
        return later(FIRST_WAIT_SECONDS, hand.job.knowing(waits=work.waits + 1), step)

    async def _wait(self, hand: Hand, link: Link, work: Reply, *, is_broken: bool = False) -> Ending:
        """The agent is not ready: later, with the hourglass; a broken workspace needs a person first."""
        if is_broken and link.story.phase is Phase.BROKEN:
            message = inputs.broken_first(link, hand.job.id, await self._texts.words(work))
            return self._failed(hand, link, work, message)
        if hand.now_ms - hand.turn.since_ms > DAY_MS:
            message = inputs.waited_too_long(link, hand.job.id, await self._texts.words(work))
            return self._failed(hand, link, work, message)
        seconds = min(FIRST_WAIT_SECONDS * 2.0**work.waits, LONGEST_WAIT_SECONDS)
        waited = hand.job.knowing(waits=min(work.waits + 1, 8))
        return later(seconds, waited, self._waiting_receipt(link, work))

    async def _read_back(self, hand: Hand, link: Link, work: Reply) -> Ending:
        """Find out what became of an attempt whose answer was lost, sooner or later."""
        note = SendNote.model_validate_json(hand.note)
        assert link.bond.task_id is not None  # noqa: S101 - there was an attempt, so there is a task
        task = await self._doors.coder.get_task(link.bond.task_id)
        if note.what == "resume":
            hand.settled()
            is_done = task.workspace_build_number > note.build and task.status_word != "paused"
            return self._resumed(hand, link, work, task.workspace_build_number) if is_done else later(0)
        found, words = await self._find_input(task, note), await self._texts.words(work)
        lands_ms = self._lands_ms(note)
        if found != "there" and hand.now_ms < lands_ms:
            # It may still be on its way: a look now can only find.
            return Ending("unknown", delay_seconds=min(LOOK_SECONDS, (lands_ms - hand.now_ms) / 1000))
        # Nothing is asked of anybody from here on: what went wrong now would let the reply be sent again.
        hand.settled(has_landed=found == "there")
        _log.info("read input back", job=hand.job.id, found=found)
        if found == "there":
            return await self._delivered(link, work, note.reported_at)
        if found == "not there" and not work.was_rejected and not work.was_repeated:
            return later(0, hand.job.knowing(was_repeated=True))
        return self._asked(hand, link, work, "in_doubt", inputs.input_in_doubt(link, hand.job.id, words))

    async def _glimpse(self, task_id: str, note: SendNote) -> bool:
        """Whether the input can be seen already; not seeing it means nothing yet."""
        try:
            return await self._find_input(await self._doors.coder.get_task(task_id), note) == "there"
        except OutsideError:
            return False

    async def _find_input(self, task: Task, note: SendNote) -> Literal["there", "not there", "unclear"]:
        if task.status_word != "active" or task.workspace_build_number != note.build:
            return "unclear"
        logs = await self._doors.coder.get_logs(task.id)
        if logs.snapshot:
            return "unclear"
        newer = [entry for entry in logs.logs if entry.is_input and entry.id > note.last_id]
        same = [entry for entry in newer if entry.content.strip() == note.text]
        # An agent that has begun anew counts from 0 again.
        is_restarted = (logs.logs[-1].id if logs.logs else -1) < note.last_id
        if len(same) == 1:
            return "there"
        return "not there" if not same and not is_restarted else "unclear"

    async def _delivered(self, link: Link, work: Reply, reported_at: datetime | None) -> Ending:
        step = took_input(self._doors.writes, link, work.ts, reported_at)
        last = link.last_input_ts
        if last is not None and microseconds(work.ts) < microseconds(last):
            words = await self._texts.words(work)
            say(link.id, f"late:{work.ts}", inputs.delivered_late(words), step)
        return done(step)

    def _failed(
        self, hand: Hand, link: Link, work: Reply, message: Message, *, is_over: bool = False
    ) -> Ending:
        """Not delivered: the reason goes into the thread, and the reply is kept for another try."""
        step = receipt(link.id, work.ts, "failed")
        if not is_over:
            self._doors.writes.keep_reply(step, link.id, hand.job.id, _anew(work))
        return done(say(link.id, f"failed:{work.ts}:{hand.now_ms}", message, step))

    def _asked(
        self,
        hand: Hand,
        link: Link,
        work: Reply,
        what: Literal["files", "stale", "in_doubt"],
        question: Message,
    ) -> Ending:
        """Put a question with buttons; the reply, and what stands behind it, waits for the answer."""
        step = receipt(link.id, work.ts, "waiting")
        say(link.id, f"asked:{work.ts}:{hand.now_ms}", question, step)
        return later(ASKED_SECONDS, hand.job.knowing(asked=what), step)

    async def _still_asked(self, hand: Hand, link: Link, work: Reply) -> Ending:
        """Wait on where the list has moved; a question that nobody answers ends."""
        left = ASKED_SECONDS - (hand.now_ms - hand.turn.since_ms) / 1000
        if left > 0:
            return later(left)
        words = await self._texts.words(work)
        message = inputs.nobody_said(words, is_in_doubt=work.asked == "in_doubt")
        return self._failed(hand, link, work, message, is_over=True)

    def _waiting_receipt(self, link: Link, work: Reply) -> Step:
        return Step() if work.waits else receipt(link.id, work.ts, "waiting")

    def _tidy_step(self, link: Link, work: Reply, note: SendNote) -> Step:
        tidied = TidyInput(ts=work.ts, text=note.text, build=note.build, last_id=note.last_id)
        return Step().append(tidy(link.id), Job(id=f"tidy:input:{work.ts}", work=tidied))

    async def tidy(self, hand: Hand) -> Ending:
        """Say so if a stopped process delivered an input a second time: nobody can take it back."""
        work = hand.work(TidyInput)
        link = await self._doors.links.find(hand.link_id)
        if link is None or link.bond.task_id is None or link.ended is not None:
            return done()
        try:
            task = await self._doors.coder.get_task(link.bond.task_id)
            logs = await self._doors.coder.get_logs(link.bond.task_id)
        except (NotFound, NoLogs):
            return done()
        if logs.snapshot or task.workspace_build_number != work.build:
            # The ids of another start's log begin anew, so nothing can be told by them.
            return done()
        same = [e for e in logs.logs if e.is_input and e.id > work.last_id and e.content.strip() == work.text]
        if len(same) > 1:
            return done(say(link.id, f"twice:{work.ts}", inputs.delivered_twice(work.text)))
        if work.looks:
            return done()
        seconds = landed_seconds(self._doors, self._doors.coder.timeouts.send)
        return later(seconds, hand.job.knowing(looks=1))


def _note(hand: Hand, task: Task, logs: Logs, text: str) -> SendNote:
    last = logs.logs[-1] if logs.logs else None
    return SendNote(
        what="send",
        build=task.workspace_build_number,
        last_id=last.id if last else -1,
        text=text,
        reported_at=task.current_state.timestamp if task.current_state else None,
        begun_ms=hand.present_ms,
    )


def _unanswered(hand: Hand, error: OutsideError) -> Ending:
    """Nobody answers: try again soon and, for as long as it lasts, at least as often as a busy agent is."""
    job = hand.job
    _log.info("not yet", job=job.id, tries=job.tries, error=str(error))
    wait = min(FIRST_WAIT_SECONDS * 2.0 ** min(job.tries, 8), LONGEST_WAIT_SECONDS)
    wait = max(wait, error.after_seconds or 0.0)
    return Ending("later", delay_seconds=wait, job=job.failed_again(hand.now_ms), is_failure=True)


def _anew(reply: Reply) -> Reply:
    """A reply as it was before anything was tried or asked."""
    kept = {"was_away", "is_from_command", "is_admitted", "is_without_files"}
    words = {"person", "ts", "text", "blocks", "files"}
    return Reply(**{name: getattr(reply, name) for name in kept | words})
