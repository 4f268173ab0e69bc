"""A process stops for a while in the middle of a call to Slack. Meanwhile another process shows a newer
state. When the first process goes on, the newer state must stay."""

import asyncio
from collections.abc import Callable

import pytest

from taskwire_sandbox.slack import Call, CallFault

from .running_tasks import a_task, card
from .waiting import a_busy_agent
from .world import World

# After this time a lease has lapsed, and the bot has asked a busy agent again.
LATER_SECONDS = 31


class Stopped:
    """Holds the first call that meets a condition, as if the calling process had been stopped just before the
    call."""

    def __init__(self, world: World, fits: Callable[[Call], bool]) -> None:
        self._fits = fits
        self.is_held = False
        self._goes_on = asyncio.Event()
        world.slack.on_call = self._hold

    async def _hold(self, phase: str, call: Call) -> None:
        if phase == "before" and not self.is_held and self._fits(call):
            self.is_held = True
            await self._goes_on.wait()

    def goes_on(self) -> None:
        """Let the held call continue."""
        self._goes_on.set()


async def _later(world: World) -> None:
    """Let time pass until another process takes over the stopped process's lease."""
    world.clock.passes(LATER_SECONDS)
    await world.coder.catch_up()
    await world.connections.commands.lpush(world.keys.named("wakeups"), "1")


def _methods(world: World) -> list[str]:
    return [call.method for call in world.slack.calls if call.outcome]


async def test_a_late_hourglass_does_not_take_the_place_of_the_tick(world: World) -> None:
    """A process stops before it adds the hourglass, and another process adds the tick. The first process then
    adds its hourglass. The reply still shows the tick."""
    thread, task = await a_busy_agent(world)
    stopped = Stopped(world, lambda call: call.arguments.get("name") == "hourglass_flowing_sand")
    reply = await world.slack.post(world.alice.id, thread.channel, "use main", thread.ts)
    await world.until(lambda: stopped.is_held, "a process stands still")
    task.becomes("idle")
    await _later(world)
    await world.until(lambda: thread.receipt(reply) == ["white_check_mark"], "the reply is ticked")

    stopped.goes_on()
    await world.settles()

    assert thread.receipt(reply) == ["white_check_mark"]


@pytest.mark.parametrize(
    ("method", "name"),
    [("reactions.add", "white_check_mark"), ("reactions.remove", "hourglass_flowing_sand")],
)
async def test_a_late_mark_goes_although_slack_lets_its_repair_wait(
    world: World, method: str, name: str
) -> None:
    """A stopped process adds the hourglass after another process has added the tick. Slack's rate limit
    delays the repair. The bot tries again, and the reply shows the tick."""
    thread, task = await a_busy_agent(world)
    stopped = Stopped(world, lambda call: call.arguments.get("name") == "hourglass_flowing_sand")
    reply = await world.slack.post(world.alice.id, thread.channel, "use main", thread.ts)
    await world.until(lambda: stopped.is_held, "a process stands still")
    task.becomes("idle")
    await _later(world)
    await world.until(lambda: "reactions.remove" in _methods(world), "the reply is ticked")

    fault = world.slack.faults.add(
        method, CallFault.RATE_LIMITED, seconds=5, where=lambda body: body.get("name") == name
    )
    stopped.goes_on()
    await world.settles()
    await world.passes(seconds=8)

    assert fault.hits == 1
    assert thread.receipt(reply) == ["white_check_mark"]


async def test_a_late_card_does_not_stay_over_a_newer_one(world: World) -> None:
    """A process stops before it edits a card, and another process edits the card. The first process then
    makes its edit. The bot edits the card again, so that it shows the present state."""
    thread, task = await a_task(world)
    await card(world, thread)
    stopped = Stopped(world, lambda call: call.method == "chat.update")
    task.becomes("working", "Reading the tests")
    await world.bot.parts.poller.poll()
    await world.until(lambda: stopped.is_held, "a process stands still")
    task.becomes("complete", "Opened PR #12")
    await world.bot.parts.poller.poll()
    await _later(world)
    await world.until(lambda: "Opened PR #12" in thread.card(), "the card shows the end")

    stopped.goes_on()
    await world.settles()

    assert (await card(world, thread)).startswith("Done: Fix the login redirect. Opened PR #12.")
    assert len(thread.new_messages()) == 1
