"""Runs Taskwire in a process that a benchmark measures.

Taskwire polls when the benchmark sends an order on standard input. The process measures how long its event
loop is blocked.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable

from taskwire import settings as settings_module
from taskwire.app.bot import Bot, run_bot
from taskwire.app.process import connect, freeze_garbage_collection
from taskwire.coder import lists, models
from tests.bench.orders import OrderReader

PERIOD_SECONDS = 0.001

Timings = dict[str, float]


class Probe:
    """Wakes every millisecond, and keeps the longest time by which a wake-up came too late."""

    def __init__(self) -> None:
        self.late_seconds = 0.0
        # The most processor time that this thread used between two wake-ups. It excludes the work of other
        # processes.
        self.worked_seconds = 0.0

    async def run(self) -> None:
        """Measure the delays until cancelled."""
        while True:
            began, worked = time.perf_counter(), time.thread_time()
            await asyncio.sleep(PERIOD_SECONDS)
            self.late_seconds = max(self.late_seconds, time.perf_counter() - began - PERIOD_SECONDS)
            self.worked_seconds = max(self.worked_seconds, time.thread_time() - worked)

    def read(self) -> Timings:
        """Return the longest delays since the latest call of `read`, and reset them."""
        read = {"late": self.late_seconds, "worked": self.worked_seconds}
        self.late_seconds = self.worked_seconds = 0.0
        return read


class ProbedBot:
    """The orders that the parent can give to this process."""

    def __init__(self, bot: Bot) -> None:
        self._bot = bot
        self._probe = Probe()
        self._watching: asyncio.Task[None] | None = None
        self._orders: dict[str, Callable[[], Awaitable[Timings]]] = {
            "poll": self._poll,
            "read": self._read,
            "rest": self._rest,
            "probe": self._begin,
            "stalls": self._stalls,
        }

    async def answer(self, word: str) -> Timings:
        """Carry out an order and return its figures."""
        return await self._orders[word]()

    async def _poll(self) -> Timings:
        """Poll once. Measure the time from the request to Coder until the last write."""
        return await _timed(self._bot.parts.poller.poll)

    async def _read(self) -> Timings:
        """Measure the baseline: fetch the list of tasks, and time only its parsing. Split and parse the list
        as a poll does."""
        body = await self._bot.parts.deps.service_coder.list_tasks_raw()

        async def reading() -> None:
            for item in lists.split_list(body):
                models.parse_task(item)

        return await _timed(reading)

    async def _rest(self) -> Timings:
        """Stop the worker, so that the jobs that a poll appends are not run."""
        await self._bot.parts.worker.stop(10)
        return {}

    async def _begin(self) -> Timings:
        self._watching = self._watching or asyncio.create_task(self._probe.run())
        await asyncio.sleep(10 * PERIOD_SECONDS)
        return self._probe.read()

    async def _stalls(self) -> Timings:
        return self._probe.read()


async def _timed(call: Callable[[], Awaitable[object]]) -> Timings:
    began, worked = time.perf_counter(), time.process_time()
    await call()
    return {"seconds": time.perf_counter() - began, "worked": time.process_time() - worked}


async def main() -> None:
    """Run the bot and answer orders until the parent closes standard input."""
    settings = settings_module.load()
    orders = await OrderReader().begin()
    async with (
        connect(settings) as (connections, _),
        run_bot(settings, connections, has_timers=False) as bot,
    ):
        freeze_garbage_collection()
        bot_probe = ProbedBot(bot)
        async for word in orders:
            orders.answer(await bot_probe.answer(word))


if __name__ == "__main__":
    asyncio.run(main())
