"""Taskwire in a process that can be looked into.

It polls when it is told to, by a line on its standard input, and measures how long its loop stands still.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable

from taskwire import settings as settings_of
from taskwire.app.bot import Bot, running
from taskwire.app.process import connected, settle_down
from taskwire.coder import lists, models
from tests.bench.orders import Ordered

PERIOD_SECONDS = 0.001

Answer = dict[str, float]


class Probe:
    """Wants to wake every millisecond, and notes for how long it was kept from it."""

    def __init__(self) -> None:
        self.late_seconds = 0.0
        # How long this process itself has worked meanwhile: what others do on the machine is not in it.
        self.worked_seconds = 0.0

    async def run(self) -> None:
        """Watch the loop until cancelled."""
        while True:
            began, worked = time.perf_counter(), time.thread_time()
            await asyncio.sleep(PERIOD_SECONDS)
            self.late_seconds = max(self.late_seconds, time.perf_counter() - began - PERIOD_SECONDS)
            self.worked_seconds = max(self.worked_seconds, time.thread_time() - worked)

    def read(self) -> Answer:
        """Return the longest, and begin anew."""
        read = {"late": self.late_seconds, "worked": self.worked_seconds}
        self.late_seconds = self.worked_seconds = 0.0
        return read


class Looked:
    """What can be asked of the process."""

    def __init__(self, bot: Bot) -> None:
        self._bot = bot
        self._probe = Probe()
        self._watching: asyncio.Task[None] | None = None
        self._words: dict[str, Callable[[], Awaitable[Answer]]] = {
            "poll": self._sweep,
            "read": self._read,
            "rest": self._rest,
            "probe": self._begin,
            "stalls": self._stalls,
        }

    async def answer(self, word: str) -> Answer:
        """Do one thing and say how it went."""
        return await self._words[word]()

    async def _sweep(self) -> Answer:
        """A whole poll, from asking Coder to the last write."""
        return await _timed(self._bot.parts.poller.poll)

    async def _read(self) -> Answer:
        """The baseline: what a body costs that is merely parsed, at once and with the same partial model."""
        body = await self._bot.parts.deps.coder.list_tasks_raw()

        async def reading() -> None:
            for item in lists.cut(body):
                models.parse_task(item)

        return await _timed(reading)

    async def _rest(self) -> Answer:
        """Let nobody carry out what follows from a poll."""
        await self._bot.parts.worker.stop(10)
        return {}

    async def _begin(self) -> Answer:
        self._watching = self._watching or asyncio.create_task(self._probe.run())
        await asyncio.sleep(10 * PERIOD_SECONDS)
        return self._probe.read()

    async def _stalls(self) -> Answer:
        return self._probe.read()


async def _timed(call: Callable[[], Awaitable[object]]) -> Answer:
    began, worked = time.perf_counter(), time.process_time()
    await call()
    return {"seconds": time.perf_counter() - began, "worked": time.process_time() - worked}


async def main() -> None:
    """Run, and answer, until nobody holds the standard input any more."""
    settings = settings_of.load()
    orders = await Ordered().begin()
    async with (
        connected(settings) as (connections, _),
        running(settings, connections, has_timers=False) as bot,
    ):
        settle_down()
        looked = Looked(bot)
        async for word in orders:
            orders.answer(await looked.answer(word))


if __name__ == "__main__":
    asyncio.run(main())
