"""A task that waits to be created or attached, in a channel where that is no longer allowed."""

import pytest

from taskwire.domain.ids import TaskId
from taskwire_sandbox.coder import faults
from taskwire_sandbox.slack import CallFault

from .world import World

NOT_IN = "We must both be in <#{}>, so nothing was {}. Join it and invite me, or use another channel."
SHARED = (
    "<#{}> is shared with another company, which could read what the agent writes, so nothing was {}. Use "
    "another channel, or ask a Taskwire administrator to allow this one."
)
NARROWED = (
    "The task {}. Taskwire does not work in this channel. Write to me directly, or ask a Taskwire "
    "administrator for a channel in which it works."
)
CHANGES = ["left", "shared", "narrowed"]


def add_channel(world: World, change: str) -> str:
    """Add the channel *proj*, and return its id."""
    people = ["alice", "bob"]
    if change == "left":
        return str(world.slack.add_channel("proj", people, kind="private").id)
    return str(world.slack.add_channel("proj", people).id)


async def changes(world: World, change: str) -> None:
    """Let the channel become one in which Alice may create no task."""
    channel = world.slack.workspace.channel("proj")
    if change == "left":
        channel.members.remove(world.alice.id)
    elif change == "shared":
        channel.is_ext_shared = True
    else:
        await world.restarts(allowed_channels=(world.slack.workspace.channel("general").id,))
    await world.forgets()
    await world.ages(seconds=60)


def refusal(change: str, channel: str, *, is_attached: bool = False) -> str:
    """Return what Alice reads at last."""
    lost, done = ("got no thread here", "attached") if is_attached else ("was not created", "created")
    return {"left": NOT_IN, "shared": SHARED}.get(change, NARROWED.format(lost)).format(channel, done)


async def waits(world: World, change: str) -> str:
    """Let the channel change while the request waits, and let the request be tried again. Return what Alice
    reads at last."""
    await changes(world, change)
    for _ in range(6):
        await world.passes(seconds=60)
    return [*world.alice.reads(), *world.alice.hears()][-1]


@pytest.mark.parametrize("change", CHANGES)
async def test_a_task_that_waits_for_coder_is_not_created_there(world: World, change: str) -> None:
    """Coder refuses connections when Alice asks for a task. Before it answers again, she leaves the channel,
    another company joins it, or the settings exclude it. No task is created, and she reads why."""
    channel = add_channel(world, change)
    world.coder.plan_fault("tasks.create", faults.refused(), times=3)
    thread = await world.alice.runs("/task create fix it", "proj")

    told = await waits(world, change)

    assert not world.coder.tasks
    assert told == refusal(change, channel)
    assert thread.card().startswith("Not created: fix it. ")
    thread.new_messages()


@pytest.mark.parametrize("change", CHANGES)
async def test_a_card_that_waits_for_slack_is_not_posted_there(world: World, change: str) -> None:
    """Slack takes no card when Alice asks for a task, and meanwhile the channel changes. Neither the card nor
    the task appears."""
    channel = add_channel(world, change)
    world.slack.faults.add("chat.postMessage", CallFault.RATE_LIMITED, seconds=30)
    await world.alice.types("/task create fix it", "proj")

    told = await waits(world, change)

    assert not world.coder.tasks
    assert told == refusal(change, channel)


@pytest.mark.parametrize("skips", [1, 2])
@pytest.mark.parametrize("change", CHANGES)
async def test_a_task_that_waits_is_not_attached_there(world: World, change: str, skips: int) -> None:
    """Coder refuses connections while Alice's task is attached, before or after its card is posted. Meanwhile
    the channel changes, and the task gets no thread there."""
    channel = add_channel(world, change)
    task = world.coder.add_task("alice", "fix it", name="loose")
    await world.polls()
    world.coder.plan_fault("tasks.get", faults.refused(), times=3, skips=skips)
    await world.alice.types(f"/task attach {task.name}", "proj")
    cards = world.reader.new_roots()

    told = await waits(world, change)

    assert told == refusal(change, channel, is_attached=True)
    assert len(cards) == skips - 1
    assert await world.bot.parts.deps.links.find_by_task(TaskId(task.id)) is None
    world.reader.new_roots()
