"""Heartbeat: when a process last listened to Slack, and when a payload of each kind last came from Slack.

Each process that listens to Slack writes the time to Redis. A process that starts reads this time, and so
knows for how long no process has listened. Redis also stores whether another process already recorded the
gap, and when Slack last sent an HTTP request. `recovery/downtime` decides what to do about a gap.

Slack does not tell an app whether its slash command and its event subscriptions are set up. Only payloads
that arrive show this. `ReceivedKinds` stores when they arrived; `doctor/findings` judges these times.
"""

from collections.abc import Awaitable, Collection, Mapping
from datetime import datetime
from typing import Literal, cast

from taskwire.domain.ids import from_ms
from taskwire.queue.scripts import Clock, Script, ScriptAnswer, load_script
from taskwire.redis.connection import Connections
from taskwire.redis.keys import Keys

# A gap counts as recorded if a process has recorded, within this time, a gap that began at most this much
# later. Backfill does not read a gap that is shorter than this.
SAME_GAP_MS = 60_000
# If a process has claimed a gap and has not recorded it after this time, the process may be dead.
GAP_CLAIM_MS = 10_000

_BEAT = load_script("state/heartbeat.beat")
_RECORD_REQUEST = load_script("state/heartbeat.record_request")
_RECORD_BACKFILL = load_script("state/heartbeat.record_backfill")
_READ_REQUEST = load_script("state/heartbeat.read_request")
_READ = load_script("state/heartbeat.read")
_GAP = load_script("state/heartbeat.gap", SAME_GAP_MS=SAME_GAP_MS, GAP_CLAIM_MS=GAP_CLAIM_MS)

GapClaim = Literal["free", "claimed", "noted"]


class Heartbeat:
    """The heartbeat of one workspace. All processes of the workspace share it."""

    def __init__(self, connections: Connections, keys: Keys, clock: Clock) -> None:
        self._beat = Script(connections.commands, keys, clock, _BEAT)
        self._read = Script(connections.commands, keys, clock, _READ)
        self._gap = Script(connections.commands, keys, clock, _GAP)
        self._record_request = Script(connections.commands, keys, clock, _RECORD_REQUEST)
        self._record_backfill = Script(connections.commands, keys, clock, _RECORD_BACKFILL)
        self._read_request = Script(connections.commands, keys, clock, _READ_REQUEST)

    async def beat(self) -> None:
        """Record that this process is listening now."""
        await self._beat()

    async def find_absence_ms(self) -> int | None:
        """Return for how many ms no process has listened; None if no process ever has."""
        return _since(await self._read())

    async def record_request(self) -> None:
        """Record that Slack has sent an HTTP request now."""
        await self._record_request()

    async def record_backfill(self, absence_ms: int | None, silence_ms: int) -> None:
        """Record that backfill reads what was written in the last `absence_ms`; None means everything.

        After that, this time no longer counts as a silence of Slack. So the next HTTP request does not start
        another backfill of the same time. Record nothing if Slack was already silent for `silence_ms` or more
        before this time: then the next request must start a backfill. Also record nothing if Slack has never
        sent an HTTP request.
        """
        await self._record_backfill(-1 if absence_ms is None else absence_ms, silence_ms)

    async def find_silence_ms(self) -> int | None:
        """Return how many ms ago Slack last sent an HTTP request to any process; None if Slack never has."""
        return _since(await self._read_request())

    async def get_age_ms(self, moment_ms: int) -> int:
        """Return how many milliseconds have passed since a moment, by Redis's clock."""
        now, _ = cast("list[str]", await self._read())
        return max(int(now) - moment_ms, 0)

    async def claim_gap(self, absence_ms: int | None) -> GapClaim:
        """Claim a gap that is `absence_ms` long and ends now.

        If `absence_ms` is None, no process ever listened.

        The result "free" means that this process has claimed the gap. "noted" means that all jobs for the gap
        are written. "claimed" means that another process is writing these jobs. That process may die, so ask
        again after a few seconds.
        """
        return cast("GapClaim", await self._gap(-1 if absence_ms is None else absence_ms, 0))

    async def record_gap(self, absence_ms: int | None) -> None:
        """Record that all jobs for a gap are written, so that other processes write no jobs for it."""
        await self._gap(-1 if absence_ms is None else absence_ms, 1)


def _since(answer: ScriptAnswer) -> int | None:
    now, at = cast("list[str]", answer)
    return max(int(now) - int(at), 0) if at else None


_RECORD = load_script("state/received.record")


class ReceivedKinds:
    """When payloads of each kind last came from Slack to any process of a workspace."""

    def __init__(self, connections: Connections, keys: Keys, clock: Clock) -> None:
        self._redis = connections.commands
        self._key = keys.named("received")
        self._record = Script(connections.commands, keys, clock, _RECORD)

    async def record(self, kinds: Collection[str]) -> None:
        """Record that payloads of these kinds have arrived now."""
        if kinds:
            await self._record(*sorted(kinds))

    async def list_latest(self) -> Mapping[str, datetime]:
        """Map each kind of payload to the time at which a payload of this kind last arrived."""
        found = await cast("Awaitable[dict[str, str]]", self._redis.hgetall(self._key))
        return {kind: from_ms(int(at)) for kind, at in found.items()}
