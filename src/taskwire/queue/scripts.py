"""Lua calls, one script each. The scripts are files; `queue/lua_files.py` loads them.

Each script begins with its name, its role in the queue (in brackets) and its arguments, as Lua comments. The
crash-point proof knows it by these alone (`tests/faults/heads.py`).

Every script takes *now* as an argument. Production leaves it empty, and Redis's TIME counts; tests set it. A
call is made once: only its caller knows whether it may be repeated.
"""

from collections.abc import Awaitable, Sequence
from typing import Protocol, cast

from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoScriptError, RedisError, ResponseError

from taskwire.queue import batch, fence
from taskwire.queue.lua_files import load
from taskwire.redis.call_outcomes import RedisAway
from taskwire.redis.connection import Connections
from taskwire.redis.keys import Keys
from taskwire.redis.write_log import WriteLog

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


def load_script(name: str, **constants: str | int) -> str:
    """Load a script that requires `queue/fence` and `queue/batch`; `constants` are what else it takes."""
    return load(name, **fence.CONSTANTS, **batch.CONSTANTS, **constants)


class Script:
    """One Lua call on one workspace's keys."""

    def __init__(
        self,
        redis: Redis,
        keys: Keys,
        clock: Clock,
        body: str,
        written: WriteLog | None = None,
    ) -> None:
        self._redis = redis
        # Of a call that is not missed when the server loses it, nothing is noted.
        self._written = written
        self._keys = keys
        self._clock = clock
        self._body = body
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
            number, keys, arguments = self._call(calls[0])
            answer = self._redis.evalsha(self._sha, keys, *arguments)
            answers: list[Answered | Exception] = [cast("Answered", await cast("Awaitable[object]", answer))]
        except ResponseError as error:
            return [error]
        self._note([number], answers)
        return answers

    async def _run_in_one(self, calls: Sequence[Words], *after: str | int) -> list[Answered | Exception]:
        async with self._redis.pipeline(transaction=False) as pipe:
            numbers = []
            for words in calls:
                number, keys, arguments = self._call(words)
                numbers.append(number)
                pipe.evalsha(self._sha, keys, *arguments)
            if after:
                pipe.execute_command(*after)
            try:
                answers = cast("list[Answered | Exception]", await pipe.execute(raise_on_error=False))
            except RedisAway as error:
                if len(calls) == 1 and not str(error).startswith("UNBLOCKED"):
                    raise
                # What stood before the one that was refused has been carried out.
                raise RedisConnectionError(str(error)) from error
        self._note(numbers, answers)
        return answers

    def _call(self, words: Words) -> tuple[int, int, list[str]]:
        """The number of a call (0: it has none), how many keys it names, and its keys and arguments.

        One key is named so that a cluster-minded proxy knows the slot; all others carry the same hash tag.
        """
        keys, stamp = [self._keys.named("ready")], self._clock.stamp()
        number = 0
        if self._written is not None:
            number = self._written.begin()
            keys.append(self._keys.named("writes", self._written.id))
            stamp = f"{stamp} {number}"
        return number, len(keys), [*keys, self._keys.prefix, stamp, *map(str, words)]

    def _note(self, numbers: Sequence[int], answers: Sequence[Answered | Exception]) -> None:
        if self._written is None:
            return
        for number, answer in zip(numbers, answers, strict=False):
            if not isinstance(answer, Exception):
                self._written.answered(number)


class ReplicatedScript(Script):
    """A Lua call whose outcome somebody is going to rely on: `promises` are the answers that say so.

    It has succeeded only when as many replicas have it as the server needs for a write, since what a master
    alone knows is gone with it. Each of those answers comes with a write: WAIT waits for the last of them.
    """

    def __init__(
        self, connections: Connections, keys: Keys, clock: Clock, body: str, promises: frozenset[str]
    ) -> None:
        super().__init__(connections.commands, keys, clock, body, connections.written)
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
