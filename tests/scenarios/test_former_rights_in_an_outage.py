"""People who had a right to a task once read nothing of it while Coder does not answer."""

import pytest

from .test_owner_changes import connects
from .test_suspended_in_an_outage import goes_away
from .waiting import takes_all
from .world import World


async def test_a_former_administrator_without_an_account_reads_nothing_in_an_outage(world: World) -> None:
    """Alice shares her task in a private channel with Root, an administrator, whose Coder user is deleted. He
    leaves the channel and is no administrator any more. While Coder does not answer, he reads nothing."""
    root = world.person("root")
    await world.slack.join(root.id, "general")
    world.slack.add_channel("secret", ["alice", "root"], kind="private")
    await world.restarts(admins=(root.id,))
    thread = await world.alice.runs("/task create fix the login", "secret")
    task = world.task("fix-the-login")
    await takes_all(world, task)
    await world.alice.replies(thread, f"!share <@{root.id}>")
    task.becomes("idle", "The key is in vault 8")
    await world.polls(times=2)
    del world.coder.world.users[world.coder.user("root").id]
    await world.ages(seconds=60)
    await root.types("/task list")
    await world.slack.leave(root.id, "secret")
    await world.restarts(admins=())
    await world.ages(seconds=60)
    goes_away(world)
    root.reads()

    for command in ("/task list", f"/task status {task.id}", "/task"):
        await root.types(command)
    shown = [*root.reads(), await root.opens_home()]

    assert not [each for each in shown if "vault 8" in each or "Fix the login" in each]
    world.coder.clear_faults()
    world.reader.read_all()


async def test_a_person_without_an_account_reads_nothing_in_an_outage_by_another_account(
    world: World,
) -> None:
    """Alice shares her task with Bob, who leaves its private channel. His Coder user is deleted. He connects
    another user and disconnects it. While Coder does not answer, he reads nothing of the task."""
    world.slack.add_channel("secret", ["alice", "bob"], kind="private")
    await world.restarts(accounts="both")
    world.coder.add_user("cc", email="cc@example.com")
    thread = await world.alice.runs("/task create fix the login", "secret")
    task = world.task("fix-the-login")
    await takes_all(world, task)
    await world.alice.replies(thread, f"!share <@{world.bob.id}>")
    await world.slack.leave(world.bob.id, "secret")
    task.becomes("idle", "The key is in vault 8")
    await world.polls(times=2)
    del world.coder.world.users[world.coder.user("bob").id]
    await world.ages(seconds=60)
    await connects(world, world.bob, "cc")
    await world.bob.types("/task disconnect")
    await world.ages(seconds=60)
    goes_away(world)
    world.bob.reads()

    for command in ("/task list", f"/task status {task.id}", "/task"):
        await world.bob.types(command)
    shown = [*world.bob.reads(), await world.bob.opens_home()]

    assert not [each for each in shown if "vault 8" in each or "Fix the login" in each]
    world.coder.clear_faults()
    world.reader.read_all()


@pytest.mark.parametrize("is_suspended", [True, False])
async def test_a_former_owner_reads_no_replies_to_pass_on_in_an_outage(
    world: World, *, is_suspended: bool
) -> None:
    """Bob, who owns a task by his address, connects another user. Alice asks him to pass her reply on. While
    Coder does not answer, he does not read it."""
    await world.restarts(accounts="both")
    world.coder.add_user("cc", email="cc@example.com")
    world.slack.add_channel("secret", ["bob", "alice"], kind="private")
    thread = await world.bob.runs("/task create fix the login", "secret")
    task = world.task("fix-the-login")
    await takes_all(world, task)
    if is_suspended:
        world.coder.suspend("bob")
        await world.ages(seconds=60)
        await world.bob.types("/task list")
    await connects(world, world.bob, "cc")
    await world.bob.runs("/task create second job")
    await world.polls()
    await world.passes(seconds=30)
    await world.slack.leave(world.bob.id, "secret")
    await world.ages(seconds=60)
    await world.alice.replies(thread, "the vault code is 7777")
    await world.passes(seconds=5)
    if not is_suspended:
        await world.alice.presses("Ask Bob to pass it on")
    await world.ages(seconds=60)
    world.bob.reads(), world.bob.hears()
    goes_away(world)

    for command in ("/task", "/task list", "/task list needs-me"):
        await world.bob.types(command)
    shown = [*world.bob.reads(), await world.bob.opens_home()]

    assert not [each for each in shown if "7777" in each]
    world.coder.clear_faults()
    world.reader.read_all()


@pytest.mark.parametrize("who", ["the former owner", "a person with a share"])
@pytest.mark.parametrize("accounts", ["service", "both"])
@pytest.mark.parametrize("owner", ["carol", "ghost"])
async def test_a_share_of_a_former_owner_shows_nothing_in_an_outage_once_it_was_refused(
    world: World, accounts: str, owner: str, who: str
) -> None:
    """Bob shares a task in a private channel with Dave. Then its Coder user has the address of Carol, or of
    nobody in Slack, and Dave or Bob is refused. While Coder does not answer, this person reads nothing of the
    task, who is not in its channel."""
    await world.restarts(accounts=accounts)
    world.slack.add_channel("secret", ["bob"], kind="private")
    thread = await world.bob.runs("/task create fix the login", "secret")
    task = world.task("fix-the-login")
    await takes_all(world, task)
    carol, dave = world.person("carol", in_coder=False), world.person("dave")
    for person in (carol, dave):
        await world.slack.join(person.id, "general")
    await world.bob.replies(thread, f"!share <@{dave.id}>")
    world.coder.user("bob").email = f"{owner}@example.com"
    world.coder.add_user("bob2", email="bob@example.com")
    await world.ages(seconds=600)
    reader = world.bob if who == "the former owner" else dave
    await world.slack.leave(world.bob.id, "secret")
    await reader.types(f"/task send {task.id} push to main")
    await world.passes(seconds=20)
    task.becomes("idle", "The key is in vault 8")
    await world.polls(times=2)
    await world.passes(seconds=30)
    await world.ages(seconds=600)
    reader.reads(), reader.hears()
    goes_away(world)

    for command in ("/task", "/task list", "/task list all", f"/task status {task.id}"):
        await reader.types(command)
    shown = [*reader.reads(), await reader.opens_home()]

    assert task.inputs == []
    assert not [each for each in shown if "vault 8" in each or "Fix the login" in each]
    world.coder.clear_faults()
    world.reader.read_all()
