"""Who owns a task is checked again where its owner may have changed unseen: while the task was missing in
Coder, while a person replaced their account by another one, and while an attach waited."""

import pytest

from taskwire_sandbox.coder import SandboxTask, faults

from .people import Person, Thread
from .test_gone_tasks import EMPTY
from .test_owner_changes import bob_has_a_task, connects, passes_to_carol
from .test_revoked_tokens import connects_alices_user, revokes_alices_tokens
from .test_suspended_in_an_outage import goes_away
from .waiting import takes_all
from .world import World

KEY = "The key is in vault 8. Which branch?"


async def _reads_of_the_key(world: World, person: Person, task: SandboxTask) -> bool:
    """Return whether the person reads, while Coder does not answer, what the agent says now."""
    world.coder.clear_faults()
    task.becomes("idle", KEY)
    await world.polls(times=2)
    await world.passes(seconds=30)
    await world.ages(seconds=60)
    goes_away(world)
    person.reads()
    for command in ("/task list", f"/task status {task.name}", "/task"):
        await person.types(command)
    shown = [*person.reads(), await person.opens_home()]
    world.coder.clear_faults()
    await world.passes(seconds=60)
    return any("vault 8" in each for each in shown)


async def _is_missing(world: World) -> None:
    """Let Coder show no task any more until its faults are cleared."""
    for _ in range(4):
        world.coder.plan_fault("tasks.list", EMPTY)
        world.coder.plan_fault("tasks.get", faults.server_error(status=404))
        await world.polls()


async def _is_back(world: World) -> None:
    world.coder.clear_faults()
    await world.polls(times=3)
    await world.passes(seconds=10)


def _list_called(thread: Thread) -> set[str]:
    """Return the ids of the people whom the new messages of the thread call."""
    return {each[2:].partition(">")[0] for each in thread.new_messages() if each.startswith("<@")}


def _leaves_unread(world: World, thread: Thread, *people: Person) -> None:
    for person in people:
        person.reads(), person.hears()
    thread.new_messages(), world.cards()


async def test_a_task_that_comes_back_belongs_to_who_has_its_coder_user_then(world: World) -> None:
    """Bob shares his task with Dave. While the task is missing in Coder, Carol connects Bob's Coder user.
    The task comes back as Carol's, and Dave's share has ended. Bob, who has left the private channel, reads
    nothing of it while Coder does not answer."""
    world.slack.add_channel("secret", ["bob"], kind="private")
    thread, task = await bob_has_a_task(world, "both", "secret")
    dave = world.person("dave")
    await world.slack.join(dave.id, "secret")
    await world.bob.replies(thread, f"!share <@{dave.id}>")
    await _is_missing(world)
    carol = await passes_to_carol(world, "secret")
    world.slack.workspace.channel("secret").members.remove(world.bob.id)
    dave.hears()

    await _is_back(world)
    told = dave.hears()
    await takes_all(world, task)
    await dave.replies(thread, "push to main")
    await world.passes(seconds=30)

    assert "Owner: Carol" in thread.card()
    assert [each.split("*")[0] for each in told] == ["Carol no longer lets you steer "]
    assert task.inputs == []
    assert _list_called(thread) == {carol.id}
    assert not await _reads_of_the_key(world, world.bob, task)
    _leaves_unread(world, thread, world.bob, carol, dave)


async def test_a_person_who_connects_another_account_owns_no_task_of_the_former_one(world: World) -> None:
    """Bob shares his task with Dave. He connects another Coder user in place of `cc`, which has Carol's
    address. The task is Carol's then, and Dave is told. While Coder does not answer, neither Bob nor Dave
    reads it."""
    world.slack.add_channel("secret", ["bob"], kind="private")
    thread, task = await bob_has_a_task(world, "both", "secret")
    dave, carol = world.person("dave"), world.person("carol", in_coder=False)
    await world.slack.join(dave.id, "general")
    await world.bob.replies(thread, f"!share <@{dave.id}>")
    world.slack.workspace.user(carol.id).email = "cc@example.com"
    for channel in ("secret", "general"):
        await world.slack.join(carol.id, channel)
    world.coder.add_user("bob2", email="bob2@example.com")
    dave.hears()

    await connects(world, world.bob, "bob2")
    await world.passes(seconds=30)
    await world.slack.leave(world.bob.id, "secret")
    told = dave.hears()

    assert "Owner: Carol" in thread.card()
    assert [each.split("*")[0] for each in told] == ["Carol no longer lets you steer "]
    for person in (world.bob, dave):
        assert not await _reads_of_the_key(world, person, task)
    assert await _reads_of_the_key(world, carol, task)
    _leaves_unread(world, thread, world.bob, carol, dave)


