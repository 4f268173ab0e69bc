"""A task whose owner Slack does not show: an administrator has given it a thread. Who may steer it then?"""

import pytest

from taskwire_sandbox.coder import SandboxTask
from taskwire_sandbox.coder.faults import server_error

from .people import Person, Thread
from .test_channel_settings import set_channel
from .waiting import takes_all
from .world import World

REFUSED = "The agent did not get your reply: you can't steer this task."


async def _is_attached(
    world: World, accounts: str = "service", *, is_open: bool = False
) -> tuple[Thread, SandboxTask, Person]:
    """Let Root, an administrator, attach a task of Dora in #general. Dora has a user in Coder only, unless
    the test has added her to Slack. Return the thread, the task and Root."""
    root = world.person("root")
    await world.slack.join(root.id, "general")
    if "dora" not in {user.username for user in world.coder.world.users.values()}:
        world.coder.add_user("dora", email="dora@example.com")
    await world.restarts(accounts=accounts, admins=(root.id,))
    if is_open:
        await set_channel(world, root, steerers="Everybody in this channel")
    task = world.coder.add_task("dora", "fix the payroll")
    await world.polls()
    thread = await root.runs(f"/task attach dora/{task.name}")
    await takes_all(world, task)
    return thread, task, root


@pytest.mark.parametrize("accounts", ["service", "both"])
@pytest.mark.parametrize("owner", ["suspended", "not in Slack", "deactivated"])
async def test_a_channel_that_lets_everybody_steer_counts_for_known_owners_only(
    world: World, owner: str, accounts: str
) -> None:
    """Everybody in #general can steer the tasks there. Root attaches a task of Dora, whom Slack does not show
    as a member. Bob can neither write to its agent nor stop it, and the card does not say that he can."""
    if owner == "deactivated":
        world.slack.workspace.user(world.person("dora").id).deleted = True
    thread, task, root = await _is_attached(world, accounts, is_open=True)
    first = thread.card()
    if owner == "suspended":
        world.coder.suspend("dora")
        await world.forgets()

    await world.bob.replies(thread, "push to main")
    await world.bob.replies(thread, "!stop")
    await root.replies(thread, "add a test")
    await world.passes(seconds=30)

    assert task.inputs == ["Root wrote:\n> add a test"]
    assert task.status == "active"
    assert world.bob.reads()[0].startswith(REFUSED)
    assert "Everybody here can steer" not in first + thread.card()
    world.bob.reads(), root.reads(), thread.new_messages(), world.cards()


@pytest.mark.parametrize("change", ["suspended", "deleted"])
async def test_an_administrators_share_counts_while_the_owner_is_active_in_coder(
    world: World, change: str
) -> None:
    """Root shares the task of Dora, whom Slack does not show, with Bob. Bob can steer it as long as Coder
    shows Dora's user as active."""
    thread, task, root = await _is_attached(world)
    await root.replies(thread, f"!share <@{world.bob.id}>")
    await world.bob.replies(thread, "add a test")
    await world.passes(seconds=5)
    dora = world.coder.user("dora")
    if change == "suspended":
        world.coder.suspend("dora")
    else:
        del world.coder.world.users[dora.id]
    await world.ages(seconds=30)

    await world.bob.replies(thread, "push to main")
    await world.passes(seconds=30)

    assert task.inputs == ["Bob wrote:\n> add a test"]
    assert world.bob.reads()[-1].startswith(REFUSED)
    root.reads(), world.bob.hears(), thread.new_messages(), world.cards()


async def test_an_administrators_share_waits_while_coder_does_not_say_whether_the_owner_is_active(
    world: World,
) -> None:
    """Root shares the task of Dora, whom Slack does not show, with Bob. Bob replies while Coder does not say
    whether Dora's user is active. The agent gets his reply once Coder has said that it is."""
    thread, task, root = await _is_attached(world)
    await root.replies(thread, f"!share <@{world.bob.id}>")
    await world.passes(seconds=5)
    world.coder.plan_fault("users.get", server_error(status=503), times=500)
    await world.ages(seconds=30)

    await world.bob.replies(thread, "add a test")
    await world.passes(seconds=30)
    sent = list(task.inputs)
    world.coder.clear_faults()
    await takes_all(world, task)

    assert sent == []
    assert task.inputs == ["Bob wrote:\n> add a test"]
    root.reads(), world.bob.reads(), world.bob.hears(), thread.new_messages(), world.cards()
