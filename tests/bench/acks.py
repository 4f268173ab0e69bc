"""Measures how long Slack waits for the ack of a command that Taskwire stores durably. The baseline is a Bolt
app that only acks."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import cast

from taskwire_sandbox.coder.faults import hang
from tests.bench.figures import Figure, percentile
from tests.bench.orders import CommandBatch, OrderWriter
from tests.bench.places import new_bench_place, run_module
from tests.process.processes import Place

PEOPLE = 50
CHANNEL = "crowd"
ROUNDS = 8
# In each round, people send commands one at a time and then in bursts. During the pauses, the bot finishes
# most jobs of the earlier commands.
EACH, BURSTS = 100, 5
# Fewer rounds while Coder does not answer: commands pile up, and each person may have only fifty commands
# waiting.
HANGING_ROUNDS = 5
ALONE_PAUSE_SECONDS, TOGETHER_PAUSE_SECONDS = 0.01, 0.5
BARE = "a Bolt app that only acks"
FIRST = "the same, told to ack before it responds"
HANGING = ", Coder hanging"
_TARGETS = {
    ("p99", "alone"): "at most 1.5 times",
    ("p50", "together"): "at most 1.2 times",
    ("p99", "together"): "at most 1.0 times",
}


class CommandSenders:
    """Fifty people who type commands. Each person has their own intake queue."""

    def __init__(self, place: Place, orders: OrderWriter) -> None:
        self.alone: list[float] = []
        self.together: list[float] = []
        self.place = place
        self.orders = orders
        self._count = 0

    def copy_empty(self) -> "CommandSenders":
        """Return an object for the same people without measured times."""
        return CommandSenders(self.place, self.orders)

    async def run_round(self) -> None:
        """Type single commands, then bursts in which each person types one command."""
        self.alone += await self.time_acks(EACH, at_once=1, pause_seconds=ALONE_PAUSE_SECONDS)
        pause_seconds = TOGETHER_PAUSE_SECONDS
        self.together += await self.time_acks(BURSTS * PEOPLE, at_once=PEOPLE, pause_seconds=pause_seconds)

    def add_people(self) -> None:
        """Add the people and their channel to the stand-in for Slack."""
        for number in range(PEOPLE):
            name = _name(number)
            self.place.slack.add_user(name, email=f"{name}@example.com")
            self.place.coder.add_user(name)
        self.place.slack.add_channel(CHANNEL, [_name(number) for number in range(PEOPLE)])

    async def time_acks(self, count: int, *, at_once: int, pause_seconds: float) -> list[float]:
        """Type `count` commands in bursts of `at_once`, with a pause after each burst. Return the
        milliseconds until each ack."""
        payloads = [self._payload(number % PEOPLE) for number in range(count)]
        return await self.send(CommandBatch(payloads=payloads, at_once=at_once, pause_seconds=pause_seconds))

    async def send(self, batch: CommandBatch) -> list[float]:
        """Let the child process type the commands of a batch. Return the milliseconds until each ack."""
        return cast("list[float]", await self.orders.send(batch.model_dump_json()))

    def _payload(self, number: int) -> dict[str, str]:
        """Return the payload of a command about a task that does not exist. Taskwire stores and acks the
        command, and refuses it later."""
        self._count += 1
        slack = self.place.slack
        user, channel = slack.workspace.user(_name(number)), slack.workspace.channel(CHANNEL)
        return {
            "team_id": slack.workspace.team_id,
            "channel_id": channel.id,
            "channel_name": channel.name,
            "user_id": user.id,
            "user_name": user.name,
            "command": "/task",
            "text": f"pause nothing-{self._count}",
            "response_url": slack.backend.tickets.response_url("commands", user.id, channel.id),
            "trigger_id": slack.backend.tickets.trigger(user.id),
        }


async def measure_acks(directory: Path) -> Sequence[Figure]:
    """Measure the apps in alternating rounds, so that other load on the machine affects all apps equally."""
    directory.mkdir()  # noqa: ASYNC240 - once, before anything is measured
    async with (
        _senders(directory / "bare", "tests.bench.bare") as (bare, _),
        _senders(directory / "first", "tests.bench.bare", "--first") as (first, _),
        _senders(directory / "ours", "taskwire.cli", "run") as (ours, place),
    ):
        await asyncio.gather(*(senders.run_round() for senders in (bare, first, ours)))
        for senders in (bare, first, ours):
            senders.alone.clear()
            senders.together.clear()
        for _ in range(ROUNDS):
            for senders in (bare, first, ours):
                await senders.run_round()
        place.coder.plan_fault("*", hang(), times=None)
        hanging = ours.copy_empty()
        for _ in range(HANGING_ROUNDS):
            await hanging.run_round()
        place.coder.clear_faults()
    return [*_figures(ours, bare, first, ""), *_figures(hanging, bare, None, HANGING)]


def _figures(
    ours: CommandSenders, bare: CommandSenders, first: CommandSenders | None, when: str
) -> list[Figure]:
    found = []
    for share, part in (("p50", 0.5), ("p99", 0.99)):
        for how in ("alone", "together"):
            what = f"ack {share}, {'one at a time' if how == 'alone' else '50 at once'}{when}"
            mine = percentile(getattr(ours, how), part)
            target = _TARGETS.get((share, how), "")
            found.append(Figure(what, mine, "ms", percentile(getattr(bare, how), part), BARE, target))
            if first is not None:
                found.append(Figure(what, mine, "ms", percentile(getattr(first, how), part), FIRST))
    return found


def _name(number: int) -> str:
    return f"person-{number}"


@contextlib.asynccontextmanager
async def _senders(directory: Path, *app: str) -> AsyncIterator[tuple[CommandSenders, Place]]:
    """Run an app in a workspace. Return the people who type commands; a separate process plays them."""
    async with new_bench_place(directory) as place, run_module(place, "tests.bench.typist") as typist:
        senders = CommandSenders(place, OrderWriter(typist))
        senders.add_people()
        port = (await typist.says(r"port=(\d+)"))[1]
        place.slack.backend.socket_url = lambda: f"ws://127.0.0.1:{port}/link"
        async with run_module(place, *app):
            yield senders, place
