"""Pace: how fast each of Slack's methods may be called, shared by all replicas.

One GCRA per method (and channel) in Redis. A 429 moves it to its `Retry-After` for everybody.
Limits: https://docs.slack.dev/apis/web-api/rate-limits
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple, cast

from taskwire.store.connection import Connections
from taskwire.store.keys import Keys
from taskwire.store.scripts import Clock, Script

_WAIT = """
local key, interval, burst = prefix .. 'pace:' .. ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])
local due = math.max(tonumber(redis.call('GET', key) or '0'), now)
local early = due - interval * (burst - 1)
if early > now then return whole(early - now) end
redis.call('SET', key, whole(due + interval), 'PX', whole(due + interval - now + 1000))
return '0'
"""

_PAUSE = """
local key, ms = prefix .. 'pace:' .. ARGV[3], tonumber(ARGV[4])
local slack = tonumber(ARGV[5])
local due = now + ms + slack
if tonumber(redis.call('GET', key) or '0') < due then
  redis.call('SET', key, whole(due), 'PX', whole(ms + slack + 1000))
end
return '0'
"""


class Limit(NamedTuple):
    """One call each `interval_ms`, of which `burst` may come at once."""

    interval_ms: int
    burst: int
    is_per_channel: bool = False


# Tiers are calls a minute and workspace; a burst leaves the minute's sum below the tier.
LIMITS = {
    "chat.postMessage": Limit(1_000, 3, is_per_channel=True),
    "chat.update": Limit(1_334, 3),
    "reactions.add": Limit(1_250, 8),
    "reactions.remove": Limit(1_250, 8),
    "conversations.replies": Limit(1_250, 8),
    "conversations.history": Limit(1_250, 8),
}
DEFAULT = Limit(600, 20)


class Pace:
    """Says how long to wait before a method may be called."""

    def __init__(
        self,
        connections: Connections,
        keys: Keys,
        clock: Clock,
        *,
        limits: Mapping[str, Limit] = MappingProxyType(LIMITS),
        otherwise: Limit = DEFAULT,
    ) -> None:
        self._limits = limits
        self._otherwise = otherwise
        self._wait = Script(connections.commands, keys, clock, _WAIT)
        self._pause = Script(connections.commands, keys, clock, _PAUSE)

    async def wait(self, method: str, channel: str = "") -> float:
        """Take a place; 0 if the call may be made now, else the seconds until it may (no place is taken)."""
        limit = self._limits.get(method, self._otherwise)
        answer = await self._wait(_name(method, channel, limit), limit.interval_ms, limit.burst)
        return int(cast("str", answer)) / 1000

    async def pause(self, method: str, channel: str, seconds: float) -> None:
        """Nobody calls this method before `seconds` have passed: Slack said so."""
        limit = self._limits.get(method, self._otherwise)
        slack = limit.interval_ms * (limit.burst - 1)
        await self._pause(_name(method, channel, limit), int(seconds * 1000), slack)


def _name(method: str, channel: str, limit: Limit) -> str:
    return f"{method}:{channel}" if limit.is_per_channel else method
