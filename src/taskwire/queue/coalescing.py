"""Calls that begin in one turn of the loop go to Redis together: one write, and one sync of its disk for all.

Fifty people who press at once then wait for a few exchanges and not for fifty. While one is under way the
next gathers those who come, and begins with its end, or a moment later if that hangs. What breaks an exchange
breaks it for all who take part; each hears their own answer, and whether their call may have left.
"""

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

from taskwire.queue.scripts import Answered, Script, Words
from taskwire.redis.call_outcomes import leaving

# Redis does nothing else meanwhile: so many take it two or three milliseconds.
MOST = 50
# So long calls gather while others are under way: what an exchange takes, and far less than anybody notices.
GATHER_SECONDS = 0.005


class CallOutcome(NamedTuple):
    """What became of one call: its answer, or what went wrong, and whether it may have been carried out."""

    answer: Answered | Exception
    may_have_left: bool


class Coalescer:
    """Calls of one script. Each exchange has so many seconds, after which nothing more of it leaves."""

    def __init__(self, script: Script, seconds: float) -> None:
        self._script = script
        self._seconds = seconds
        self._waiting: list[tuple[Words, asyncio.Future[CallOutcome]]] = []
        self._exchanges: set[asyncio.Task[None]] = set()
        self._beginning: asyncio.TimerHandle | None = None

    async def call(self, *words: str | int) -> CallOutcome:
        """Make one call, with those that others begin before the loop comes round."""
        loop = asyncio.get_running_loop()
        outcome: asyncio.Future[CallOutcome] = loop.create_future()
        self._waiting.append((words, outcome))
        if len(self._waiting) == 1:
            gathers_for = GATHER_SECONDS if self._exchanges else 0.0
            self._beginning = loop.call_later(gathers_for, self._begin)
        return await outcome

    def _begin(self) -> None:
        if self._beginning is not None:
            self._beginning.cancel()
        waiting, self._waiting = self._waiting, []
        for start in range(0, len(waiting), MOST):
            exchange = asyncio.create_task(self._exchange(waiting[start : start + MOST]))
            self._exchanges.add(exchange)
            exchange.add_done_callback(self._ended)

    def _ended(self, exchange: asyncio.Task[None]) -> None:
        self._exchanges.discard(exchange)
        if self._waiting and not self._exchanges:
            self._begin()

    async def _exchange(self, calls: Sequence[tuple[Words, asyncio.Future[CallOutcome]]]) -> None:
        answers: Sequence[Answered | Exception]
        with leaving() as sent:
            try:
                async with asyncio.timeout(self._seconds):
                    answers = await self._script.many([words for words, _ in calls])
            except Exception as error:  # noqa: BLE001 - whatever it is, those who wait hear of it
                answers = [error] * len(calls)
        for (_, outcome), answer in zip(calls, answers, strict=True):
            if not outcome.done():
                outcome.set_result(CallOutcome(answer, sent.is_possible))
