"""Sends calls that begin in one turn of the event loop to Redis together: one write, and one disk sync
for all.

So fifty people who press a button at once wait for a few exchanges and not for fifty. While one exchange
is under way, new calls are gathered. The next exchange begins when the one before ends, or a moment later
if that hangs. A failed exchange fails for all its calls. Each caller gets its own answer, and hears
whether its call may have left.
"""

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

from taskwire.queue.scripts import Script, ScriptAnswer, ScriptArguments
from taskwire.redis.call_outcomes import track_sending

# The most calls in one exchange. Redis does nothing else meanwhile: fifty calls take it two or three
# milliseconds.
MAX_CALLS = 50
# How long calls are gathered while an exchange is under way. It is about as long as an exchange takes,
# and far too short for people to notice.
GATHER_SECONDS = 0.005


class CallOutcome(NamedTuple):
    """The answer to one call, or what went wrong, and whether Redis may have received the call."""

    answer: ScriptAnswer | Exception
    may_have_been_sent: bool


class Coalescer:
    """Gathers the calls of one script.

    An exchange may take `seconds`; after that nothing more of it is sent.
    """

    def __init__(self, script: Script, seconds: float) -> None:
        self._script = script
        self._seconds = seconds
        self._waiting: list[tuple[ScriptArguments, asyncio.Future[CallOutcome]]] = []
        self._exchanges: set[asyncio.Task[None]] = set()
        self._begin_timer: asyncio.TimerHandle | None = None

    async def call(self, *words: str | int) -> CallOutcome:
        """Make one call, together with others that begin before the event loop comes round."""
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
            except Exception as error:  # noqa: BLE001 - whatever it is, those who wait hear of it
                answers = [error] * len(calls)
        for (_, outcome), answer in zip(calls, answers, strict=True):
            if not outcome.done():
                outcome.set_result(CallOutcome(answer, sent.may_have_been_sent))
