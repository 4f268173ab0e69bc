"""Lua calls: one script each, with the operations of `steps` at its disposal.

Every script takes *now* as an argument that production leaves empty (then Redis's TIME counts) and tests
move. A call is made once: whether it may be repeated is its caller's knowledge.
"""

from collections.abc import Awaitable
from typing import Protocol, cast

from redis.asyncio import Redis
from redis.exceptions import NoScriptError, RedisError

from taskwire.store.connection import Connections
from taskwire.store.keys import Keys
from taskwire.store.steps import LUA

# For the replicas to say that they have it; less than a claim's try.
KEEP_MS = 500

Answered = str | int | list["Answered"] | None


class NotKept(RedisError):
    """It was carried out, but too few replicas have said that they have it: a failover may lose it."""


class Clock(Protocol):
    """What time the store should believe it is."""

    def stamp(self) -> str:
        """Milliseconds since 1970, or nothing for Redis's own TIME."""


class ServersClock:
    """Redis's own TIME: the one clock that all replicas share."""

    def stamp(self) -> str:
        """Leave the time to the server."""
        return ""


class Script:
    """One Lua call on one workspace's keys."""

    def __init__(self, redis: Redis, keys: Keys, clock: Clock, body: str) -> None:
        self._redis = redis
        self._keys = keys
        self._clock = clock
        self._body = LUA + body
        self._sha = ""

    async def __call__(self, *words: str | int) -> Answered:
        """Run it: ARGV[1] is the prefix of all keys, ARGV[2] the time, the words follow."""
        arguments = (self._keys.prefix, self._clock.stamp(), *words)
        if not self._sha:
            self._sha = await self._redis.script_load(self._body)
        try:
            return await self._run(*arguments)
        except NoScriptError:
            # The server was restarted or flushed; nothing of the script has run.
            self._sha = await self._redis.script_load(self._body)
            return await self._run(*arguments)

    async def _run(self, *arguments: str | int) -> Answered:
        # One key is named so that a cluster-minded proxy knows the slot; all others carry the same hash tag.
        answer = self._redis.evalsha(self._sha, 1, self._keys.named("ready"), *map(str, arguments))
        return cast("Answered", await cast("Awaitable[object]", answer))


class Promise(Script):
    """A Lua call whose outcome somebody is going to rely on: `promises` are the answers that say so.

    It has succeeded only when as many replicas have it as the server needs for a write, since what a master
    alone knows is gone with it. Each of those answers comes with a write: WAIT waits for the last of them.
    """

    def __init__(
        self, connections: Connections, keys: Keys, clock: Clock, body: str, promises: frozenset[str]
    ) -> None:
        super().__init__(connections.commands, keys, clock, body)
        self._connections = connections
        self._promises = promises

    async def _run(self, *arguments: str | int) -> Answered:
        copies = self._connections.copies
        if not copies:
            return await super()._run(*arguments)
        async with self._redis.pipeline(transaction=False) as pipe:
            pipe.evalsha(self._sha, 1, self._keys.named("ready"), *map(str, arguments))
            pipe.execute_command("WAIT", copies, KEEP_MS)
            answer, kept = cast("list[Answered | Exception]", await pipe.execute(raise_on_error=False))
        if isinstance(answer, Exception):
            raise answer
        if answer in self._promises and not (isinstance(kept, int) and kept >= copies):
            raise NotKept(f"{kept} of {copies} replicas have it")
        return answer
