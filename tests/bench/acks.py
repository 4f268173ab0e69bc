"""How soon Slack has its acknowledgement of a command that is durably written, against Bolt alone."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from taskwire.sandbox.coder.faults import hang
from taskwire.sandbox.slack import SlackSandbox
from tests.bench.figures import Figure, percentile
from tests.bench.places import bench_place, spawned
from tests.process.processes import Place

PEOPLE = 50
ROUNDS = 8
# In each round, of each kind.
EACH, BURSTS = 60, 6
# While Coder hangs, what people ask for heaps up, and no more than fifty each are taken.
HANGING_ROUNDS = 5
PAUSE_SECONDS = 0.2
BARE = "a Bolt app that only acks"
FIRST = "the same, told to ack before it responds"
HANGING = ", Coder hanging"


@dataclass
class Typist:
    """Fifty people who type commands; each is somebody's own list of jobs."""

    slack: SlackSandbox
    alone: list[float] = field(default_factory=list)
    together: list[float] = field(default_factory=list)
    _count: int = 0

    async def types(self) -> None:
        """One command after the other, then all people at once, again and again."""
        self.alone += [await self._one(number % PEOPLE) for number in range(EACH)]
        for _ in range(BURSTS):
            self.together += await asyncio.gather(*(self._one(person) for person in range(PEOPLE)))
            await asyncio.sleep(PAUSE_SECONDS)

    async def _one(self, person: int) -> float:
        """Milliseconds from a command to its acknowledgement."""
        self._count += 1
        started = time.perf_counter()
        # A task that does not exist: written as a job, acknowledged, and refused behind the ack.
        answer = await self.slack.command(_name(person), "crowd", "/task", f"pause nothing-{self._count}")
        assert answer.ok, answer
        return (time.perf_counter() - started) * 1000


async def measure_acks(directory: Path) -> Sequence[Figure]:
    """Round by round side by side, so that what else the machine does falls on all alike."""
    directory.mkdir()  # noqa: ASYNC240 - once, before anything is measured
    async with (
        _bare(directory / "bare") as bare,
        _bare(directory / "first", "--first") as first,
        _place(directory / "ours") as place,
        spawned(place, "taskwire.cli", "run") as bot,
    ):
        await bot.is_ready()
        ours, hanging = Typist(place.slack), Typist(place.slack)
        typists = [bare, first, ours]
        for typist in typists:
            await Typist(typist.slack).types()
        for _ in range(ROUNDS):
            for typist in typists:
                await typist.types()
        place.coder.misbehave("*", hang(), times=None)
        for _ in range(HANGING_ROUNDS):
            await hanging.types()
        place.coder.behave()
    return [*_figures(ours, bare, first, ""), *_figures(hanging, bare, None, HANGING)]


def _figures(ours: Typist, bare: Typist, first: Typist | None, when: str) -> list[Figure]:
    found = []
    for share, part in (("p50", 0.5), ("p99", 0.99)):
        for how in ("alone", "together"):
            what = f"ack {share}, {'one at a time' if how == 'alone' else '50 at once'}{when}"
            mine = percentile(getattr(ours, how), part)
            target = "at most 1.5 times" if share == "p99" else ""
            found.append(Figure(what, mine, "ms", percentile(getattr(bare, how), part), BARE, target))
            if first is not None:
                found.append(Figure(what, mine, "ms", percentile(getattr(first, how), part), FIRST))
    return found


def _name(number: int) -> str:
    return f"person-{number}"


@contextlib.asynccontextmanager
async def _place(directory: Path) -> AsyncIterator[Place]:
    async with bench_place(directory) as place:
        for number in range(PEOPLE):
            name = _name(number)
            place.slack.add_user(name, email=f"{name}@example.com")
            place.coder.add_user(name)
        place.slack.add_channel("crowd", [_name(number) for number in range(PEOPLE)])
        yield place


@contextlib.asynccontextmanager
async def _bare(directory: Path, *words: str) -> AsyncIterator[Typist]:
    async with _place(directory) as place, spawned(place, "tests.bench.bare", *words):
        await place.slack.connected(1)
        yield Typist(place.slack)
