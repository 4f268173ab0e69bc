"""A task's thread is in a channel that its owner cannot read. With a new owner, such a thread ends. An owner
whose task an administrator gives such a thread is told."""

import pytest

from taskwire.tasks.connect import CLAIM_MS
from taskwire_sandbox.coder import SandboxTask

from .people import Person, Thread
from .test_owner_changes import bob_has_a_task, connects
from .test_revoked_tokens import connects_alices_user, revokes_alices_tokens
from .waiting import takes_all
from .world import World

KEY = "The key is in vault 8. Which branch?"


def ended_for(task: SandboxTask) -> str:
    return (
        "*Fix the login* is your task now. You can't read the channel of its thread, so I ended that thread. "
        f"`/task attach {task.name}` gives the task a new one."
    )


async def asks(world: World, task: SandboxTask) -> None:
    """Let the agent ask a question that has a secret."""
    task.becomes("idle", KEY)
    await world.polls(times=2)
    await world.passes(seconds=30)
    await world.polls()


async def reads_in(person: Person, thread: Thread, channel: str) -> list[str]:
    """Return all that the person reads in a channel, and by commands there."""
    said = thread.new_messages()
    for command in ("status", "logs"):
        await person.types(f"/task {command} fix-the-login", channel)
    return [*said, thread.card(), *person.reads()]


async def test_a_thread_that_a_thief_gave_the_task_ends(world: World) -> None:
    """Mallory, with a stolen token, moves Alice's task to a private channel of her own. The tokens are
    revoked, and Alice connects again. The thread ends, and Alice is told. Mallory reads nothing more."""
    await world.restarts(accounts="both")
    world.slack.add_channel("secret", ["alice"], kind="private")
    await world.alice.runs("/task create fix the login", "secret")
    task = world.task("fix-the-login")
    await takes_all(world, task)
    mallory = await connects_alices_user(world)
    world.slack.add_channel("den", ["mallory"], kind="private")
    thread = await mallory.runs("/task attach fix-the-login", "den")
    await world.passes(seconds=20)
    await mallory.replies(thread, "//a word between people")
    world.alice.hears()
    await revokes_alices_tokens(world)
    await connects(world, world.alice, "alice")
    await world.passes(seconds=20)
    ended = thread.new_messages()[-1]
    await mallory.types("/task disconnect")
    await world.forgets()
    mallory.reads()
    await asks(world, task)

    shown = await reads_in(mallory, thread, "den")
    told = world.alice.hears()
    await world.ages(seconds=120)
    world.reader.read_all()
    again = await world.alice.runs("/task attach fix-the-login", "secret")
    await world.passes(seconds=20)

    assert ended == (
        "Detached: the task belongs to Alice now, and Alice can't read this channel. Replies here no longer "
        "reach the agent."
    )
    assert shown[-3].startswith("Detached")
    assert not [each for each in shown if "vault" in each or each.startswith("Needs you")]
    assert told == [ended_for(task)]
    assert KEY.split(".", maxsplit=1)[0] in again.card()
    world.alice.reads(), world.alice.hears(), mallory.hears()
    world.reader.read_all()


async def test_a_thread_of_the_former_owner_in_their_channel_ends(world: World) -> None:
    """Bob's task is in a private channel of his. Carol connects his Coder user. The thread ends, Carol is
    told, and Bob reads nothing more of the task."""
    world.slack.add_channel("den", ["bob"], kind="private")
    thread, task = await bob_has_a_task(world, "both", "den")
    carol = world.person("carol", in_coder=False)
    await world.slack.join(carol.id, "general")
    await world.bob.types("/task disconnect")
    await world.forgets()
    await connects(world, carol, "cc")
    await world.passes(seconds=20)
    world.bob.reads(), thread.new_messages()
    await asks(world, task)

    shown = await reads_in(world.bob, thread, "den")

    assert thread.card().startswith("Detached")
    assert not [each for each in shown if "vault" in each]
    assert carol.hears() == [ended_for(task)]
    world.bob.hears(), carol.reads()
    world.reader.read_all()


async def test_a_thief_does_not_end_the_owners_thread(world: World) -> None:
    """Mallory connects Alice's Coder user, which has Alice's address, and cannot read the channel of Alice's
    task. Alice's thread goes on, and Mallory gets no button to it."""
    await world.restarts(accounts="both")
    world.slack.add_channel("secret", ["alice"], kind="private")
    thread = await world.alice.runs("/task create fix the login", "secret")
    task = world.task("fix-the-login")
    await takes_all(world, task)

    mallory = await connects_alices_user(world)
    await world.passes(seconds=20)
    told = mallory.hears()
    await revokes_alices_tokens(world)
    await connects(world, world.alice, "alice")
    await world.passes(seconds=20)
    await world.alice.replies(thread, "go on")
    await world.passes(seconds=20)

    secret = world.slack.workspace.channel("secret").id
    assert told == [
        f"*Fix the login* is your task now. Its thread is in <#{secret}>. `/task attach {task.name}` moves "
        "it to another channel."
    ]
    assert "Owner: Alice" in thread.card()
    assert task.inputs == ["go on"]
    world.alice.reads(), world.alice.hears(), mallory.reads(), mallory.hears()
    world.reader.read_all()


