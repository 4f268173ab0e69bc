"""People act by a share, while Coder does not tell whether the task's owner still owns it. The act waits."""

import pytest

from taskwire_sandbox.coder import SandboxTask, faults

from .people import Person, Thread
from .test_owner_changes import connects
from .test_revoked_tokens import connects_alices_user, revokes_alices_tokens
from .waiting import takes_all
from .world import World


async def _acts(world: World, dave: Person, thread: Thread, task: SandboxTask, *silent: str) -> bool:
    """Let Dave write to the agent and stop it while Coder does not answer on these routes. Return whether one
    of the two happened, also after Coder answers again."""
    for route in silent:
        world.coder.plan_fault(route, faults.server_error(status=503), times=500)
    await dave.replies(thread, "push to main")
    await dave.replies(thread, "!stop")
    await world.passes(seconds=30)
    has_acted = bool(task.inputs) or task.status != "active"
    world.coder.clear_faults()
    for _ in range(4):
        await world.passes(seconds=60)
    return has_acted or bool(task.inputs) or task.status != "active"


def _leaves_unread(world: World, thread: Thread, *people: Person) -> None:
    for person in people:
        person.reads(), person.hears()
    thread.new_messages(), world.cards()


@pytest.mark.parametrize("is_seen", [True, False])
async def test_a_thiefs_share_gives_no_right_while_coder_names_nobody(world: World, *, is_seen: bool) -> None:
    """Mallory, with a stolen token, shares Alice's task with Dave. The tokens are revoked, which Taskwire has
    seen or not. Then Coder does not say who has a user. Dave neither writes to the agent nor stops it."""
    await world.restarts(accounts="both")
    thread = await world.alice.runs("/task create fix the login")
    task = world.task("fix-the-login")
    await takes_all(world, task)
    mallory, dave = await connects_alices_user(world), world.person("dave")
    await world.slack.join(dave.id, "general")
    await mallory.types(f"/task share {task.id} <@{dave.id}>")
    await world.passes(seconds=60)
    await revokes_alices_tokens(world)
    await world.ages(seconds=600)
    if is_seen:
        await dave.replies(thread, "before")
        await world.passes(seconds=20)
        await world.ages(seconds=60)

    assert not await _acts(world, dave, thread, task, "users.get")
    _leaves_unread(world, thread, mallory, dave, world.alice)


@pytest.mark.parametrize("accounts", ["service", "both"])
@pytest.mark.parametrize("owner", ["carol", "ghost"])
async def test_a_former_owners_share_gives_no_right_while_coder_names_nobody(
    world: World, accounts: str, owner: str
) -> None:
    """Bob shares a task with Dave. Then its Coder user has the address of Carol, or of nobody in Slack. Coder
    does not answer any question about people. Dave neither writes to the agent nor stops it."""
    await world.restarts(accounts=accounts)
    thread = await world.bob.runs("/task create fix the login")
    task = world.task("fix-the-login")
    await takes_all(world, task)
    carol, dave = world.person("carol", in_coder=False), world.person("dave")
    for person in (carol, dave):
        await world.slack.join(person.id, "general")
    await world.bob.replies(thread, f"!share <@{dave.id}>")
    world.coder.user("bob").email = f"{owner}@example.com"
    world.coder.add_user("bob2", email="bob@example.com")
    await world.ages(seconds=600)
    await dave.types("/task templates")

    assert not await _acts(world, dave, thread, task, "users.get", "users.list")
    _leaves_unread(world, thread, world.bob, carol, dave)


async def test_a_share_counts_again_once_coder_names_the_owner(world: World) -> None:
    """Bob shares his task with Dave. While Coder does not say who Bob is, Dave's reply waits. Then the agent
    gets it."""
    await world.restarts(accounts="both")
    await connects(world, world.bob, "bob")
    thread = await world.bob.runs("/task create fix the login")
    task = world.task("fix-the-login")
    await takes_all(world, task)
    dave = world.person("dave")
    await world.slack.join(dave.id, "general")
    await world.bob.replies(thread, f"!share <@{dave.id}>")
    await world.ages(seconds=600)
    world.coder.plan_fault("users.get", faults.server_error(status=503), times=500)

    await dave.replies(thread, "add a test")
    await world.passes(seconds=30)
    before = list(task.inputs)
    world.coder.clear_faults()
    for _ in range(4):
        await world.passes(seconds=60)

    assert before == []
    assert task.inputs == ["Dave wrote:\n> add a test"]
    _leaves_unread(world, thread, world.bob, dave)