async def test_an_attach_that_waits_finds_the_present_owner(world: World) -> None:
    """Root attaches a task of Bob's Coder user in a private channel, and Coder does not answer. Meanwhile
    Carol connects this user. The thread's owner is Carol, and Bob reads nothing of it."""
    root, carol = world.person("root"), world.person("carol", in_coder=False)
    world.slack.add_channel("secret", ["root", "carol"], kind="private")
    await world.slack.join(carol.id, "general")
    world.coder.add_user("cc", email="cc@example.com")
    await world.restarts(accounts="both", admins=(root.id,))
    await connects(world, world.bob, "cc")
    task = world.coder.add_task("cc", "fix the payroll")
    await world.polls()
    world.coder.plan_fault("tasks.get", faults.server_error(status=503), times=500, skips=1)
    await root.types(f"/task attach cc/{task.name}", "secret")
    await world.bob.types("/task disconnect")
    await world.forgets()
    await connects(world, carol, "cc")

    world.coder.clear_faults()
    for _ in range(6):
        await world.passes(seconds=60)
    carol.hears()
    cards = world.cards()

    assert len(cards) == 1
    assert "Owner: Carol" in cards[0]
    assert not await _reads_of_the_key(world, world.bob, task)
    for person in (world.bob, carol, root):
        person.reads(), person.hears()
    world.reader.read_all()


async def test_a_create_whose_answer_was_lost_finds_the_present_owner(world: World) -> None:
    """Bob creates a task, and Coder's answer is lost. Before Taskwire finds the task, Carol connects Bob's
    Coder user. The task is Carol's."""
    world.coder.add_user("cc", email="cc@example.com")
    await world.restarts(accounts="both")
    await connects(world, world.bob, "cc")
    carol = world.person("carol", in_coder=False)
    await world.slack.join(carol.id, "general")
    world.coder.plan_fault("tasks.create", faults.cut_after())
    world.coder.plan_fault("tasks.get", faults.server_error(status=503), times=500)
    await world.bob.types("/task create fix the login")
    await world.bob.types("/task disconnect")
    await world.forgets()
    await connects(world, carol, "cc")

    world.coder.clear_faults()
    for _ in range(6):
        await world.passes(seconds=60)
    carol.hears()

    assert len(world.coder.tasks) == 1
    assert ["Owner: Carol" in card for card in world.cards()] == [True]
    world.bob.reads(), carol.reads(), world.bob.hears(), carol.hears()
    world.reader.read_all()


@pytest.mark.parametrize("is_confirmed", [True, False])
async def test_only_a_confirmed_address_makes_a_person_the_owner(world: World, *, is_confirmed: bool) -> None:
    """Bob disconnects the Coder user `cc`. In Slack, Mallory has its address. The task is hers only if Slack
    has confirmed this address. Otherwise it is nobody's in Slack."""
    thread, task = await bob_has_a_task(world, "both")
    mallory = world.person("mallory", in_coder=False)
    user = world.slack.workspace.user(mallory.id)
    user.email, user.is_email_confirmed = "cc@example.com", is_confirmed
    await world.slack.join(mallory.id, "general")

    await world.bob.types("/task disconnect")
    await world.passes(seconds=30)
    task.becomes("idle", "Which branch?")
    await world.polls(times=2)
    await world.passes(seconds=30)

    assert f"Owner: {'Mallory' if is_confirmed else 'cc'}." in thread.card()
    assert _list_called(thread) == ({mallory.id} if is_confirmed else set())
    _leaves_unread(world, thread, world.bob, mallory)