@pytest.mark.parametrize("accounts", ["service", "both"])
@pytest.mark.parametrize("who", ["former owner", "new owner"])
async def test_a_thread_ends_when_the_address_of_its_coder_user_has_moved(
    world: World, accounts: str, who: str
) -> None:
    """Bob's task is in a private channel of his. In Coder, its user gets Carol's address. The former or the
    new owner acts on the task, so Taskwire sees this. The thread ends, Carol is told, and Bob reads nothing
    more."""
    await world.restarts(accounts=accounts)
    world.slack.add_channel("den", ["bob"], kind="private")
    thread = await world.bob.runs("/task create fix the login", "den")
    task = world.task("fix-the-login")
    await takes_all(world, task)
    carol = world.person("carol", in_coder=False)
    await world.slack.join(carol.id, "general")
    world.coder.user("bob").email = "carol@example.com"
    world.coder.add_user("bob2", email="bob@example.com")
    await world.ages(seconds=600)
    thread.new_messages()

    if who == "former owner":
        await world.bob.replies(thread, "go on")
    else:
        await carol.types(f"/task mute {task.name}")
    await world.passes(seconds=30)
    ended = thread.new_messages()[0]
    await asks(world, task)
    shown = await reads_in(world.bob, thread, "den")

    assert ended.startswith("Detached: the task belongs to Carol now")
    assert not [each for each in shown if "vault" in each]
    assert carol.hears() == [ended_for(task)]
    assert task.inputs == []
    world.bob.reads(), world.bob.hears(), carol.reads()
    world.reader.read_all()


@pytest.mark.parametrize("accounts", ["service", "both"])
@pytest.mark.parametrize("how", ["attach", "move"])
async def test_the_owner_hears_of_a_thread_that_they_cannot_read(
    world: World, accounts: str, how: str
) -> None:
    """Root, an administrator, gives Alice's task a thread in a private channel of his own, or moves it there.
    Alice is told. She ends this thread, and Root reads nothing more."""
    root = world.person("root", roles=())
    await world.slack.join(root.id, "general")
    world.slack.add_channel("secret", ["alice"], kind="private")
    world.slack.add_channel("den", ["root"], kind="private")
    await world.restarts(admins=(root.id,), accounts=accounts)
    if how == "move":
        await world.alice.runs("/task create fix the login", "secret")
        task = world.task("fix-the-login")
    else:
        task = world.coder.add_task("alice", "fix the login")
    await world.polls()
    await takes_all(world, task)
    thread = await root.runs(f"/task attach alice/{task.name}", "den")
    await world.passes(seconds=20)
    told = world.alice.hears()
    await world.restarts(admins=())
    await world.forgets()
    await world.alice.types(f"/task detach {task.name}")
    await asks(world, task)

    shown = await reads_in(root, thread, "den")

    den = world.slack.workspace.channel("den").id
    new = "a new thread" if how == "move" else "a thread"
    assert told == [
        f"Root gave *Fix the login* {new} in <#{den}>. `/task detach {task.name}` ends that thread."
    ]
    assert not [each for each in shown if "vault" in each]
    world.alice.reads(), world.alice.hears(), root.hears()
    world.reader.read_all()


@pytest.mark.parametrize("is_detached", [False, True])
async def test_a_mute_ends_with_its_owner(world: World, *, is_detached: bool) -> None:
    """Bob mutes his task, and Carol connects his Coder user. The agent's question calls Carol, also if Bob
    had detached the task and Carol attaches it."""
    thread, task = await bob_has_a_task(world, "both")
    await world.bob.replies(thread, "!mute")
    if is_detached:
        await world.bob.replies(thread, "!detach")
    carol = world.person("carol", in_coder=False)
    await world.slack.join(carol.id, "general")
    await world.bob.types("/task disconnect")
    await world.ages(seconds=CLAIM_MS / 1000)
    await connects(world, carol, "cc")
    await world.passes(seconds=20)
    carol.hears()
    if is_detached:
        await world.ages(seconds=120)
        thread = await carol.runs("/task attach fix-the-login")
    await carol.replies(thread, "go on")
    thread.new_messages()

    await asks(world, task)

    assert any(said.startswith(f"<@{carol.id}>") for said in thread.new_messages())
    assert "Muted" not in thread.card()
    world.bob.reads(), carol.reads(), carol.hears()
    world.reader.read_all()
