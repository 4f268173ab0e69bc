"""Measures acks in HTTP mode: of 200 signed commands at the same time, and of single commands beside 2,000
half-sent requests."""

import contextlib
import resource
import socket
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import cast

from taskwire.slack import manifest
from taskwire_sandbox.slack import SlackSandbox
from tests.bench.acks import ALONE_PAUSE_SECONDS, BARE, CommandSenders
from tests.bench.figures import Figure, percentile
from tests.bench.orders import CommandBatch, OrderWriter
from tests.bench.places import new_bench_place, run_module
from tests.bench.poster import Posting
from tests.process.processes import Taskwire

AT_ONCE, ROUNDS, BURSTS = 200, 6, 4
PAUSE_SECONDS = 2.0
OPEN_REQUESTS, DESCRIPTORS, AMID = 2_000, 1_024, 100
HALF = b"POST /slack/events HTTP/1.1\r\nHost: taskwire\r\n"
QUIET = "the same without them"


class Posters(CommandSenders):
    """The same people as in `acks.py`, but they send their commands over HTTP."""

    port = 0

    async def send(self, batch: CommandBatch) -> list[float]:
        """Post the commands of a batch and return the milliseconds until each ack."""
        url = f"http://127.0.0.1:{self.port}{manifest.REQUEST_PATH}"
        posting = Posting(url=url, secret=self.place.slack.signing_secret, batch=batch)
        return cast("list[float]", await self.orders.send(posting.model_dump_json()))

    async def bursts(self) -> None:
        """Post several bursts of commands."""
        self.together += await self.time_acks(BURSTS * AT_ONCE, at_once=AT_ONCE, pause_seconds=PAUSE_SECONDS)


async def measure_requests(directory: Path) -> Sequence[Figure]:
    """Measure bursts in alternating rounds. Then measure single commands, first alone and then beside many
    half-sent requests."""
    directory.mkdir()  # noqa: ASYNC240 - once, before anything is measured
    async with (
        _posters(directory / "bare", "tests.bench.bare", "--http") as (bare, _),
        _posters(directory / "ours", "taskwire.cli", "run") as (ours, bot),
    ):
        for posters in (bare, ours):
            await posters.bursts()
            posters.together.clear()
        for _ in range(ROUNDS):
            for posters in (bare, ours):
                await posters.bursts()
        without_load = await ours.time_acks(AMID, at_once=1, pause_seconds=ALONE_PAUSE_SECONDS)
        with _half_sent_requests(ours.port):
            amid = await ours.time_acks(AMID, at_once=1, pause_seconds=ALONE_PAUSE_SECONDS)
            ready = (await bot.readiness())[0]
    what = f"signed requests, {AT_ONCE} at once"
    crowd = f"amid {OPEN_REQUESTS:,} half requests, {DESCRIPTORS:,} descriptors (ready: {ready})"
    return (
        Figure(
            f"ack p50, {what}", percentile(ours.together, 0.5), "ms", percentile(bare.together, 0.5), BARE
        ),
        Figure(
            f"ack p99, {what}",
            percentile(ours.together, 0.99),
            "ms",
            percentile(bare.together, 0.99),
            BARE,
            "at most 1.2 times",
        ),
        Figure(f"ack p99 {crowd}", percentile(amid, 0.99), "ms", percentile(without_load, 0.99), QUIET),
        Figure(f"longest ack {crowd}", max(amid), "ms", max(without_load), QUIET, "under 1 s"),
    )


@contextlib.contextmanager
def _half_sent_requests(port: int) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (before[1], before[1]))
    with contextlib.ExitStack() as stack:
        stack.callback(resource.setrlimit, resource.RLIMIT_NOFILE, before)
        for _ in range(OPEN_REQUESTS):
            each = stack.enter_context(socket.socket())
            each.setblocking(False)
            each.connect_ex(("127.0.0.1", port))
            with contextlib.suppress(OSError):
                each.send(HALF)
        yield


@contextlib.asynccontextmanager
async def _posters(directory: Path, *app: str) -> AsyncIterator[tuple[Posters, Taskwire]]:
    slack = SlackSandbox(
        mode="http", manifest=manifest.make_manifest("https://taskwire.example.com/slack/events")
    )
    async with new_bench_place(directory, slack) as place, run_module(place, "tests.bench.poster") as poster:
        place.settings |= {"SLACK_APP_TOKEN": "", "SLACK_SIGNING_SECRET": slack.signing_secret}
        posters = Posters(place, OrderWriter(poster))
        posters.add_people()
        before = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, before[1]))
        async with run_module(place, *app) as bot:
            resource.setrlimit(resource.RLIMIT_NOFILE, before)
            posters.port = await bot.port()
            if app[-1] == "run":
                await bot.wait_until_ready()
            yield posters, bot
