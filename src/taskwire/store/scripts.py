"""Lua calls: one script each, with the operations of `steps` at its disposal.

Every script takes *now* as an argument that production leaves empty (then Redis's TIME counts) and tests
move. A call is made once: whether it may be repeated is its caller's knowledge.
"""

from collections.abc import Awaitable, Sequence
from typing import Protocol, cast

from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoScriptError, RedisError, ResponseError

from taskwire.store.connection import Connections
from taskwire.store.keys import Keys
from taskwire.store.lines import Away
from taskwire.store.steps import LUA

# For the replicas to say that they have it; less than a claim's try.
KEEP_MS = 500

Words = tuple[str | int, ...]
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
        answer = (await self.many([words]))[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def many(self, calls: Sequence[Words]) -> list[Answered | Exception]:
        """Run it for each of several callers, in one exchange; raises what broke the exchange for all."""
        if not self._sha:
            self._sha = await self._redis.script_load(self._body)
        answers = await self._run(calls)
        if any(isinstance(answer, NoScriptError) for answer in answers):
            # The server was restarted or flushed; nothing of the script has run.
            self._sha = await self._redis.script_load(self._body)
            answers = await self._run(calls)
        return answers

    async def _run(self, calls: Sequence[Words]) -> list[Answered | Exception]:
        if len(calls) > 1:
            return await self._run_in_one(calls)
        try:
            answer = self._redis.evalsha(self._sha, 1, *self._arguments(calls[0]))
            return [cast("Answered", await cast("Awaitable[object]", answer))]
        except ResponseError as error:
            return [error]

    async def _run_in_one(self, calls: Sequence[Words], *after: str | int) -> list[Answered | Exception]:
        async with self._redis.pipeline(transaction=False) as pipe:
            for words in calls:
                pipe.evalsha(self._sha, 1, *self._arguments(words))
            if after:
                pipe.execute_command(*after)
            try:
                return cast("list[Answered | Exception]", await pipe.execute(raise_on_error=False))
            except Away as error:
                if len(calls) == 1 and not str(error).startswith("UNBLOCKED"):
                    raise
                # What stood before the one that was refused has been carried out.
                raise RedisConnectionError(str(error)) from error

    def _arguments(self, words: Words) -> list[str]:
        # One key is named so that a cluster-minded proxy knows the slot; all others carry the same hash tag.
        named = [self._keys.named("ready"), self._keys.prefix, self._clock.stamp()]
        return [*named, *map(str, words)]


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

    async def _run(self, calls: Sequence[Words]) -> list[Answered | Exception]:
        copies = self._connections.copies
        if not copies:
            return await super()._run(calls)
        *answers, kept = await self._run_in_one(calls, "WAIT", copies, KEEP_MS)
        if isinstance(kept, int) and kept >= copies:
            return answers
        lost = NotKept(f"{kept} of {copies} replicas have it")
        return [lost if answer in self._promises else answer for answer in answers]
