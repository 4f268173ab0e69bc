"""Coder suspends a person's account, and then does not answer. The bot still knows of the suspension, so the
person reads and does nothing of what other people can read and do without Coder."""

import pytest

from taskwire_sandbox.coder import SandboxTask
from taskwire_sandbox.coder.faults import server_error

from .people import Thread
from .test_connect import pastes
from .waiting import a_busy_agent
from .world import CARD_SECONDS, World

BY_ADDRESS = "Your Coder account (alice@example.com) is suspended. Ask a Coder administrator."


def goes_away(world: World) -> None:
    """Let Coder answer no question about people and tasks any more."""
    for route in ("users.get", "users.list", "tasks.list", "tasks.get"):
        world.coder.plan_fault(route, server_error(status=503), times=500)


async def _a_task_of_a_private_channel(world: World) -> tuple[Thread, SandboxTask]:
    world.slack.add_channel("secret", ["alice"], kind="private")
    thread = await world.alice.runs("/task create fix the login", "secret")
    await world.polls()
    await world.passes(seconds=3)
    task = world.task("fix-the-login")
    task.becomes("working", "The new password is in vault 7")
    await world.polls()
    await world.passes(CARD_SECONDS)
    thread.new_messages()
    return thread, task


@pytest.mark.parametrize("accounts", ["service", "both"])
async def test_a_suspended_owner_reads_nothing(world: World, accounts: str) -> None:
    """Alice has left the channel of her task, and has read that her account is suspended. While Coder does
    not answer, no command and no Home tab shows her what the agent says."""
    shown = BY_ADDRESS
    if accounts == "both":
        await world.restarts(accounts="both")
        await world.alice.types("/task connect")
        await pastes(world, world.alice, world.coder.add_token("alice"))
        world.alice.reads()
        shown = BY_ADDRESS.replace("alice@example.com", "alice")
    await _a_task_of_a_private_channel(world)
    world.coder.suspend("alice")
    await world.forgets()
    await world.alice.types("/task list")
    told = world.alice.reads()
    world.slack.workspace.channel("secret").members.remove(world.alice.id)
    await world.forgets()
    goes_away(world)

    for command in ("/task list", "/task status fix-the-login", "/task"):
        await world.alice.types(command)

    assert told == [shown]
    assert world.alice.reads() == [shown] * 3
    assert "vault 7" not in await world.alice.opens_home()


async def test_a_person_who_is_active_again_reads_on(world: World) -> None:
    """Coder has suspended Alice's account, and has activated it again. Once the bot has seen this, she reads
    her tasks also while Coder does not answer."""
    await _a_task_of_a_private_channel(world)
    world.coder.suspend("alice")
    await world.forgets()
    await world.alice.types("/task list")
    told = world.alice.reads()
    world.coder.user("alice").status = "active"
    await world.forgets()
    await world.alice.types("/task list")
    world.alice.reads()
    await world.forgets()
    goes_away(world)

    await world.alice.types("/task list")

    assert told == [BY_ADDRESS]
    assert "vault 7" in world.alice.reads()[0]


async def test_a_suspended_administrator_ends_no_thread(world: World) -> None:
    """Root is an administrator whose account Coder has suspended. While Coder does not answer, root can
    neither mute nor detach a task, nor list the tasks."""
    root = world.person("root")
    await world.slack.join(root.id, "general")
    await world.restarts(admins=(root.id,))
    thread, _ = await a_busy_agent(world)
    thread.new_messages()
    world.coder.suspend("root")
    await world.forgets()
    await root.types("/task list")
    told = root.reads()
    await world.forgets()
    goes_away(world)

    await root.types("/task list")
    await root.replies(thread, "!mute")
    await root.replies(thread, "!detach")

    assert told == [BY_ADDRESS.replace("alice", "root")]
    assert set(root.reads()) == set(told)
    assert thread.new_messages() == []


@pytest.mark.parametrize(
    ("accounts", "how"), [("service", "list"), ("both", "list"), ("connected", "list"), ("service", "reply")]
)
async def test_a_person_who_was_deleted_in_coder_reads_nothing(world: World, accounts: str, how: str) -> None:
    """Alice has left the channel of her task. Her user is deleted in Coder, and an answer says so. While
    Coder does not answer, no command and no Home tab shows her what the agent says."""
    await world.restarts(accounts="service" if accounts == "service" else "both")
    if accounts == "connected":
        await world.alice.types("/task connect")
        await pastes(world, world.alice, world.coder.add_token("alice"))
    thread, _ = await _a_task_of_a_private_channel(world)
    del world.coder.world.users[world.coder.user("alice").id]
    for key in [key for key, token in world.coder.world.tokens.items() if token.user.username == "alice"]:
        del world.coder.world.tokens[key]
    await world.ages(seconds=30)
    await world.forgets()
    if how == "list":
        await world.alice.types("/task list")
    else:
        await world.alice.replies(thread, "go on")
    told = world.alice.reads()[-1]
    world.slack.workspace.channel("secret").members.remove(world.alice.id)
    await world.ages(seconds=30)
    goes_away(world)

    for command in ("/task list", "/task status fix-the-login", "/task"):
        await world.alice.types(command)
    shown = [*world.alice.reads(), await world.alice.opens_home()]

    assert "No Coder user has your address" in told or "onnect" in told
    assert len(shown) == 4
    assert not [each for each in shown if "vault 7" in each]
    if accounts != "connected":
        assert shown[0] == (
            "Coder does not answer now. When it last did, it had no account for you. "
            "I can look again when it answers."
        )
    world.coder.clear_faults()
    if accounts != "service":
        # Her requests wait until she connects another account.
        world.coder.add_user("alice2", email="alice2@example.com")
        await world.alice.types("/task connect")
        await pastes(world, world.alice, world.coder.add_token("alice2"))
    world.alice.reads(), world.alice.hears()


async def test_a_suspended_person_changes_no_channel(world: World) -> None:
    """Alice has read that her account is suspended. The settings of the channel are not in her dialog."""
    world.coder.suspend("alice")
    await world.alice.types("/task list")
    told = world.alice.reads()

    await world.alice.types("/task settings")

    assert told == [BY_ADDRESS]
    assert BY_ADDRESS in world.alice.dialog()
    assert "Who can steer" not in world.alice.dialog()


async def test_a_share_of_a_suspended_owner_shows_nothing(world: World) -> None:
    """Alice shares her task of a private channel with Bob, who is not there. Coder suspends her account, and
    the bot has told her so. While Coder does not answer, Bob reads nothing of the task."""
    thread, task = await _a_task_of_a_private_channel(world)
    await world.alice.replies(thread, f"!share <@{world.bob.id}>")
    world.coder.suspend("alice")
    await world.ages(seconds=30)
    await world.alice.types("/task list")
    told = world.alice.reads()[-1]
    world.bob.hears()
    goes_away(world)

    for command in ("/task list", f"/task status {task.name}", "/task"):
        await world.bob.types(command)
    shown = [*world.bob.reads(), await world.bob.opens_home()]

    assert told == BY_ADDRESS
    assert len(shown) == 4
    assert not [each for each in shown if "vault 7" in each]
    thread.new_messages()
    # Coder tells then who owns the task.
    world.coder.clear_faults()
    await world.passes(seconds=60)
    world.reader.read_all()
