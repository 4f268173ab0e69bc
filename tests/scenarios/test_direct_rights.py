"""A direct message with an agent's words reaches only a person who may read the task when it is sent."""

from collections.abc import Awaitable, Callable

import pytest

from taskwire_sandbox.slack.faults import CallFault
from taskwire_sandbox.slack.workspace import PRIVATE

from .people import Thread
from .running_tasks import TITLE, a_task
from .test_preferences import ASKED, asks, is_quiet_for_two_hours, saves
from .world import World

CALL = f"Needs you: {TITLE}. Which config should I keep?\n[Open thread]"


async def _leaves(world: World) -> None:
    """Let Bob leave the private channel of the task."""
    await world.slack.leave("bob", "general")


async def _suspended(world: World) -> None:
    world.coder.suspend("bob")


async def _removed(world: World) -> None:
    world.coder.user("bob").email = "nobody@example.com"


async def _guest(world: World) -> None:
    world.slack.workspace.user("bob").is_restricted = True


async def _nothing(world: World) -> None:
    """Let Bob keep all his rights."""


Loss = Callable[[World], Awaitable[None]]
LOSSES: tuple[Loss, ...] = (_leaves, _suspended, _removed, _guest)


async def _watched_by_bob(world: World) -> Thread:
    """Let Alice create a task in a private channel. Bob watches it, and wants direct messages."""
    world.slack.workspace.channel("general").kind = PRIVATE
    thread, _ = await a_task(world)
    await saves(world, world.bob, calls="direct")
    await world.bob.replies(thread, "!watch")
    thread.new_messages(), world.bob.reads()
    return thread


@pytest.mark.parametrize("loses", [*LOSSES, _nothing])
async def test_a_call_that_waits_for_slack_is_checked_when_it_is_sent(world: World, loses: Loss) -> None:
    """While Slack opens no direct messages, a notice is due of which Bob wants to be told by one. He loses
    his right before Slack is back. Then no word of the agent reaches him."""
    thread = await _watched_by_bob(world)
    world.slack.faults.add("conversations.open", CallFault.SERVER_ERROR, times=None)
    await asks(world)

    await loses(world)
    await world.ages(seconds=10)
    world.slack.faults.clear()
    await world.passes(600)

    assert thread.new_messages() == [f"<@{world.alice.id}> {ASKED}"]
    assert world.cards() == ([CALL] if loses is _nothing else [])


@pytest.mark.parametrize("has_share", [False, True])
@pytest.mark.parametrize("loses", [_suspended, _removed])
async def test_a_person_without_an_account_gets_no_call_directly(
    world: World, loses: Loss, has_share: bool
) -> None:
    """Bob's account in Coder is suspended or gone. `/task status` refuses him, and so no direct message tells
    him of the task that he watches, also if it is shared with him."""
    thread = await _watched_by_bob(world)
    if has_share:
        await world.alice.types(f"/task share {world.task('fix-the-login-redirect').name} <@{world.bob.id}>")
        await world.slack.leave("bob", "general")
        world.alice.reads(), world.cards()

    await loses(world)
    await world.ages(seconds=10)
    await asks(world)
    await world.passes(60)

    assert thread.new_messages() == [f"<@{world.alice.id}> {ASKED}"]
    assert world.cards() == []


async def test_a_suspended_owner_gets_no_call_directly(world: World) -> None:
    """The owner's account is suspended. The notice is in the thread, and no direct message repeats it."""
    thread, _ = await a_task(world)
    await saves(world, world.alice, calls="direct")

    world.coder.suspend("alice")
    await world.ages(seconds=10)
    await asks(world)
    await world.passes(60)

    assert thread.new_messages() == [ASKED]
    assert world.cards() == []


@pytest.mark.parametrize("loses", [*LOSSES, _nothing])
async def test_a_summary_that_waits_for_slack_is_checked_when_it_is_sent(world: World, loses: Loss) -> None:
    """Bob's quiet hours end while Slack opens no direct messages. He loses his right before Slack is back.
    Then the summary has no word of the agent."""
    thread = await _watched_by_bob(world)
    await is_quiet_for_two_hours(world, world.bob, calls="direct")
    await asks(world)
    world.slack.faults.add("conversations.open", CallFault.SERVER_ERROR, times=None)
    await world.passes(2 * 3600)

    await loses(world)
    await world.ages(seconds=10)
    world.slack.faults.clear()
    await world.passes(600)

    assert thread.new_messages() == [f"<@{world.alice.id}> {ASKED}"]
    told = [message.partition(" <")[0] for message in world.cards()]
    line = f"•  Needs you: {TITLE}, Alice. Which config should I keep?"
    assert told == ([f"During your quiet hours:\n{line}"] if loses is _nothing else [])


async def test_a_suspended_owner_gets_no_summary(world: World) -> None:
    """The owner's account is suspended in their quiet hours. No summary follows."""
    await is_quiet_for_two_hours(world, world.alice)
    thread, _ = await a_task(world)
    await asks(world)

    world.coder.suspend("alice")
    await world.ages(seconds=10)
    await world.passes(2 * 3600)

    assert thread.new_messages() == [ASKED]
    assert world.cards() == []
