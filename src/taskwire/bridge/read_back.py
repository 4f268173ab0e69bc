"""What became of an input whose answer was lost: read in the agent's log, never guessed.

What a log says is decided in `model.doubt`. Until the input can no longer land a look can only find it; what
stays undecidable is asked of a person.
"""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, Field, TypeAdapter

from taskwire.bridge.backoff import wait_seconds
from taskwire.bridge.doors import Doors
from taskwire.bridge.fates import LONGEST_WAIT_SECONDS, Case, Fates
from taskwire.bridge.hand import LONGEST_WRITE_SECONDS, Ending, Hand, in_doubt, later
from taskwire.bridge.sightings import entries_of
from taskwire.coder.errors import AppUnreachable, NoTasks, NotReady, TokenRefused
from taskwire.coder.models import Logs, Task, TaskStatus
from taskwire.model import doubt
from taskwire.model.doubt import Finding, Mark
from taskwire.model.errors import OutsideError, Refused, TryLater, Unknown
from taskwire.slack.errors import NoRoom
from taskwire.telemetry import logger

# After its first byte, so long at most until an input is typed: Coder dials the agent for up to 30 s.
LANDING_SECONDS = 35.0
LOOK_SECONDS = 5.0

_log = logger("taskwire.read_back")


class ResumeNote(BaseModel):
    """What reading a resume back needs: the build before it."""

    what: Literal["resume"] = "resume"
    build: int


class SendNote(BaseModel):
    """What reading an input back needs: where the agent's log ended before it."""

    what: Literal["send"] = "send"
    marked: Mark
    reported_at: datetime | None = None
    # When the attempt began, by Redis's clock, in milliseconds.
    begun_ms: int

    @classmethod
    def before(cls, hand: Hand, task: Task, logs: Logs, text: str) -> "SendNote":
        """The note of an input that is about to be sent."""
        build = task.workspace_build_number
        return cls(
            marked=doubt.mark(text, task.initial_prompt, build, entries_of(logs)),
            reported_at=task.current_state.timestamp if task.current_state else None,
            begun_ms=hand.present_ms,
        )


_NOTES: TypeAdapter[ResumeNote | SendNote] = TypeAdapter(
    Annotated[ResumeNote | SendNote, Field(discriminator="what")]
)


class InputReader:
    """Reads back attempts to bring input to the agent."""

    def __init__(self, doors: Doors, fates: Fates) -> None:
        self._doors = doors
        self._fates = fates

    @property
    def write_seconds(self) -> float:
        """How long after it began an attempt may write its first byte."""
        return min(LONGEST_WRITE_SECONDS, self._doors.coder.timeouts.send)

    async def read_back(self, case: Case) -> Ending:
        """Find out what became of an attempt whose answer was lost, sooner or later."""
        hand = case.hand
        note = _NOTES.validate_json(hand.note)
        try:
            if isinstance(note, SendNote):
                return await self._sent(case, note)
            return await self._resumed(case, note)
        except (TryLater, Unknown) as error:
            # Nobody answers now; whoever does in the end knows.
            if isinstance(error, NoRoom) or not hand.is_in_doubt:
                raise
            seconds = wait_seconds(hand.job.tries + 1, LONGEST_WAIT_SECONDS, error.after_seconds)
            return in_doubt(hand.failed_again(), seconds, "failing")

    async def glimpse(self, task_id: str, note: SendNote) -> bool:
        """Whether the input can be seen already; not seeing it means nothing yet."""
        try:
            return await self._find(task_id, note) == "there"
        except OutsideError:
            return False

    async def _resumed(self, case: Case, note: ResumeNote) -> Ending:
        task = await self._doors.coder.get_task(_task_id(case))
        is_done = task.workspace_build_number > note.build and task.is_up
        case.hand.settled("there" if is_done else "not_there")
        return self._fates.resumed(case, task.workspace_build_number) if is_done else later(0)

    async def _sent(self, case: Case, note: SendNote) -> Ending:
        hand, reply = case.hand, case.reply
        found, asked = await self._find(_task_id(case), note), await self._fates.in_doubt(case)
        since_ms = hand.now_ms - self._lands_ms(note)
        decision = doubt.decide(
            found, since_ms, was_rejected=reply.was_rejected, was_repeated=reply.was_repeated
        )
        if decision == "look again":
            return in_doubt(seconds=min(LOOK_SECONDS, -since_ms / 1000) if since_ms < 0 else LOOK_SECONDS)
        # Nothing is asked of anybody from here on: what went wrong now would let the reply be sent again.
        hand.settled(found or "unclear", has_landed=decision == "delivered")
        _log.info("read input back", job=hand.job.id, found=found, decision=decision)
        match decision:
            case "delivered":
                return await self._fates.delivered(case, note.reported_at)
            case "send again":
                return later(0, hand.job.knowing(was_repeated=True))
            case "ask":
                return asked

    def _lands_ms(self, note: SendNote) -> int:
        """When an attempt can no longer reach the agent."""
        landing = min(LANDING_SECONDS, self._doors.coder.timeouts.send)
        return note.begun_ms + int((self.write_seconds + landing) * 1000)

    async def _find(self, task_id: str, note: SendNote) -> Finding | None:
        """What the agent's log says; None if it cannot be read now."""
        build = note.marked.build
        try:
            task = await self._doors.coder.get_task(task_id)
            if task.workspace_build_number != build:
                return "unclear"
            if task.status is not TaskStatus.ACTIVE:
                return None
            logs = await self._doors.coder.get_logs(task.id)
        except (TokenRefused, NoTasks):
            raise
        except (Refused, NotReady, AppUnreachable):
            return None
        return None if logs.snapshot else doubt.find(note.marked, build, entries_of(logs))


def _task_id(case: Case) -> str:
    assert case.link.bond.task_id is not None  # noqa: S101 - there was an attempt, so there is a task
    return case.link.bond.task_id
