"""Measures how long a process takes from its start until it is ready, and until its first ack."""

import time
from collections.abc import Sequence
from pathlib import Path

from tests.bench.figures import Figure, median
from tests.bench.places import new_bench_place, run_module
from tests.process.processes import Place, until

TIMES = 7
BARE = "a Bolt app that only acks"


async def measure_starts(directory: Path) -> Sequence[Figure]:
    """Measure starts with an embedded store. The time includes all imports and the start of the store's
    server."""
    async with new_bench_place(directory) as place:
        ready, first, bare = [], [], []
        for _ in range(TIMES):
            began = time.perf_counter()
            async with run_module(place, "taskwire.cli", "run") as bot:
                await bot.wait_until_ready()
                ready.append(time.perf_counter() - began)
                await _acked(place)
                first.append(time.perf_counter() - began)
                await bot.stop()
            bare.append(await _bare(place))
    what = f"median of {TIMES} starts"
    return (
        Figure(f"from start to ready, {what}", median(ready), "s", median(bare), BARE, "within 1.5 s"),
        Figure(f"from start to the first ack, {what}", median(first), "s", median(bare), BARE),
        Figure(f"from start to ready, the longest of {TIMES}", max(ready), "s", max(bare), BARE),
    )


async def _bare(place: Place) -> float:
    """Return the seconds from the start of the bare Bolt app to its first ack."""
    began = time.perf_counter()
    async with run_module(place, "tests.bench.bare"):
        await place.slack.wait_for_sockets(1)
        await _acked(place)
        return time.perf_counter() - began


async def _acked(place: Place) -> None:
    async def is_acked() -> bool:
        return (await place.slack.command("alice", "general", "/task", "pause nothing")).ok

    await until(is_acked, "an acknowledgement")
