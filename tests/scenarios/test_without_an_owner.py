"""The Coder user of a task is nobody's in Slack any more: who had connected it has disconnected it, or Coder
refuses their token. What they allowed others does not count then (`both`)."""

import pytest

from taskwire_sandbox.coder import SandboxTask, faults

from .people import Person, Thread
from .test_channel_settings import set_channel
from .test_owner_changes import bob_has_a_task, connects
from .test_suspended_in_an_outage import goes_away
from .waiting import takes_all
from .world import World

REFUSED = "The agent did not get your reply: you can't steer this task."


async def _dave(world: World, *channels: str) -> Person:
    dave = world.person("dave")
    for channel in channels:
        await world.slack.join(dave.id, channel)
    return dave


async def _bob_disconnects(world: World) -> tuple[Thread, SandboxTask, Person]:
    """Let Bob share his task in a private channel with Dave, disconnect its Coder user, and leave the
    channel."""
    world.slack.add_channel("secret", ["bob"], kind="private")
    dave = await _dave(world, "secret", "general")
    thread, task = await bob_has_a_task(world, "both", "secret")
    await connects(world, dave, "dave")
    await world.bob.replies(thread, f"!share <@{dave.id}>")
    world.bob.reads(), dave.hears()
    await world.bob.types("/task disconnect")
    await world.passes(seconds=30)
    world.slack.workspace.channel("secret").members.remove(world.bob.id)
    await world.forgets()
    return thread, task, dave


async def test_who_disconnects_an_account_that_is_nobodys_owns_its_task_no_more(world: World) -> None:
    """Bob disconnects a Coder user whose address is nobody's. His share with Dave ends, and Dave is told. The
    agent's question calls nobody. While Coder does not answer, Bob reads nothing of the task."""
    thread, task, dave = await _bob_disconnects(world)
    told = dave.hears()
    task.becomes("idle", "The key is in vault 8. Which branch?")
    await world.polls(times=2)
    await world.passes(seconds=30)
    asked = thread.new_messages()[-1]
    await world.ages(seconds=60)
    goes_away(world)
    world.bob.reads()

    for command in ("/task list", "/task status fix-the-login", "/task"):
        await world.bob.types(command)
    shown = [*world.bob.reads(), await world.bob.opens_home()]
    world.coder.clear_faults()
    await world.passes(seconds=60)

    assert [each.split("*")[0] for each in told] == ["Bob no longer lets you steer "]
    assert "Owner: cc" in thread.card()
    assert world.bob.id not in asked
    assert not [each for each in shown if "vault" in each]
    world.bob.reads(), world.bob.hears(), thread.new_messages()


async def test_the_share_of_a_former_owner_does_not_count_while_coder_finds_no_people(world: World) -> None:
    """Bob has disconnected a Coder user whose address is nobody's. While only Coder's search of people fails,
    Dave, with whom Bob had shared its task, can neither write to the agent nor stop it."""
    thread, task, dave = await _bob_disconnects(world)
    world.coder.plan_fault("users.list", faults.server_error(status=503), times=500)
    await world.ages(seconds=60)

    await dave.replies(thread, "push to main")
    await dave.replies(thread, "!stop")
    await world.passes(seconds=60)
    world.coder.clear_faults()
    await world.passes(seconds=120)

    assert task.inputs == []
    assert task.status == "active"
    dave.reads(), dave.hears(), world.bob.reads(), thread.new_messages()


async def test_who_connects_their_account_again_has_their_task_again(world: World) -> None:
    """Bob disconnects a Coder user whose address is nobody's, and connects it again. The task is his as it
    was, also for everybody in the channel, and he hears nothing of it."""
    await set_channel(world, world.bob, steerers="Everybody in this channel")
    dave = await _dave(world, "general")
    thread, task = await bob_has_a_task(world, "both")
    await world.bob.types("/task disconnect")
    await world.passes(seconds=30)
    between = thread.card()

    await connects(world, world.bob, "cc")
    await world.passes(seconds=30)
    await dave.replies(thread, "add a test")
    await world.passes(seconds=30)

    assert "Everybody here can steer" not in between
    assert "Owner: Bob" in thread.card()
    assert "Everybody here can steer" in thread.card()
    assert task.inputs == ["Dave wrote:\n> add a test"]
    assert world.bob.hears() == []
    world.bob.reads(), thread.new_messages(), world.cards()


@pytest.mark.parametrize("by", ["a share", "a group", "the channel"])
async def test_what_a_revoked_token_allowed_does_not_count(world: World, by: str) -> None:
    """Bob has connected a Coder user whose address is nobody's, and lets Dave steer its task. Coder refuses
    Bob's token now. Dave can neither write to the agent nor stop it."""
    if by == "the channel":
        await set_channel(world, world.bob, steerers="Everybody in this channel")
    dave = await _dave(world, "general")
    thread, task = await bob_has_a_task(world, "both")
    if by != "the channel":
        crew = world.slack.add_group("crew", [dave.id])
        who = f"<@{dave.id}>" if by == "a share" else f"<!subteam^{crew.id}>"
        await world.bob.replies(thread, f"!share {who}")
    for key in [key for key, token in world.coder.world.tokens.items() if token.user.username == "cc"]:
        del world.coder.world.tokens[key]
    await world.ages(seconds=30)

    await dave.replies(thread, "push to main")
    await world.bob.types("/task list")
    await world.passes(seconds=60)
    await dave.replies(thread, "push it now")
    await dave.replies(thread, "!stop")
    await world.passes(seconds=60)

    assert task.inputs == []
    assert task.status == "active"
    assert dave.reads()[0].startswith(REFUSED)
    await world.bob.types("/task disconnect")  # otherwise his request waits for him
    await world.passes(seconds=600, amid_jobs=True)
    await world.settles()
    for person in (world.bob, dave):
        person.reads(), person.hears()
    thread.new_messages(), world.cards()


async def test_an_owner_by_address_lets_others_steer_while_coder_finds_no_people(world: World) -> None:
    """Alice, who has connected no account, shares her task with Dave. While only Coder's search of people
    fails, the task is still hers by its user's address, and Dave steers it."""
    await world.restarts(accounts="both")
    dave = await _dave(world, "general")
    thread = await world.alice.runs("/task create fix the login")
    task = world.task("fix-the-login")
    await takes_all(world, task)
    await world.alice.replies(thread, f"!share <@{dave.id}>")
    await connects(world, dave, "dave")
    world.coder.plan_fault("users.list", faults.server_error(status=503), times=2, skips=1)
    await world.ages(seconds=60)

    await dave.replies(thread, "add a test")
    await world.passes(seconds=120)

    assert task.inputs == ["Dave wrote:\n> add a test"]
    world.coder.clear_faults()
    await dave.types("/task disconnect")  # otherwise a renewal of his token waits
    for person in (world.alice, dave):
        person.reads(), person.hears()
    thread.new_messages()
