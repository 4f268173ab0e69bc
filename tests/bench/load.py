"""Measures what many idle links cost: requests to Coder, and memory of the process."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from tests.bench.figures import Figure
from tests.bench.places import (
    link_all,
    new_bench_place,
    read_metric,
    run_module,
    store_of,
    wait_for_metric,
    wait_until_idle,
)
from tests.process.processes import Place, Taskwire

SIZES = (10, 1_000, 10_000)
POLL_SECONDS = 1.0
TICKS = 10
CHANGED = 100
ONE_EACH = "one request a task"
BARE = "a Bolt app that only acks"
EMPTY = "the same process without links"


async def measure_load(directory: Path) -> Sequence[Figure]:
    """Measure one process while the number of its links grows from zero to ten thousand."""
    directory.mkdir()  # noqa: ASYNC240 - once, before anything is measured
    bare = await _bare(directory / "bare")
    async with (
        new_bench_place(directory / "ours", poll_seconds=POLL_SECONDS) as place,
        run_module(place, "taskwire.cli", "run") as bot,
    ):
        await bot.wait_until_ready()
        empty, stored = await _measure_memory(bot, place), float(await _stored(place))
        found = [await _measure_requests(place, bot, size) for size in SIZES]
        stored = (await _stored(place) - stored) / SIZES[-1]
        peak = await _measure_memory(bot, place)
    links = f"memory of the process at {SIZES[-1]:,} links"
    return (
        *found,
        Figure(links, peak, "MB", bare, BARE, "under 110 MB"),
        Figure(links, peak, "MB", empty, EMPTY),
        Figure(f"store's memory a link, {SIZES[-1]:,} links at rest", stored, "bytes"),
    )


async def _measure_requests(place: Place, bot: Taskwire, size: int) -> Figure:
    """Add tasks until Coder has `size` tasks, and link them. While all tasks are idle, measure how many
    requests a poll sends."""
    tasks = len(place.coder.tasks)
    place.coder.add_tasks(size - tasks, "crowd", prefix=f"filler-{size}")
    await link_all(place, place.coder.tasks[tasks:])
    async with store_of(place) as connections:
        await wait_for_metric(bot, "taskwire_links", size)
        await wait_until_idle(place, connections)
    ticks, requests = await read_metric(bot, "taskwire_polls_total"), _requests(place)
    await _ticks(bot, TICKS)
    ticks, requests = await read_metric(bot, "taskwire_polls_total") - ticks, _requests(place) - requests
    target = "the same for all"
    return Figure(
        f"requests to Coder a tick, {size:,} tasks", requests / ticks, "requests", size, ONE_EACH, target
    )


def _requests(place: Place) -> int:
    seen = place.coder.requests
    return seen[-1].number if seen else 0


async def _ticks(bot: Taskwire, count: int) -> None:
    """Wait until the bot has finished `count` more polls."""
    polled = "taskwire_polls_total"
    await wait_for_metric(bot, polled, await read_metric(bot, polled) + count)


async def _measure_memory(bot: Taskwire, place: Place) -> float:
    """Return the highest resident memory in MB during several polls. Before each poll, 1 task in 100
    changes."""
    most = 0.0
    for number in range(TICKS):
        for task in place.coder.tasks[number::CHANGED]:
            task.becomes("working", f"report {number}")
        ticking = asyncio.create_task(_ticks(bot, 1))
        while not ticking.done():
            most = max(most, _resident(bot))
            await asyncio.sleep(0.02)
    return most


async def _stored(place: Place) -> int:
    """Return how many bytes the store uses for its data."""
    async with store_of(place) as connections:
        return int((await connections.commands.info("memory"))["used_memory_dataset"])


def _resident(bot: Taskwire) -> float:
    status = Path(f"/proc/{bot.process.pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) / 1024


async def _bare(directory: Path) -> float:
    async with new_bench_place(directory) as place, run_module(place, "tests.bench.bare") as bare:
        await place.slack.wait_for_sockets(1)
        for number in range(100):
            await place.slack.command("alice", "general", "/task", f"pause nothing-{number}")
        return _resident(bare)
