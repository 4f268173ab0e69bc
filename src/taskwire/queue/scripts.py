"""Runs Lua scripts in Redis. The scripts are files, which `queue/lua_files.py` loads.

Each script begins with its name, its role in the queue (in brackets) and its arguments, as Lua comments.
Tests that stop a process at each call recognise a script by these comments alone (`tests/faults/heads.py`).

Every script takes the present time as an argument. In production this argument is empty, and the script asks
Redis for TIME. Tests set the argument. A call is never repeated here, because only its caller knows whether a
repetition is safe.
"""

import time
from collections.abc import Awaitable, Callable, Sequence
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

# How long WAIT waits for the replicas to confirm a write. One try of a claim may take longer than this.
REPLICATION_WAIT_MS = 500

ScriptArguments = tuple[str | int, ...]
ScriptAnswer = str | int | list["ScriptAnswer"] | None


class NotReplicated(RedisError):
    """The call was carried out, but too few replicas have confirmed it. A failover may lose its writes."""


class Clock(Protocol):
    """Where scripts get the present time."""

    def stamp(self) -> str:
        """Return the time in milliseconds since 1970. An empty text means Redis's own TIME."""


class ServerClock:
    """The clock of the Redis server."""

    def stamp(self) -> str:
        """Return an empty text: the script asks Redis for TIME."""
        return ""


def read_seconds(clock: Clock) -> Callable[[], float]:
    """Return a function that reads a clock in seconds.

    For Redis's clock, the function reads this host's clock.
    """

    def seconds() -> float:
        stamp = clock.stamp()
        return int(stamp) / 1000 if stamp else time.time()

    return seconds


def load_script(name: str, **constants: str | int) -> str:
    """Load a script that requires `queue/fence` and `queue/batch`. Their constants are added."""
    return load(name, **fence.CONSTANTS, **batch.CONSTANTS, **constants)


class Script:
    """A Lua script that works on the keys of one workspace."""

    def __init__(
        self,
        redis: Redis,
        keys: Keys,
        clock: Clock,
        body: str,
        write_log: WriteLog | None = None,
    ) -> None:
        self._redis = redis
        # Without a write log, Taskwire would not notice that the server has lost this call.
        self._write_log = write_log
        self._keys = keys
        self._clock = clock
        self._body = body
        self._sha = ""

    async def __call__(self, *words: str | int) -> ScriptAnswer:
        """Run the script.

        `words` become ARGV[3] and the following; ARGV[1] is the key prefix and ARGV[2] the time.
        """
        answer = (await self.call_many([words]))[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def call_many(self, calls: Sequence[ScriptArguments]) -> list[ScriptAnswer | Exception]:
        """Run the script once for each of several calls, in one exchange.

        If a call fails, its answer is the error. Raises an error if the whole exchange fails.
        """
        if not self._sha:
            self._sha = await self._redis.script_load(self._body)
        answers = await self._run(calls)
        if any(isinstance(answer, NoScriptError) for answer in answers):
            # The server was restarted or flushed; nothing of the script has run.
            self._sha = await self._redis.script_load(self._body)
            answers = await self._run(calls)
        return answers

    async def _run(self, calls: Sequence[ScriptArguments]) -> list[ScriptAnswer | Exception]:
        if len(calls) > 1:
            return await self._run_pipelined(calls)
        try:
            number, keys, arguments = self._build_call(calls[0])
            answer = self._redis.evalsha(self._sha, keys, *arguments)
            answers: list[ScriptAnswer | Exception] = [
                cast("ScriptAnswer", await cast("Awaitable[object]", answer))
            ]
        except ResponseError as error:
            return [error]
        self._log_answered([number], answers)
        return answers

    async def _run_pipelined(
        self, calls: Sequence[ScriptArguments], *after: str | int
    ) -> list[ScriptAnswer | Exception]:
        async with self._redis.pipeline(transaction=False) as pipe:
            numbers = []
            for words in calls:
                number, keys, arguments = self._build_call(words)
                numbers.append(number)
                pipe.evalsha(self._sha, keys, *arguments)
            if after:
                pipe.execute_command(*after)
            try:
                answers = cast("list[ScriptAnswer | Exception]", await pipe.execute(raise_on_error=False))
            except RedisAway as error:
                if len(calls) == 1 and not str(error).startswith("UNBLOCKED"):
                    raise
                # Redis may have carried out the calls before the one that it refused.
                raise RedisConnectionError(str(error)) from error
        self._log_answered(numbers, answers)
        return answers

    def _build_call(self, words: ScriptArguments) -> tuple[int, int, list[str]]:
        """Return the number in the write log, the number of keys, and the keys followed by the arguments.

        The number in the write log is 0 if the call is not logged. The first key is always `ready`. A
        cluster-aware proxy derives the slot of the call from this key. All other keys are in the same slot,
        because they have the same hash tag.
        """
        keys, stamp = [self._keys.named("ready")], self._clock.stamp()
        number = 0
        if self._write_log is not None:
            number = self._write_log.next_number()
            keys.append(self._keys.named("writes", self._write_log.id))
            stamp = f"{stamp} {number}"
        return number, len(keys), [*keys, self._keys.prefix, stamp, *map(str, words)]

    def _log_answered(self, numbers: Sequence[int], answers: Sequence[ScriptAnswer | Exception]) -> None:
        if self._write_log is None:
            return
        for number, answer in zip(numbers, answers, strict=False):
            if not isinstance(answer, Exception):
                self._write_log.record_answered(number)


class ReplicatedScript(Script):
    """A script whose writes must be on replicas before its answer counts.

    `Connections.required_replicas` is the number of these replicas. `promises` are the answers that say that
    something was written. If fewer replicas confirm the call, such an answer becomes a NotReplicated error. A
    call that gives such an answer must write, because WAIT waits for the last write of the connection.
    """

    def __init__(
        self, connections: Connections, keys: Keys, clock: Clock, body: str, promises: frozenset[str]
    ) -> None:
        super().__init__(connections.commands, keys, clock, body, connections.write_log)
        self._connections = connections
        self._promises = promises

    async def _run(self, calls: Sequence[ScriptArguments]) -> list[ScriptAnswer | Exception]:
        copies = self._connections.required_replicas
        if not copies:
            return await super()._run(calls)
        *answers, confirmed = await self._run_pipelined(calls, "WAIT", copies, REPLICATION_WAIT_MS)
        if isinstance(confirmed, int) and confirmed >= copies:
            return answers
        lost = NotReplicated(f"{confirmed} of {copies} replicas have it")
        return [lost if answer in self._promises else answer for answer in answers]
