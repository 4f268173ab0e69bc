"""Sends several calls of a script to Redis in one exchange. Redis syncs its disk once for all of them.

If fifty people press a button at once, they wait for a few exchanges and not for fifty. New calls are
collected while an exchange is under way. The next exchange begins when the present exchange ends, or after
`GATHER_SECONDS` if that is earlier. If an exchange fails, all its calls fail. Each caller gets its own
answer, and learns whether its call may have been sent.
"""

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

from taskwire.queue.scripts import Script, ScriptAnswer, ScriptArguments
from taskwire.redis.call_outcomes import track_sending

# The most calls in one exchange. Redis serves no other client during an exchange: fifty calls take two or
# three milliseconds.
MAX_CALLS = 50
# How long calls are collected while an exchange is under way. An exchange takes about as long.
GATHER_SECONDS = 0.005


class CallOutcome(NamedTuple):
    """The answer or the error of one call, and whether Redis may have received the call."""

    answer: ScriptAnswer | Exception
    may_have_been_sent: bool


class Coalescer:
    """Collects the calls of one script and sends several calls at once.

    An exchange that takes longer than `seconds` is cancelled.
    """

    def __init__(self, script: Script, seconds: float) -> None:
        self._script = script
        self._seconds = seconds
        self._waiting: list[tuple[ScriptArguments, asyncio.Future[CallOutcome]]] = []
        self._exchanges: set[asyncio.Task[None]] = set()
        self._begin_timer: asyncio.TimerHandle | None = None

    async def call(self, *words: str | int) -> CallOutcome:
        """Make one call, in one exchange with other calls that are waiting now.

        Raise nothing: if the call fails, the outcome contains the error.
        """
        loop = asyncio.get_running_loop()
        outcome: asyncio.Future[CallOutcome] = loop.create_future()
        self._waiting.append((words, outcome))
        if len(self._waiting) == 1:
            gathers_for = GATHER_SECONDS if self._exchanges else 0.0
            self._begin_timer = loop.call_later(gathers_for, self._begin)
        return await outcome

    def _begin(self) -> None:
        if self._begin_timer is not None:
            self._begin_timer.cancel()
        waiting, self._waiting = self._waiting, []
        for start in range(0, len(waiting), MAX_CALLS):
            exchange = asyncio.create_task(self._exchange(waiting[start : start + MAX_CALLS]))
            self._exchanges.add(exchange)
            exchange.add_done_callback(self._finish_exchange)

    def _finish_exchange(self, exchange: asyncio.Task[None]) -> None:
        self._exchanges.discard(exchange)
        if self._waiting and not self._exchanges:
            self._begin()

    async def _exchange(self, calls: Sequence[tuple[ScriptArguments, asyncio.Future[CallOutcome]]]) -> None:
        answers: Sequence[ScriptAnswer | Exception]
        with track_sending() as sent:
            try:
                async with asyncio.timeout(self._seconds):
                    answers = await self._script.call_many([words for words, _ in calls])
            except Exception as error:  # noqa: BLE001 - each waiting caller gets the error
                answers = [error] * len(calls)
        for (_, outcome), answer in zip(calls, answers, strict=True):
            if not outcome.done():
                outcome.set_result(CallOutcome(answer, sent.may_have_been_sent))
