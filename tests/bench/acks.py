"""How long Slack waits for the ack of a command that is durably written, compared with a Bolt app that only
acks."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import cast

from taskwire_sandbox.coder.faults import hang
from tests.bench.figures import Figure, percentile
from tests.bench.orders import Orders, Spell
from tests.bench.places import bench_place, spawned
from tests.process.processes import Place

PEOPLE = 50
ROOM = "crowd"
ROUNDS = 8
# In each round: commands sent one at a time, and bursts. Pauses between them let most of the follow-up work
# end.
EACH, BURSTS = 100, 5
# Fewer rounds while Coder hangs: commands pile up, and each person may have only fifty commands waiting.
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


class Typists:
    """Fifty people who type commands. Each person has an intake queue."""

    def __init__(self, place: Place, orders: Orders) -> None:
        self.alone: list[float] = []
        self.together: list[float] = []
        self.place = place
        self.orders = orders
        self._count = 0

    def like(self) -> "Typists":
        """Return the same people with empty measurements."""
        return Typists(self.place, self.orders)

    async def types(self) -> None:
        """Type commands one after the other, then in bursts of one command from each person."""
        self.alone += await self.typed(EACH, at_once=1, pause_seconds=ALONE_PAUSE_SECONDS)
        pause_seconds = TOGETHER_PAUSE_SECONDS
        self.together += await self.typed(BURSTS * PEOPLE, at_once=PEOPLE, pause_seconds=pause_seconds)

    def add_people(self) -> None:
        """Add the people and their channel to the stand-ins."""
        for number in range(PEOPLE):
            name = _name(number)
            self.place.slack.add_user(name, email=f"{name}@example.com")
            self.place.coder.add_user(name)
        self.place.slack.add_channel(ROOM, [_name(number) for number in range(PEOPLE)])

    async def typed(self, count: int, *, at_once: int, pause_seconds: float) -> list[float]:
        """Type this number of commands and return the milliseconds until each ack."""
        payloads = [self._payload(number % PEOPLE) for number in range(count)]
        return await self.give(Spell(payloads=payloads, at_once=at_once, pause_seconds=pause_seconds))

    async def give(self, spell: Spell) -> list[float]:
        """Let the child process type the commands of a spell."""
        return cast("list[float]", await self.orders.give(spell.model_dump_json()))

    def _payload(self, number: int) -> dict[str, str]:
        """Return a command about a task that does not exist: it is written down, acknowledged, and refused
        later."""
        self._count += 1
        slack = self.place.slack
        user, channel = slack.workspace.user(_name(number)), slack.workspace.channel(ROOM)
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
    """Measure the apps in alternating rounds, so that other load on the machine affects all of them alike."""
    directory.mkdir()  # noqa: ASYNC240 - once, before anything is measured
    async with (
        _typists(directory / "bare", "tests.bench.bare") as (bare, _),
        _typists(directory / "first", "tests.bench.bare", "--first") as (first, _),
        _typists(directory / "ours", "taskwire.cli", "run") as (ours, place),
    ):
        await asyncio.gather(*(typists.types() for typists in (bare, first, ours)))
        for typists in (bare, first, ours):
            typists.alone.clear()
            typists.together.clear()
        for _ in range(ROUNDS):
            for typists in (bare, first, ours):
                await typists.types()
        place.coder.plan_fault("*", hang(), times=None)
        hanging = ours.like()
        for _ in range(HANGING_ROUNDS):
            await hanging.types()
        place.coder.clear_faults()
    return [*_figures(ours, bare, first, ""), *_figures(hanging, bare, None, HANGING)]


def _figures(ours: Typists, bare: Typists, first: Typists | None, when: str) -> list[Figure]:
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
async def _typists(directory: Path, *app: str) -> AsyncIterator[tuple[Typists, Place]]:
    """Run an app in a workspace, with the people who type there in a process of their own."""
    async with bench_place(directory) as place, spawned(place, "tests.bench.typist") as typist:
        typists = Typists(place, Orders(typist))
        typists.add_people()
        port = (await typist.says(r"port=(\d+)"))[1]
        place.slack.backend.socket_url = lambda: f"ws://127.0.0.1:{port}/link"
        async with spawned(place, *app):
            yield typists, place
