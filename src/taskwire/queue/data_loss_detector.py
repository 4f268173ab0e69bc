"""Detects data loss in Redis: after a failover to a replica that lagged, a crash, or a restored copy.

After data loss, a job that was done may wait in its queue again. Redis stores the id of the server that was
used most recently, and the time of that use. If a script finds that its server has another id, the script
records a data loss: writes after the stored time may be missing. During the next hour, the first attempt of
each job checks whether its effect exists already. Jobs that were written before the loss make this check also
after that hour. This module only reports the loss; each handler knows where to check.

The record is removed if nothing is missing. A loss always removes the newest writes. So nothing is missing if
every process that wrote shortly before the loss finds its own newest writes (`redis/write_log.py`). If one of
these processes does not answer within ten seconds, that process may have died, and the record stays.
"""

from dataclasses import dataclass
from functools import partial
from typing import Self, cast

from taskwire.domain.durations import DAY_MS, HOUR_MS
from taskwire.queue.scripts import Clock, Script, load_script
from taskwire.redis.connection import Connections
from taskwire.redis.keys import Keys

# For this long after a data loss, each first attempt checks whether its effect exists. After this time, polls
# of Coder and backfill of Slack have replaced the lost data, even if Coder or Slack was away.
SUSPECT_MS = HOUR_MS
# How long a data loss is stored. No job waits longer than this.
LOSS_TTL_MS = 8 * DAY_MS
# The embedded Redis loses nothing in a restart. If it was stopped for longer than this, its directory may
# have been replaced by a copy.
OWN_SERVER_SILENCE_MS = 60_000
# The server's id and the time are stored at most this often.
SERVER_NOTE_INTERVAL_MS = 5_000

# Processes that wrote within RECENT_WRITER_MS before the loss are asked, and have WRITER_ANSWER_MS to answer.
RECENT_WRITER_MS, WRITER_ANSWER_MS = 60_000, 10_000
# How long Redis remembers which processes have written.
WRITERS_TTL_MS = DAY_MS

# The constants of `lua/data_loss.lua`.
CONSTANTS = {
    "SUSPECT_MS": SUSPECT_MS,
    "LOSS_TTL_MS": LOSS_TTL_MS,
    "OWN_SERVER_SILENCE_MS": OWN_SERVER_SILENCE_MS,
    "SERVER_NOTE_INTERVAL_MS": SERVER_NOTE_INTERVAL_MS,
    "RECENT_WRITER_MS": RECENT_WRITER_MS,
    "WRITERS_TTL_MS": WRITERS_TTL_MS,
}

_LOOK = load_script("queue/data_loss.look", **CONSTANTS, WRITER_ANSWER_MS=WRITER_ANSWER_MS)
_ANSWER = load_script("queue/data_loss.answer", **CONSTANTS)
_MARK = load_script("queue/data_loss.mark", **CONSTANTS)


@dataclass(frozen=True)
class DataLoss:
    """A data loss, noticed at `at_ms`. Writes after `since_ms` may be missing."""

    at_ms: int
    since_ms: int

    @classmethod
    def read(cls, text: str) -> Self | None:
        """Parse a data loss from a script's answer; None if the answer is empty."""
        at, _, since = text.partition(" ")
        return cls(int(at), int(since)) if since else None


class DataLossDetector:
    """Checks for this process whether Redis has lost writes."""

    def __init__(self, connections: Connections, keys: Keys, clock: Clock) -> None:
        self.is_embedded = int(connections.is_embedded)
        self._look = Script(connections.commands, keys, clock, _LOOK)
        self._mark = Script(connections.commands, keys, clock, _MARK)
        self._answer = Script(connections.commands, keys, clock, _ANSWER)
        self._write_log = connections.write_log
        self._forget = partial(connections.commands.zrem, keys.named("writers"), connections.write_log.id)
        self._poll_numbers: dict[str, int] = {}
        self._checked_ms = 0
        # The latest data loss, as long as Redis remembers it.
        self.last: DataLoss | None = None
        # How far Redis went back at the latest data loss, in milliseconds, as this process has measured it.
        self.missing_ms = 0

    async def find_new(self) -> DataLoss | None:
        """Return a data loss that was noticed since the last call; None if there is no such loss.

        The first call returns a data loss that was noticed within the last hour. The result is also None
        while other processes still have to answer whether Redis has their newest writes. If some writes are
        missing, a later call returns the loss.
        """
        now, told, state, *counted = cast("list[str]", await self._look(self.is_embedded, self._write_log.id))
        if state == "asked":
            lately = self._write_log.find_recent()
            answer = self._answer(self._write_log.id, int(lately is not None), *(lately or ()))
            told, state = cast("list[str]", await answer)
        numbers = {account: int(number) for account, number in zip(counted[::2], counted[1::2], strict=True)}
        # The number of the latest poll only grows. So a smaller number shows a data loss, even if the server
        # hides its id.
        if any(numbers.get(account, 0) < number for account, number in self._poll_numbers.items()):
            # If Redis has no numbers at all, everything is lost.
            told = cast("str", await self._mark(self._checked_ms, int(bool(numbers))))
        elif state == "confirmed":
            return None
        data_loss, last, looked_ms = DataLoss.read(told), self.last, self._checked_ms
        self._poll_numbers, self._checked_ms, self.last = numbers, int(now), data_loss
        if data_loss is None or data_loss == last:
            return None
        self.missing_ms = max(0, looked_ms - data_loss.since_ms) if looked_ms else 0
        return None if not looked_ms and int(now) - data_loss.at_ms > SUSPECT_MS else data_loss

    async def record_clean_stop(self) -> None:
        """Record that this process writes nothing more, because it is stopping.

        After a later data loss, the other processes do not wait for an answer of this process.
        """
        await self._forget()
