"""The right to attach a task counts when its card is posted, and again when the task gets its thread."""

import pytest

from taskwire.domain.ids import TaskId
from taskwire_sandbox.coder import SandboxTask, faults

from .people import Person
from .test_channel_settings import set_channel
from .waiting import takes_all
from .world import World

NO_THREAD = "The task got no thread here. "
NO_SUCH = f"{NO_THREAD}There is no such task that you can see here. It may have been deleted. "
NOT_YOURS = f"{NO_THREAD}*Rotate the payroll keys* belongs to Alice, so you can't give it a thread. "


async def _an_administrator(world: World, *, is_open: bool, accounts: str = "service") -> Person:
    root = world.person("root")
    await world.slack.join(root.id, "general")
    await world.restarts(admins=(root.id,), accounts=accounts)
    if is_open:
        await set_channel(world, root, steerers="Everybody in this channel")
        world.cards()
    return root


async def _is_no_administrator_any_more(world: World, accounts: str = "service") -> None:
    """Remove Root from the administrators while the request waits, and let it be tried again."""
    await world.restarts(admins=(), accounts=accounts)
    await world.ages(seconds=60)
    world.coder.clear_faults()
    for _ in range(6):
        await world.passes(seconds=60)


async def _is_linked(world: World, task: SandboxTask) -> bool:
    return await world.bot.parts.deps.links.find_by_task(TaskId(task.id)) is not None


@pytest.mark.parametrize("is_open", [True, False], ids=["everybody may steer", "the owner steers"])
@pytest.mark.parametrize("is_posted", [True, False], ids=["after the card", "before the card"])
async def test_a_former_administrator_attaches_no_task_of_others(
    world: World, *, is_posted: bool, is_open: bool
) -> None:
    """Root attaches a task of Alice in #general, and Coder does not answer before or after the card is
    posted. Meanwhile Root is removed from the administrators. The task gets no thread, and Root reads why. A
    card that is not posted yet does not appear."""
    root = await _an_administrator(world, is_open=is_open)
    task = world.coder.add_task("alice", "rotate the payroll keys")
    await world.polls()
    skips = 2 if is_posted else 1
    world.coder.plan_fault("tasks.get", faults.server_error(status=503), times=500, skips=skips)
    await root.types(f"/task attach alice/{task.name}")

    await _is_no_administrator_any_more(world)

    assert not await _is_linked(world, task)
    assert [*root.reads(), *root.hears()][-1].startswith(NOT_YOURS if is_posted else NO_SUCH)
    assert [card.split(":")[0] for card in world.cards()] == (["Not attached"] if is_posted else [])


@pytest.mark.parametrize("accounts", ["service", "both"])
async def test_a_former_administrator_moves_no_task_of_others(world: World, accounts: str) -> None:
    """Root moves a task of Alice from a private channel to #general, where everybody may steer. Its thread is
    detached, and then Coder does not answer. Meanwhile Root is removed from the administrators. No card
    appears in #general. The old thread says that it is detached, and Alice can attach the task again."""
    root = await _an_administrator(world, is_open=True, accounts=accounts)
    world.slack.add_channel("secret", ["alice"], kind="private")
    thread = await world.alice.runs("/task create rotate the payroll keys", "secret")
    task = world.task("rotate-the-payroll-keys")
    await takes_all(world, task)
    world.coder.plan_fault("tasks.get", faults.server_error(status=503), times=500, skips=2)
    await root.types(f"/task attach alice/{task.name}")

    await _is_no_administrator_any_more(world, accounts)
    told = [*root.reads(), *root.hears()][-1]
    said = thread.new_messages()[-1]
    cards = world.cards()
    await world.alice.clicks(thread, "Attach again")
    await world.passes(seconds=10)

    assert told.startswith(NO_SUCH)
    assert said.startswith("Detached: replies here no longer reach the agent.")
    assert cards == []
    assert await _is_linked(world, task)
    assert "Rotate the payroll keys" in world.cards()[0]
    world.alice.reads(), thread.new_messages()
