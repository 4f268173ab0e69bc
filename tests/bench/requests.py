"""HTTP mode: how soon 200 signed commands at once are acked, and single commands among 2,000 half-sent
requests."""

import contextlib
import resource
import socket
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import cast

from taskwire.slack import manifest
from taskwire_sandbox.slack import SlackSandbox
from tests.bench.acks import ALONE_PAUSE_SECONDS, BARE, Typists
from tests.bench.figures import Figure, percentile
from tests.bench.orders import Orders, Spell
from tests.bench.places import bench_place, spawned
from tests.bench.poster import Posting
from tests.process.processes import Taskwire

AT_ONCE, ROUNDS, BURSTS = 200, 6, 4
PAUSE_SECONDS = 2.0
CROWD, DESCRIPTORS, AMID = 2_000, 1_024, 100
HALF = b"POST /slack/events HTTP/1.1\r\nHost: taskwire\r\n"
QUIET = "the same without them"


class Posters(Typists):
    """The same people, whose commands come by HTTP."""

    port = 0

    async def give(self, spell: Spell) -> list[float]:
        """Post the commands of a spell and return the milliseconds until each ack."""
        url = f"http://127.0.0.1:{self.port}{manifest.REQUEST_PATH}"
        posting = Posting(url=url, secret=self.place.slack.signing_secret, spell=spell)
        return cast("list[float]", await self.orders.give(posting.model_dump_json()))

    async def bursts(self) -> None:
        """Post several bursts of commands."""
        self.together += await self.typed(BURSTS * AT_ONCE, at_once=AT_ONCE, pause_seconds=PAUSE_SECONDS)


async def measure_requests(directory: Path) -> Sequence[Figure]:
    """Measure bursts in alternating rounds; then single commands, without and with a crowd of half-sent
    requests."""
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
        quiet = await ours.typed(AMID, at_once=1, pause_seconds=ALONE_PAUSE_SECONDS)
        with _crowd(ours.port):
            amid = await ours.typed(AMID, at_once=1, pause_seconds=ALONE_PAUSE_SECONDS)
            ready = (await bot.readiness())[0]
    what = f"signed requests, {AT_ONCE} at once"
    crowd = f"amid {CROWD:,} half requests, {DESCRIPTORS:,} descriptors (ready: {ready})"
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
        Figure(f"ack p99 {crowd}", percentile(amid, 0.99), "ms", percentile(quiet, 0.99), QUIET),
        Figure(f"longest ack {crowd}", max(amid), "ms", max(quiet), QUIET, "under 1 s"),
    )


@contextlib.contextmanager
def _crowd(port: int) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (before[1], before[1]))
    with contextlib.ExitStack() as stack:
        stack.callback(resource.setrlimit, resource.RLIMIT_NOFILE, before)
        for _ in range(CROWD):
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
    async with bench_place(directory, slack) as place, spawned(place, "tests.bench.poster") as poster:
        place.settings |= {"SLACK_APP_TOKEN": "", "SLACK_SIGNING_SECRET": slack.signing_secret}
        posters = Posters(place, Orders(poster))
        posters.add_people()
        before = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, before[1]))
        async with spawned(place, *app) as bot:
            resource.setrlimit(resource.RLIMIT_NOFILE, before)
            posters.port = await bot.port()
            if app[-1] == "run":
                await bot.is_ready()
            yield posters, bot
