"""A channel lets everybody steer. That counts only for a thread that the task's present owner has asked for:
not for the thread of an administrator, of a thief, or of a former owner."""

import pytest

from taskwire_sandbox.coder import SandboxTask, faults

from .people import Person, Thread
from .test_channel_settings import set_channel
from .test_forgotten_tokens import forget
from .test_gone_tasks import EMPTY
from .test_owner_changes import bob_has_a_task, connects, passes_to_carol
from .test_revoked_tokens import connects_alices_user, revokes_alices_tokens
from .waiting import takes_all
from .world import World

EVERYBODY = "Everybody here can steer"


async def _opens(world: World, person: Person, channel: str) -> None:
    """Let everybody in the channel steer."""
    await person.types("/task settings", channel)
    assert await person.saves(steerers="Everybody in this channel") == {}
    person.reads()
    await world.passes(seconds=5)
    world.reader.read_all()


async def _alices_task(world: World) -> tuple[Thread, SandboxTask]:
    """Let Alice create a task in a private channel of hers."""
    world.slack.add_channel("secret", ["alice"], kind="private")
    thread = await world.alice.runs("/task create fix the login", "secret")
    task = world.task("fix-the-login")
    await takes_all(world, task)
    world.alice.reads()
    return thread, task


async def _write(world: World, thread: Thread, *people: Person) -> None:
    for person in people:
        await person.replies(thread, "push to main")
    await people[0].replies(thread, "!stop")
    await world.passes(seconds=60)


async def _disconnect(accounts: str, *people: Person) -> None:
    """Let these people disconnect their accounts. Otherwise renewals of their tokens wait."""
    for person in people if accounts == "personal" else ():
        await person.types("/task disconnect")


def _leaves_unread(world: World, *people: Person) -> None:
    for person in people:
        person.reads(), person.hears()
    world.reader.read_all()


@pytest.mark.parametrize("accounts", ["both", "personal"])
async def test_a_thread_of_the_former_owner_is_closed_to_the_channel(world: World, accounts: str) -> None:
    """Everybody can steer in the channel of Bob's task. Carol connects Bob's Coder user. Neither Dave, to
    whom Coder shows the task, nor Bob can steer it, and the card does not say so. Carol is told."""
    await set_channel(world, world.bob, steerers="Everybody in this channel")
    dave = world.person("dave", roles=("owner",))
    await world.slack.join(dave.id, "general")
    thread, task = await bob_has_a_task(world, accounts)
    if accounts == "personal":
        await connects(world, dave, "dave")
    before = thread.card()
    carol = await passes_to_carol(world)
    told = carol.hears()
    if accounts == "personal":
        await connects(world, world.bob, "bob")

    await _write(world, thread, dave, world.bob)

    assert EVERYBODY in before
    assert "Owner: Carol" in thread.card()
    assert EVERYBODY not in thread.card()
    assert (task.inputs, task.status) == ([], "active")
    general = world.slack.workspace.channel("general").id
    assert told == [
        f"*Fix the login* is your task now. Its thread is in <#{general}>. `/task attach {task.name}` moves "
        "it to another channel.\n[Open thread]"
    ]
    await _disconnect(accounts, dave, world.bob)
    _leaves_unread(world, world.bob, carol, dave)


async def test_a_thief_does_not_steer_in_a_thread_that_they_have_opened(world: World) -> None:
    """Mallory, with a stolen token, moves Alice's task to #general, where she lets everybody steer. The
    tokens are revoked, and Alice connects again. Mallory can steer it no more, and Alice is told."""
    await world.restarts(accounts="both")
    _, task = await _alices_task(world)
    mallory = await connects_alices_user(world)
    await _opens(world, mallory, "general")
    thread = await mallory.runs("/task attach fix-the-login")
    await revokes_alices_tokens(world)
    await connects(world, world.alice, "alice")
    await world.passes(seconds=20)
    told = world.alice.hears()
    await mallory.types("/task disconnect")
    await world.forgets()

    await _write(world, thread, mallory, world.bob)

    assert (task.inputs, task.status) == ([], "active")
    assert EVERYBODY not in thread.card()
    assert told[-1].startswith("*Fix the login* is your task now. Its thread is in ")
    _leaves_unread(world, world.alice, world.bob, mallory)


