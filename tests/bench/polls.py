"""Measures what a poll costs, how this cost grows with the list of tasks, and how long a poll blocks the
event loop."""

import contextlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import cast

from taskwire_sandbox.coder import SandboxTask
from tests.bench.figures import Figure, median
from tests.bench.orders import OrderWriter
from tests.bench.places import link_all, new_bench_place, run_module, store_of, wait_until_idle
from tests.process.processes import Place, Taskwire

TASKS = 10_000
SIZES = (1_000, 3_000, 10_000, 30_000)
CHANGED = 100
TIMES = 9
READ = "merely parsing that body, all at once"


class Probed:
    """The measured process, as the benchmark sees it: sends orders to `tests.bench.probed` and reads its
    answers."""

    def __init__(self, process: Taskwire) -> None:
        self._orders = OrderWriter(process)

    async def ask(self, word: str) -> dict[str, float]:
        """Send an order word to the measured process, and return the figures of its answer."""
        return cast("dict[str, float]", await self._orders.send(word))


async def measure_polls(directory: Path) -> Sequence[Figure]:
    """Measure a poll in which no task has changed, and a poll in which 1 task in 100 has changed. The
    baseline only parses Coder's list of tasks."""
    async with _polled(directory) as (place, probed):
        await probed.ask("rest")
        unchanged, changed, read = await _time_polls(place.coder.tasks, probed)
    what = f"poll of {TASKS:,} tasks, fetching it included"
    return (
        Figure(f"{what}, 1 in {CHANGED} changed", changed, "ms", read, READ, "at most 2 times"),
        Figure(f"{what}, none changed", unchanged, "ms", read, READ),
    )


async def measure_growth(directory: Path) -> Sequence[Figure]:
    """Measure the processor time of a poll for lists of several lengths. The time for each task must not grow
    with the list."""
    found = []
    async with new_bench_place(directory) as place, run_module(place, "tests.bench.probed") as process:
        probed = Probed(process)
        await process.port()
        await probed.ask("rest")
        for size in SIZES:
            before = len(place.coder.tasks)
            place.coder.add_tasks(size - before, "crowd", prefix=f"filler-{size}")
            await link_all(place, place.coder.tasks[before:])
            await probed.ask("poll")
            changed = await _poll_after_changes(place.coder.tasks, probed, "worked")
            found.append(median(changed) * 1000 / size)
    what = f"poll of {{:,}} tasks, 1 in {CHANGED} changed, own work a task"
    first = f"the same of {SIZES[0]:,} tasks"
    return [
        Figure(what.format(size), cost, "us", found[0], first, "at most about 1")
        for size, cost in zip(SIZES, found, strict=True)
    ]


async def measure_stalls(directory: Path) -> Sequence[Figure]:
    """Measure the longest time for which polls, and the jobs that follow them, block the event loop."""
    async with _polled(directory) as (place, probed), store_of(place) as connections:
        await wait_until_idle(place, connections)
        read = await _read(probed)
        await probed.ask("probe")
        tasks = place.coder.tasks
        late, worked = [], []
        for number in range(TIMES):
            for task in tasks[number::CHANGED]:
                task.becomes("working", f"report {number}")
            for _ in range(2):
                await probed.ask("poll")
            await wait_until_idle(place, connections)
            stalls = await probed.ask("stalls")
            late.append(stalls["late"] * 1000)
            worked.append(stalls["worked"] * 1000)
    what = f"longest stall in {TIMES} polls of {TASKS:,} tasks"
    return (
        Figure(f"{what}, own work alone", max(worked), "ms", read, READ, "at most 20 ms"),
        Figure(f"{what}, as seen (median of worst)", median(late), "ms", read, READ, "at most 20 ms"),
        Figure(f"{what}, as seen (worst of all)", max(late), "ms", read, READ),
    )


@contextlib.asynccontextmanager
async def _polled(directory: Path) -> AsyncIterator[tuple[Place, Probed]]:
    """Run a process that has a link for every task in Coder and has polled once."""
    async with (
        new_bench_place(directory, tasks=TASKS) as place,
        run_module(place, "tests.bench.probed") as process,
    ):
        await process.port()
        probed = Probed(process)
        await probed.ask("stalls")
        await link_all(place, place.coder.tasks)
        await probed.ask("poll")
        yield place, probed


async def _time_polls(tasks: Sequence[SandboxTask], probed: Probed) -> tuple[float, float, float]:
    """Measure by turns: a poll without changes, a poll with changes, and only the parsing of the list. Return
    the median of each in milliseconds."""
    unchanged, changed, read = [], [], []
    for number in range(TIMES):
        changed += await _poll_after_changes(tasks, probed, "seconds", times=1, first=number)
        unchanged.append((await probed.ask("poll"))["seconds"] * 1000)
        read.append((await probed.ask("read"))["seconds"] * 1000)
    return median(unchanged), median(changed), median(read)


async def _poll_after_changes(
    tasks: Sequence[SandboxTask], probed: Probed, what: str, *, times: int = TIMES, first: int = 0
) -> list[float]:
    """Poll `times` times. Before each poll, 1 task in 100 reports something. Return the figure `what` of each
    poll."""
    found = []
    for number in range(first, first + times):
        for task in tasks[::CHANGED]:
            task.becomes("working", f"report {number}")
        found.append((await probed.ask("poll"))[what] * 1000)
    return found


async def _read(probed: Probed) -> float:
    return median([(await probed.ask("read"))["seconds"] * 1000 for _ in range(TIMES)])
