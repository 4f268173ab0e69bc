"""When somebody last listened: a process that hears Slack and can write down what it hears says so, here.

A process that starts, or listens again, learns from it for how long nobody did, whether another process has
what was missed read already, and when Slack last came by HTTP. Ends at the times: what follows from a gap is
decided in `absences`.

What was heard of Slack: when something of each kind last came.

Slack tells no app whether it has its slash command and its event subscriptions; what has come shows it. Ends
at saying so: what a silence means `findings` knows.
"""

from collections.abc import Awaitable, Collection, Mapping
from datetime import datetime
from typing import Literal, cast

from taskwire.domain.ids import from_ms
from taskwire.queue.scripts import Answered, Clock, Script, load_script
from taskwire.redis.connection import Connections
from taskwire.redis.keys import Keys

# A gap that was noted so lately, and from as early a moment, is the same gap: nobody listens for less.
SAME_GAP_MS = 60_000
# A process that claims a gap and has not noted it by then may be dead.
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
        """Say that this process listens."""
        await self._beat()

    async def absence_ms(self) -> int | None:
        """For how long nobody has listened; None if nobody is known to have done so ever."""
        return _since(await self._look())

    async def reached(self) -> None:
        """Say that Slack has come by HTTP."""
        await self._reached()

    async def covered(self, absence_ms: int | None, silence_ms: int) -> None:
        """Say that what was missed in so long is being read: it is no silence of Slack's any more.

        So the next request does not have it read again. A silence that began `silence_ms` or more before the
        gap stays one, and nothing is noted where Slack has never come by HTTP. None is since ever.
        """
        await self._covered(-1 if absence_ms is None else absence_ms, silence_ms)

    async def silence_ms(self) -> int | None:
        """For how long Slack has not come by HTTP to any process; None if it never has."""
        return _since(await self._silence())

    async def ago_ms(self, moment_ms: int) -> int:
        """How long ago a moment was by Redis's clock."""
        now, _ = cast("list[str]", await self._look())
        return max(int(now) - moment_ms, 0)

    async def claim_gap(self, absence_ms: int | None) -> GapClaim:
        """Claim a gap, in which nobody has listened for so long, unless another process has noted it.

        "claimed": another is about to. It may die before it has, so ask again after a few seconds.
        """
        return cast("GapClaim", await self._gap(-1 if absence_ms is None else absence_ms, 0))

    async def gap_noted(self, absence_ms: int | None) -> None:
        """Say that all that a gap asks for is written down: who notices the same gap now writes nothing."""
        await self._gap(-1 if absence_ms is None else absence_ms, 1)


def _since(answer: Answered) -> int | None:
    now, at = cast("list[str]", answer)
    return max(int(now) - int(at), 0) if at else None


_NOTE = load_script("state/heard.note")


class Heard:
    """What has come to one workspace's Taskwire, whichever process took it."""

    def __init__(self, connections: Connections, keys: Keys, clock: Clock) -> None:
        self._redis = connections.commands
        self._key = keys.named("heard")
        self._note = Script(connections.commands, keys, clock, _NOTE)

    async def note(self, kinds: Collection[str]) -> None:
        """Note that something of each of these kinds has come just now."""
        if kinds:
            await self._note(*sorted(kinds))

    async def list_last(self) -> Mapping[str, datetime]:
        """When something of each kind last came."""
        found = await cast("Awaitable[dict[str, str]]", self._redis.hgetall(self._key))
        return {kind: from_ms(int(at)) for kind, at in found.items()}