@pytest.mark.parametrize("accounts", ["service", "both", "personal"])
@pytest.mark.parametrize("how", ["attach", "move"])
async def test_an_administrators_thread_is_closed_to_the_channel(
    world: World, accounts: str, how: str
) -> None:
    """Root, an administrator, attaches Alice's task in #general, where everybody can steer, or moves it
    there. Alice is told. Bob cannot steer it, nor can Root when he is no administrator any more, also after
    Alice has joined a channel of his."""
    root = world.person("root", roles=("owner",))
    await world.slack.join(root.id, "general")
    token = {"coder_session_token": None} if accounts == "personal" else {}
    await world.restarts(admins=(root.id,), accounts=accounts, **token)
    if accounts == "personal":
        for person in (world.alice, world.bob, root):
            await connects(world, person, person.name)
    thread, task = await _alices_task(world)
    if how == "attach":
        await world.alice.replies(thread, "!detach")
        await world.passes(seconds=10)
    await _opens(world, root, "general")
    world.alice.reads(), world.alice.hears()

    thread = await root.runs("/task attach alice/fix-the-login")
    first = thread.card()
    await world.passes(seconds=20)
    told = world.alice.hears()
    await world.restarts(admins=())
    await world.forgets()
    await _write(world, thread, world.bob, root)

    general = world.slack.workspace.channel("general").id
    assert told == [
        f"Root gave *Fix the login* a new thread in <#{general}>. `/task detach {task.name}` ends that "
        "thread.\n[Open thread]"
    ]
    assert (task.inputs, task.status) == ([], "active")
    assert EVERYBODY not in first + thread.card()
    await _disconnect(accounts, world.alice, world.bob, root)
    _leaves_unread(world, world.alice, world.bob, root)


async def test_inviting_the_owner_opens_no_thread_to_a_channel(world: World) -> None:
    """Root attaches Alice's task in a private channel where everybody can steer, and is no administrator any
    more. Then he invites Alice. He cannot steer her task."""
    root = world.person("root")
    await world.slack.join(root.id, "general")
    world.slack.add_channel("den", ["root"], kind="private")
    await world.restarts(admins=(root.id,))
    _, task = await _alices_task(world)
    await _opens(world, root, "den")
    thread = await root.runs("/task attach alice/fix-the-login", "den")
    await world.restarts(admins=())
    await world.slack.join(world.alice.id, "den")
    await world.ages(seconds=11)

    await _write(world, thread, root)

    assert (task.inputs, task.status) == ([], "active")
    _leaves_unread(world, world.alice, root)


async def test_forgetting_an_administrator_opens_no_thread_to_the_channel(world: World) -> None:
    """Root has attached Alice's task in #general, where everybody can steer. The operator forgets Root. Bob
    cannot steer the task."""
    root = world.person("root")
    await world.slack.join(root.id, "general")
    await world.restarts(admins=(root.id,))
    _, task = await _alices_task(world)
    await _opens(world, root, "general")
    thread = await root.runs("/task attach alice/fix-the-login")
    await forget(world, root)
    await world.forgets()

    await _write(world, thread, world.bob)

    assert (task.inputs, task.status) == ([], "active")
    assert EVERYBODY not in thread.card()
    _leaves_unread(world, world.alice, world.bob, root)


async def test_a_task_that_comes_back_with_another_owner_is_closed_to_the_channel(world: World) -> None:
    """The address of Bob's Coder user becomes Carol's (`service`). The task is missing in Coder, and comes
    back as Carol's. Neither Dave nor Bob can steer it, although the channel lets everybody steer."""
    await set_channel(world, world.bob, steerers="Everybody in this channel")
    dave, carol = world.person("dave"), world.person("carol", in_coder=False)
    thread = await world.bob.runs("/task create fix the login")
    task = world.task("fix-the-login")
    await takes_all(world, task)
    for person in (dave, carol):
        await world.slack.join(person.id, "general")
    world.coder.user("bob").email = "carol@example.com"
    world.coder.add_user("bob2", email="bob@example.com")
    await world.forgets()
    await world.passes(seconds=40)
    for _ in range(4):
        world.coder.plan_fault("tasks.list", EMPTY)
        world.coder.plan_fault("tasks.get", faults.server_error(status=404))
        await world.polls()
    world.coder.clear_faults()
    await world.polls(times=3)
    await world.passes(seconds=10)

    await _write(world, thread, dave, world.bob)

    assert "Owner: Carol" in thread.card()
    assert (task.inputs, task.status) == ([], "active")
    assert [each.split(".")[0] for each in carol.hears()][:1] == ["*Fix the login* is your task now"]
    _leaves_unread(world, world.bob, carol, dave)


async def test_the_owners_own_threads_stay_open_to_the_channel(world: World) -> None:
    """Everybody can steer in #general. Alice moves her task there from a private channel. Bob steers it, and
    the card says so."""
    _, task = await _alices_task(world)
    await _opens(world, world.alice, "general")
    thread = await world.alice.runs("/task attach fix-the-login")
    await takes_all(world, task)

    await world.bob.replies(thread, "add a test")
    await world.passes(seconds=30)

    assert task.inputs == ["Bob wrote:\n> add a test"]
    assert EVERYBODY in thread.card()
    assert world.alice.hears() == []
    _leaves_unread(world, world.alice, world.bob)
