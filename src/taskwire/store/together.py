"""Calls that begin in one turn of the loop go to Redis together: one write, and one sync of its disk for all.

Fifty people who press at once then wait for one exchange and not for fifty. What breaks an exchange breaks
it for all who take part; each hears their own answer, and whether their call may have left.
"""

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

from taskwire.store.lines import leaving
from taskwire.store.scripts import Answered, Script, Words

# Redis does nothing else meanwhile: so many take it two or three milliseconds.
MOST = 50


class Outcome(NamedTuple):
    """What became of one call: its answer, or what went wrong, and whether it may have been carried out."""

    answer: Answered | Exception
    may_have_left: bool


class Together:
    """Calls of one script. Each exchange has so many seconds, after which nothing more of it leaves."""

    def __init__(self, script: Script, seconds: float) -> None:
        self._script = script
        self._seconds = seconds
        self._waiting: list[tuple[Words, asyncio.Future[Outcome]]] = []
        self._exchanges: set[asyncio.Task[None]] = set()

    async def call(self, *words: str | int) -> Outcome:
        """Make one call, with those that others begin before the loop comes round."""
        loop = asyncio.get_running_loop()
        outcome: asyncio.Future[Outcome] = loop.create_future()
        self._waiting.append((words, outcome))
        if len(self._waiting) == 1:
            loop.call_soon(self._begin)
        return await outcome

    def _begin(self) -> None:
        waiting, self._waiting = self._waiting, []
        for start in range(0, len(waiting), MOST):
            exchange = asyncio.create_task(self._exchange(waiting[start : start + MOST]))
            self._exchanges.add(exchange)
            exchange.add_done_callback(self._exchanges.discard)

    async def _exchange(self, calls: Sequence[tuple[Words, asyncio.Future[Outcome]]]) -> None:
        answers: Sequence[Answered | Exception]
        with leaving() as sent:
            try:
                async with asyncio.timeout(self._seconds):
                    answers = await self._script.many([words for words, _ in calls])
            except Exception as error:  # noqa: BLE001 - whatever it is, those who wait hear of it
                answers = [error] * len(calls)
        for (_, outcome), answer in zip(calls, answers, strict=True):
            if not outcome.done():
                outcome.set_result(Outcome(answer, sent.is_possible))