async def test_a_person_who_disconnects_while_their_own_user_is_suspended_owns_the_task_no_more(
    world: World,
) -> None:
    """Bob's task is in a private channel, and its Coder user `cc` has nobody's address. Coder suspends the
    user with Bob's own address, and he disconnects `cc`. The task is nobody's in Slack, and the share has
    ended. When Bob's own user is active again, neither he nor Dave reads the task in an outage."""
    world.slack.add_channel("secret", ["bob"], kind="private")
    thread, task = await bob_has_a_task(world, "both", "secret")
    dave = world.person("dave")
    for channel in ("secret", "general"):
        await world.slack.join(dave.id, channel)
    await world.bob.replies(thread, f"!share <@{dave.id}>")
    dave.hears()
    world.coder.suspend("bob")

    await world.bob.types("/task disconnect")
    await world.passes(seconds=20)
    told = dave.hears()
    for person in (world.bob, dave):
        await world.slack.leave(person.id, "secret")
    world.coder.user("bob").status = "active"
    await world.ages(seconds=600)

    assert "Owner: cc." in thread.card()
    assert [each.split("*")[0] for each in told] == ["Bob no longer lets you steer "]
    for person in (world.bob, dave):
        assert not await _reads_of_the_key(world, person, task)
    _leaves_unread(world, thread, world.bob, dave)


@pytest.mark.parametrize("is_suspended", [True, False])
async def test_a_person_who_connects_another_user_reads_no_task_of_the_first_in_an_outage(
    world: World, *, is_suspended: bool
) -> None:
    """Bob shares the task of the Coder user with his address, which Coder may suspend, with Dave. Then he
    connects another user. He owns only the tasks of that user, also while Coder does not answer: neither Bob
    nor Dave reads the task."""
    await world.restarts(accounts="both")
    world.coder.add_user("cc", email="cc@example.com")
    dave = world.person("dave")
    world.slack.add_channel("secret", ["bob", "dave"], kind="private")
    await world.slack.join(dave.id, "general")
    thread = await world.bob.runs("/task create fix the login", "secret")
    task = world.task("fix-the-login")
    await takes_all(world, task)
    await world.bob.replies(thread, f"!share <@{dave.id}>")
    if is_suspended:
        world.coder.suspend("bob")
        await world.ages(seconds=60)
        await world.bob.types("/task list")

    await connects(world, world.bob, "cc")
    await world.passes(seconds=30)
    for person in (world.bob, dave):
        await world.slack.leave(person.id, "secret")
    await world.ages(seconds=600)

    for person in (world.bob, dave):
        assert not await _reads_of_the_key(world, person, task)
    _leaves_unread(world, thread, world.bob, dave)


async def test_a_thief_whose_token_nobody_used_since_is_no_owner_after_the_owner_acts(world: World) -> None:
    """Mallory, with a stolen token, shares Alice's task with Dave. The tokens are revoked. Alice acts on the
    task, and it is hers again: in an outage, neither Mallory nor Dave reads anything of it."""
    await world.restarts(accounts="both")
    world.slack.add_channel("secret", ["alice"], kind="private")
    thread = await world.alice.runs("/task create fix the login", "secret")
    task = world.task("fix-the-login")
    await takes_all(world, task)
    mallory, dave = await connects_alices_user(world), world.person("dave")
    await world.slack.join(dave.id, "general")
    await mallory.types(f"/task share {task.id} <@{dave.id}>")
    await world.passes(seconds=20)
    await revokes_alices_tokens(world)
    await world.ages(seconds=60)

    await world.alice.replies(thread, "!mute")
    await world.passes(seconds=60)

    assert "Owner: Alice" in thread.card()
    for person in (mallory, dave):
        assert not await _reads_of_the_key(world, person, task)
    _leaves_unread(world, thread, mallory, dave, world.alice)
