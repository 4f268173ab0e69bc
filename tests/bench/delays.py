"""Measures the time from a change in Coder to the message in Slack, by polling and by webhook. Also measures
the cost of many webhook calls."""

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import aiohttp

from taskwire_sandbox.coder import SandboxTask
from taskwire_sandbox.slack import Call
from tests.bench.figures import Figure, percentile
from tests.bench.places import new_bench_place, read_metric, run_module, store_of, wait_until_idle
from tests.process.processes import Place, Taskwire, until

TASKS = 30
CHANGES = 90
POLL_SECONDS = 2.0
# With this interval, no regular poll happens while the webhook is measured.
RARE_SECONDS = 600.0
SECONDS_BETWEEN = 0.4
WORD = "a-word-that-only-coder-knows"
HINTS = 1_000
HINT_SECONDS = 5.0
INTERVAL = "the poll interval"


class Changes:
    """Makes agents report, and measures the seconds until each report is in its thread."""

    def __init__(self, place: Place, tasks: Sequence[SandboxTask]) -> None:
        self._place = place
        self._tasks = tasks
        self._began: dict[str, float] = {}
        self.seconds: list[float] = []
        place.slack.on_call = self._heard

    def make(self, number: int) -> None:
        """Let one agent report that it is done, with a text that no other report has."""
        said = f"Change {number:04d}"
        self._began[said] = time.perf_counter()
        self._tasks[number % len(self._tasks)].becomes("complete", said)

    async def are_told(self) -> None:
        """Wait until each report has been posted in the thread of its task."""
        await until(lambda: not self._began, "all changes to be told")

    def _heard(self, phase: str, call: Call) -> None:
        if phase != "after" or call.method != "chat.postMessage" or call.outcome != "ok":
            return
        text = str(call.arguments["text"])
        for said in [said for said in self._began if said in text]:
            self.seconds.append(time.perf_counter() - self._began.pop(said))


async def measure_delays(directory: Path) -> Sequence[Figure]:
    """Measure ninety changes at random moments, in thirty threads."""
    directory.mkdir()  # noqa: ASYNC240 - once, before anything is measured
    async with _watched(directory / "poll", POLL_SECONDS) as (place, _, tasks):
        changes, dice = Changes(place, tasks), random.Random(1)  # noqa: S311 - repeatable on purpose
        for number in range(CHANGES):
            changes.make(number)
            await asyncio.sleep(dice.uniform(0, 2 * SECONDS_BETWEEN))
        await changes.are_told()
    return [
        Figure(f"change to message {share}, by polling", percentile(changes.seconds, part), "s", *against)
        for share, part, against in (
            ("p50", 0.5, (POLL_SECONDS, INTERVAL)),
            ("p95", 0.95, (POLL_SECONDS, INTERVAL, "interval and 0.3 s")),
        )
    ]


async def measure_hints(directory: Path) -> Sequence[Figure]:
    """Measure the same changes by webhook, while no poll is due. Then send a thousand webhook calls in five
    seconds."""
    async with _watched(directory, RARE_SECONDS) as (place, bot, tasks), aiohttp.ClientSession() as session:
        url = f"http://127.0.0.1:{await bot.port()}/coder/webhook?token={WORD}"
        changes, dice = Changes(place, tasks), random.Random(1)  # noqa: S311 - repeatable on purpose
        # The first poll must see all tasks before the changes begin.
        await session.post(url, json={})
        for number in range(CHANGES // 2):
            changes.make(number)
            await session.post(url, json={})
            await asyncio.sleep(dice.uniform(0, 4 * SECONDS_BETWEEN))
        await changes.are_told()
        looks, began = await read_metric(bot, "taskwire_polls_total"), time.perf_counter()
        for _ in range(HINTS):
            await session.post(url, json={})
            await asyncio.sleep(HINT_SECONDS / HINTS)
        lasted = time.perf_counter() - began
        looks = await read_metric(bot, "taskwire_polls_total") - looks
    what = "webhook's arrival to message"
    return (
        Figure(f"{what} p50", percentile(changes.seconds, 0.5), "s"),
        Figure(f"{what} p95", percentile(changes.seconds, 0.95), "s", target="within 1 s"),
        Figure(
            f"lists a second while {HINTS:,} hints come",
            looks / lasted,
            "",
            HINTS / lasted,
            "hints a second",
            "two",
        ),
    )


@contextlib.asynccontextmanager
async def _watched(
    directory: Path, poll_seconds: float
) -> AsyncIterator[tuple[Place, Taskwire, list[SandboxTask]]]:
    """Run a process, create each task in a channel of its own, and wait for the cards."""
    async with new_bench_place(directory, poll_seconds=poll_seconds) as place:
        place.settings["TASKWIRE_WEBHOOK_TOKEN"] = WORD
        async with run_module(place, "taskwire.cli", "run") as bot:
            await bot.wait_until_ready()
            for number in range(TASKS):
                # One person may not start as many tasks at the same time as this benchmark needs.
                person = f"person-{number}"
                place.slack.add_user(person, email=f"{person}@example.com")
                place.coder.add_user(person, email=f"{person}@example.com")
                place.slack.add_channel(f"room-{number}", [person])
                said = f"create name=room-{number} mend page {number}"
                assert (await place.slack.command(person, f"room-{number}", "/task", said)).ok
            await until(lambda: len(place.coder.tasks) == TASKS, "all tasks")
            async with store_of(place) as connections:
                await wait_until_idle(place, connections)
            yield place, bot, [place.coder.task(f"room-{number}") for number in range(TASKS)]
