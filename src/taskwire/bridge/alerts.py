"""What administrators hear of without having asked: the account has a trouble, or its token ends soon.

Each trouble is told to each of them once a day at most, in their direct messages with the bot.
"""

import hashlib
from datetime import UTC, datetime

from taskwire.bridge.closing import post_direct
from taskwire.bridge.doors import Doors
from taskwire.bridge.hand import Ending, Hand
from taskwire.model.errors import OutsideError
from taskwire.model.ids import UserId
from taskwire.model.jobs import Alert, Job, intake
from taskwire.store.steps import Step
from taskwire.telemetry import logger
from taskwire.words import notices

DAY_MS = 24 * 3_600_000
# It takes no longer to learn who is to be told.
WARNING_MS = 60_000
_log = logger("taskwire.alerts")


class Alerts:
    """Tells the administrators."""

    def __init__(self, doors: Doors, admins: tuple[str, ...]) -> None:
        self._doors = doors
        self._admins = admins

    async def warn(self, name: str, sentence: str) -> None:
        """Tell of a trouble; `name` is what makes it the same one within a day."""
        name = hashlib.sha256(name.encode()).hexdigest()[:12]
        memory = self._doors.memory
        if await memory.find("warned", name) is not None:
            return
        if not await memory.is_first("warning", name, ttl_ms=WARNING_MS):
            # Another replica is at it; should it die, the next look tells.
            return
        day = f"{datetime.now(UTC):%Y-%m-%d}"
        step = Step()
        for person in await self._people():
            job = Job(id=f"alert:{name}:{day}", work=Alert(person=person, sentence=sentence))
            step.append(intake(person), job)
        await self._doors.queue.write(memory.keeping(step, "1", "warned", name, ttl_ms=DAY_MS))

    async def post(self, hand: Hand) -> Ending:
        """Write to one administrator."""
        work = hand.work(Alert)
        return await post_direct(self._doors, hand, work.person, notices.alert(work.sentence))

    async def _people(self) -> list[UserId]:
        found: dict[UserId, None] = {}
        for name in self._admins:
            if not name.startswith("S"):
                found[UserId(name)] = None
                continue
            try:
                found |= dict.fromkeys(sorted(await self._doors.slack.list_group(name)))
            except OutsideError as error:
                _log.warning("a user group cannot be read", group=name, error=str(error))
        return list(found)
