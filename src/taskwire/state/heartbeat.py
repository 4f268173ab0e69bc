"""Heartbeat: when a process last listened to Slack, and when something of each kind last came from Slack.

A process that hears Slack and can write to Redis notes so here. From that, a process that starts or
listens again learns three things: for how long no process listened, whether another process has already
noted what was missed, and when Slack last sent an HTTP request. This module keeps the times only;
`recovery/downtime` decides what follows from a gap.

Slack tells no app whether its slash command and its event subscriptions are set up; only what has come
shows it. `Heard` keeps those times; `doctor/findings` decides what a silence means.
"""

from collections.abc import Awaitable, Collection, Mapping
from datetime import datetime
from typing import Literal, cast

from taskwire.domain.ids import from_ms
from taskwire.queue.scripts import Clock, Script, ScriptAnswer, load_script
from taskwire.redis.connection import Connections
from taskwire.redis.keys import Keys

# If a gap was noted within this time, and reaches back as far, it is the same gap. Shorter gaps are not
# read.
SAME_GAP_MS = 60_000
# A process that claims a gap and has not noted it after this time may be dead.
CLAIM_MS = 10_000

_BEAT = load_script("state/heartbeat.beat")
_REACHED = load_script("state/heartbeat.reached")
_COVERED = load_script("state/heartbeat.covered")
_SILENCE = load_script("state/heartbeat.silence")
_LOOK = load_script("state/heartbeat.look")
_GAP = load_script("state/heartbeat.gap", SAME_GAP_MS=SAME_GAP_MS, CLAIM_MS=CLAIM_MS)

GapClaim = Literal["free", "claimed", "noted"]


class Heartbeat:
    """The heartbeat that all processes of one workspace share."""

    def __init__(self, connections: Connections, keys: Keys, clock: Clock) -> None:
        self._beat = Script(connections.commands, keys, clock, _BEAT)
        self._look = Script(connections.commands, keys, clock, _LOOK)
        self._gap = Script(connections.commands, keys, clock, _GAP)
        self._reached = Script(connections.commands, keys, clock, _REACHED)
        self._covered = Script(connections.commands, keys, clock, _COVERED)
        self._silence = Script(connections.commands, keys, clock, _SILENCE)

    async def beat(self) -> None:
        """Note that this process listens."""
        await self._beat()

    async def absence_ms(self) -> int | None:
        """Return for how long no process has listened; None if none ever has."""
        return _since(await self._look())

    async def reached(self) -> None:
        """Note that Slack has sent an HTTP request."""
        await self._reached()

    async def covered(self, absence_ms: int | None, silence_ms: int) -> None:
        """Note that what was missed in the last `absence_ms` is being read; None means ever since.

        The next HTTP request then does not have this time read again as a silence. A silence that began
        `silence_ms` or more before the gap stays a silence. Nothing is noted if Slack has never sent an
        HTTP request.
        """
        await self._covered(-1 if absence_ms is None else absence_ms, silence_ms)

    async def silence_ms(self) -> int | None:
        """Return for how long Slack has sent no HTTP request to any process; None if it never has."""
        return _since(await self._silence())

    async def ago_ms(self, moment_ms: int) -> int:
        """Return how long ago a moment was, by Redis's clock."""
        now, _ = cast("list[str]", await self._look())
        return max(int(now) - moment_ms, 0)

    async def claim_gap(self, absence_ms: int | None) -> GapClaim:
        """Claim a gap of this length, unless another process has claimed or noted it.

        "claimed" means that another process is about to note it. That process may die before, so ask
        again after a few seconds.
        """
        return cast("GapClaim", await self._gap(-1 if absence_ms is None else absence_ms, 0))

    async def gap_noted(self, absence_ms: int | None) -> None:
        """Note that all jobs for a gap are written.

        A process that notices the same gap then writes nothing.
        """
        await self._gap(-1 if absence_ms is None else absence_ms, 1)


def _since(answer: ScriptAnswer) -> int | None:
    now, at = cast("list[str]", answer)
    return max(int(now) - int(at), 0) if at else None


_NOTE = load_script("state/heard.note")


class Heard:
    """What has come from Slack to one workspace, whichever process took it."""

    def __init__(self, connections: Connections, keys: Keys, clock: Clock) -> None:
        self._redis = connections.commands
        self._key = keys.named("heard")
        self._note = Script(connections.commands, keys, clock, _NOTE)

    async def note(self, kinds: Collection[str]) -> None:
        """Note that something of each of these kinds has come just now."""
        if kinds:
            await self._note(*sorted(kinds))

    async def list_last(self) -> Mapping[str, datetime]:
        """Return when something of each kind last came."""
        found = await cast("Awaitable[dict[str, str]]", self._redis.hgetall(self._key))
        return {kind: from_ms(int(at)) for kind, at in found.items()}
