"""What became of an input whose answer was lost: read in the agent's log, never guessed.

Until it can no longer land a look can only find it. What stays undecidable is asked of a person.
"""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel

from taskwire.bridge.doors import Doors
from taskwire.bridge.fates import Case, Fates
from taskwire.bridge.hand import Ending, Hand, in_doubt, later
from taskwire.coder.models import Logs, Task, TaskStatus
from taskwire.model.errors import OutsideError
from taskwire.telemetry import logger

# After its first byte, so long at most until an input is typed: Coder dials the agent for up to 30 s.
WRITE_SECONDS = 10.0
LANDING_SECONDS = 35.0
LOOK_SECONDS = 5.0

_log = logger("taskwire.read_back")


class SendNote(BaseModel):
    """What reading an attempt back needs: where the agent's log ended before it."""

    what: Literal["resume", "send"]
    build: int
    last_id: int = -1
    text: str = ""
    reported_at: datetime | None = None
    # When the attempt began, by Redis's clock, in milliseconds.
    begun_ms: int = 0

    @classmethod
    def before(cls, hand: Hand, task: Task, logs: Logs, text: str) -> "SendNote":
        """The note of an input that is about to be sent."""
        return cls(
            what="send",
            build=task.workspace_build_number,
            last_id=logs.logs[-1].id if logs.logs else -1,
            text=text,
            reported_at=task.current_state.timestamp if task.current_state else None,
            begun_ms=hand.present_ms,
        )


class InputReader:
    """Reads back attempts to bring input to the agent."""

    def __init__(self, doors: Doors, fates: Fates) -> None:
        self._doors = doors
        self._fates = fates

    @property
    def write_seconds(self) -> float:
        """How long after it began an attempt may write its first byte."""
        return min(WRITE_SECONDS, self._doors.coder.timeouts.send)

    async def read_back(self, case: Case) -> Ending:
        """Find out what became of an attempt whose answer was lost, sooner or later."""
        hand, reply = case.hand, case.reply
        note = SendNote.model_validate_json(hand.note)
        task_id = case.link.bond.task_id
        assert task_id is not None  # noqa: S101 - there was an attempt, so there is a task
        task = await self._doors.coder.get_task(task_id)
        if note.what == "resume":
            hand.settled()
            is_done = task.workspace_build_number > note.build and task.status is not TaskStatus.PAUSED
            return self._fates.resumed(case, task.workspace_build_number) if is_done else later(0)
        found, asked = await self._find_input(task, note), await self._fates.in_doubt(case)
        lands_ms = self._lands_ms(note)
        if found != "there" and hand.now_ms < lands_ms:
            # It may still be on its way: a look now can only find.
            return in_doubt(seconds=min(LOOK_SECONDS, (lands_ms - hand.now_ms) / 1000))
        # Nothing is asked of anybody from here on: what went wrong now would let the reply be sent again.
        hand.settled(has_landed=found == "there")
        _log.info("read input back", job=hand.job.id, found=found)
        if found == "there":
            return await self._fates.delivered(case, note.reported_at)
        if found == "not there" and not reply.was_rejected and not reply.was_repeated:
            return later(0, hand.job.knowing(was_repeated=True))
        return asked

    async def glimpse(self, task_id: str, note: SendNote) -> bool:
        """Whether the input can be seen already; not seeing it means nothing yet."""
        try:
            return await self._find_input(await self._doors.coder.get_task(task_id), note) == "there"
        except OutsideError:
            return False

    def _lands_ms(self, note: SendNote) -> int:
        """When an attempt can no longer reach the agent; one of an older version was waited for already."""
        landing = min(LANDING_SECONDS, self._doors.coder.timeouts.send)
        return note.begun_ms + int((self.write_seconds + landing) * 1000) if note.begun_ms else 0

    async def _find_input(self, task: Task, note: SendNote) -> Literal["there", "not there", "unclear"]:
        if task.status is not TaskStatus.ACTIVE or task.workspace_build_number != note.build:
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
