"""Data loss in Redis: a failover to a replica that lagged, a lost second, a restored copy.

Something that was done may then look as if it was not. Redis itself remembers on which server it was last
used, and when. A script that finds itself on another server notes that writes after that moment may be
missing. For an hour (longer for jobs written before the loss) every first attempt then looks whether the
effect is already there. This module only says so; each handler knows where to look.

The note is removed if nothing is missing. What is lost is always what was written last, so a server has lost
nothing if every process of that time finds its own last writes there (`redis/write_log.py`). A process that
was alive within the last minute and does not answer within ten seconds may have died with its writes: then
the note stays.
"""

from dataclasses import dataclass
from functools import partial
from typing import Self, cast

from taskwire.queue.scripts import Clock, Script, load_script
from taskwire.redis.connection import Connections
from taskwire.redis.keys import Keys

# What follows anew from what Coder and Slack show has come by then, also where they were away.
DOUBTED_MS = 3_600_000
# Longer than any job waits.
REMEMBERED_MS = 8 * 24 * 3_600_000
# A store of our own loses nothing when it is started anew; after a longer silence it may be another copy.
SILENCE_MS = 60_000
NOTED_EACH_MS = 5_000

# Who was there so long before is asked, and has so long to answer.
LIVED_MS, ANSWERS_MS = 60_000, 10_000
DAY_MS = 24 * 3_600_000

# What `lua/data_loss.lua` takes from here.
CONSTANTS = {
    "DOUBTED_MS": DOUBTED_MS,
    "REMEMBERED_MS": REMEMBERED_MS,
    "SILENCE_MS": SILENCE_MS,
    "NOTED_EACH_MS": NOTED_EACH_MS,
    "LIVED_MS": LIVED_MS,
    "DAY_MS": DAY_MS,
}

_LOOK = load_script("queue/data_loss.look", **CONSTANTS, ANSWERS_MS=ANSWERS_MS)
_ANSWER = load_script("queue/data_loss.answer", **CONSTANTS)
_MARK = load_script("queue/data_loss.mark", **CONSTANTS)


@dataclass(frozen=True)
class DataLoss:
    """Redis went back: noticed at `at_ms`; what was written after `since_ms` may be missing."""

    at_ms: int
    since_ms: int

    @classmethod
    def read(cls, text: str) -> Self | None:
        """Take it from the script's words; nothing if there are none."""
        at, _, since = text.partition(" ")
        return cls(int(at), int(since)) if since else None


class DataLossDetector:
    """What this process has heard of Redis's going back, and what it remembers itself."""

    def __init__(self, connections: Connections, keys: Keys, clock: Clock) -> None:
        self.is_own = int(connections.is_own)
        self._look = Script(connections.commands, keys, clock, _LOOK)
        self._mark = Script(connections.commands, keys, clock, _MARK)
        self._answer = Script(connections.commands, keys, clock, _ANSWER)
        self._written = connections.written
        self._forget = partial(connections.commands.zrem, keys.named("writers"), connections.written.id)
        self._numbers: dict[str, int] = {}
        self._looked_ms = 0
        # The last time that is known, for as long as Redis remembers it.
        self.last: DataLoss | None = None
        # How much of what this process itself has seen is missing since Redis last went back.
        self.missing_ms = 0

    async def look(self) -> DataLoss | None:
        """What has happened since the last look; at the first one, what was noticed within the hour.

        While others have still to say whether they find what they wrote, nothing has happened.
        """
        now, told, state, *counted = cast("list[str]", await self._look(self.is_own, self._written.id))
        if state == "asked":
            lately = self._written.lately()
            answer = self._answer(self._written.id, int(lately is not None), *(lately or ()))
            told, state = cast("list[str]", await answer)
        numbers = {account: int(number) for account, number in zip(counted[::2], counted[1::2], strict=True)}
        # Polls only raise their numbers: a server that does not tell who it is shows itself by that.
        if any(numbers.get(account, 0) < number for account, number in self._numbers.items()):
            # Where there is none at all, nothing is left of anything.
            told = cast("str", await self._mark(self._looked_ms, int(bool(numbers))))
        elif state == "sure":
            return None
        data_loss, last, looked_ms = DataLoss.read(told), self.last, self._looked_ms
        self._numbers, self._looked_ms, self.last = numbers, int(now), data_loss
        if data_loss is None or data_loss == last:
            return None
        self.missing_ms = max(0, looked_ms - data_loss.since_ms) if looked_ms else 0
        return None if not looked_ms and int(now) - data_loss.at_ms > DOUBTED_MS else data_loss

    async def note_clean_stop(self) -> None:
        """Say that this process writes nothing more: nobody has to wait for what it would find."""
        await self._forget()
