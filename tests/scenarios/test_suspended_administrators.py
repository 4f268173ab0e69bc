"""An administrator needs no Coder account, but one whose account is suspended is refused. No way around that
helps, and it ends when Coder says so."""

import pytest

from taskwire_sandbox.coder import SandboxTask

from .people import Person, Thread
from .test_connect import pastes
from .test_suspended_in_an_outage import goes_away
from .waiting import a_busy_agent
from .world import World


def _suspended(name: str) -> str:
    return f"Your Coder account ({name}) is suspended. Ask a Coder administrator."


async def _tries(world: World, root: Person, thread: Thread, task: SandboxTask) -> list[str]:
    """Try to see and to steer another person's task. Return what Root reads."""
    await world.forgets()
    await root.types("/task list")
    await root.types(f"/task logs alice/{task.name}")
    await root.replies(thread, "!pause")
    await world.passes(seconds=5)
    return root.reads()


async def test_an_administrator_disconnects_a_suspended_account(world: World) -> None:
    """Root has connected an account whose address is not Root's in Slack. It is suspended, and Root
    disconnects it at once."""
    root = world.person("root", in_coder=False)
    world.coder.add_user("toor", email="toor@elsewhere.example")
    await world.slack.join(root.id, "general")
    await world.restarts(accounts="both", admins=(root.id,))
    thread, task = await a_busy_agent(world)
    await root.types("/task connect")
    await pastes(world, root, world.coder.add_token("toor"))
    root.reads()
    world.coder.suspend("toor")
    await world.ages(seconds=60)

    await root.types("/task disconnect")

    assert "Coder has suspended this account" in root.reads()[0]
    assert await _tries(world, root, thread, task) == [_suspended("toor")] * 3
    assert task.status == "active"
    world.coder.user("toor").status = "active"
    listed, *_ = await _tries(world, root, thread, task)
    assert "Fix the login" in listed
    assert task.status == "paused"


async def test_a_renamed_administrator_disconnects_a_suspended_account(world: World) -> None:
    """Root has connected an account that has another name in Coder since then, and somebody else has its old
    name. It is suspended, and Root disconnects it."""
    root = world.person("root", in_coder=False)
    user = world.coder.add_user("toor", email="toor@elsewhere.example")
    await world.slack.join(root.id, "general")
    await world.restarts(accounts="both", admins=(root.id,))
    thread, task = await a_busy_agent(world)
    await root.types("/task connect")
    await pastes(world, root, world.coder.add_token("toor"))
    user.username = "toor2"
    world.coder.world.add_user(user)
    world.coder.add_user("toor", email="another@elsewhere.example")
    user.status = "suspended"
    await world.forgets()
    await root.types("/task list")
    await root.types("/task disconnect")
    root.reads()

    assert await _tries(world, root, thread, task) == [_suspended("toor")] * 3
    assert task.status == "active"
    thread.new_messages()


async def test_an_administrator_changes_the_address_of_their_profile(world: World) -> None:
    """Root's account is found by the address in Slack. It is suspended. Root then changes the address to one
    that no Coder user has. When Coder has deleted the account, Root has none, as other administrators."""
    root = world.person("root")
    await world.slack.join(root.id, "general")
    await world.restarts(admins=(root.id,))
    thread, task = await a_busy_agent(world)
    world.coder.suspend("root")
    await world.ages(seconds=60)
    assert await _tries(world, root, thread, task) == [_suspended("root@example.com")] * 3

    await world.slack.change_user("root", email="root2@example.com")

    assert await _tries(world, root, thread, task) == [_suspended("root@example.com")] * 3
    assert task.status == "active"
    del world.coder.world.users[world.coder.user("root").id]
    await _tries(world, root, thread, task)
    assert task.status == "paused"
    thread.new_messages()


@pytest.mark.parametrize("accounts", ["service", "both", "personal"])
async def test_a_suspended_administrator_does_not_read_who_did_what(world: World, accounts: str) -> None:
    """Root's account is suspended. Root neither reads nor exports the audit trail, and cannot run the doctor,
    also while Coder does not answer."""
    root = world.person("root")
    await world.slack.join(root.id, "general")
    await world.restarts(
        accounts=accounts,
        admins=(root.id,),
        **({"coder_session_token": None} if accounts == "personal" else {}),
    )
    if accounts == "personal":
        for person in (world.alice, root):
            await person.types("/task connect")
            await pastes(world, person, world.coder.add_token(person.name))
    thread, _ = await a_busy_agent(world)
    world.coder.suspend("root")
    await world.forgets()
    await world.ages(seconds=30)
    root.reads(), world.alice.reads()

    commands = ("/task audit", "/task audit export", "/task doctor")
    for command in commands:
        await root.types(command)
    there = root.reads()
    await world.forgets()
    goes_away(world)
    for command in commands:
        await root.types(command)
    away = root.reads()

    assert len(there) == len(away) == 3
    assert not [each for each in (*there, *away) if "suspended" not in each]
    world.coder.clear_faults()
    thread.new_messages(), root.hears()
