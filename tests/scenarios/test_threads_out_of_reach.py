"""A task's thread is in a channel that its owner cannot read. With a new owner, such a thread ends. An owner
whose task an administrator gives such a thread is told."""

from typing import Literal

import pytest

from taskwire.tasks.connect import CLAIM_MS
from taskwire_sandbox.coder import SandboxTask
from taskwire_sandbox.coder.faults import server_error
from taskwire_sandbox.slack.workspace import PRIVATE

from .people import Person, Thread
from .test_choices import ASKED
from .test_owner_changes import bob_has_a_task, connects
from .test_revoked_tokens import connects_alices_user, revokes_alices_tokens
from .waiting import takes_all
from .world import World

KEY = "The key is in vault 8. Which branch?"


def _ended(task: SandboxTask) -> str:
    return (
        "*Fix the login* is your task now. You can't read the channel of its thread, so I ended that thread. "
        f"`/task attach {task.name}` gives the task a new one."
    )


async def _asks(world: World, task: SandboxTask) -> None:
    """Let the agent ask a question that has a secret."""
    task.becomes("idle", KEY)
    await world.polls(times=2)
    await world.passes(seconds=30)
    await world.polls()


async def _reads_in(person: Person, thread: Thread, channel: str) -> list[str]:
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
    await _asks(world, task)

    shown = await _reads_in(mallory, thread, "den")
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
    assert told == [_ended(task)]
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
    await _asks(world, task)

    shown = await _reads_in(world.bob, thread, "den")

    assert thread.card().startswith("Detached")
    assert not [each for each in shown if "vault" in each]
    assert carol.hears() == [_ended(task)]
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
    await _asks(world, task)
    shown = await _reads_in(world.bob, thread, "den")

    assert ended.startswith("Detached: the task belongs to Carol now")
    assert not [each for each in shown if "vault" in each]
    assert carol.hears() == [_ended(task)]
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
    await _asks(world, task)

    shown = await _reads_in(root, thread, "den")

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

    await _asks(world, task)

    assert any(said.startswith(f"<@{carol.id}>") for said in thread.new_messages())
    assert "Muted" not in thread.card()
    world.bob.reads(), carol.reads(), carol.hears()
    world.reader.read_all()


async def _a_thread_of_a_thief(
    world: World, kind: Literal["public", "private"]
) -> tuple[Thread, SandboxTask, Person]:
    """Let Mallory, with a stolen token, move Alice's task to #den, which Alice can read. Then the tokens are
    revoked, Alice connects again, and Mallory disconnects. Return the thread, the task and Mallory."""
    await world.restarts(accounts="both")
    world.slack.add_channel("secret", ["alice"], kind="private")
    await world.alice.runs("/task create fix the login", "secret")
    task = world.task("fix-the-login")
    await takes_all(world, task)
    mallory = await connects_alices_user(world)
    world.slack.add_channel("den", ["mallory"], kind=kind)
    if kind == "private":
        await world.slack.join(world.alice.id, "den")
    thread = await mallory.runs("/task attach fix-the-login", "den")
    await revokes_alices_tokens(world)
    await connects(world, world.alice, "alice")
    await world.passes(seconds=20)
    await mallory.types("/task disconnect")
    world.alice.hears(), world.alice.reads(), mallory.reads()
    return thread, task, mallory


@pytest.mark.parametrize("how", ["removed from it", "made private"])
async def test_a_thiefs_thread_ends_when_the_owner_can_no_longer_read_it(world: World, how: str) -> None:
    """Mallory's thread of Alice's task is in a channel that Alice can read. Then Mallory removes her from the
    channel, or makes it private. The agent's next words are not posted there: the thread ends, and Alice is
    told."""
    is_removed = how == "removed from it"
    thread, task, mallory = await _a_thread_of_a_thief(world, "private" if is_removed else "public")
    if is_removed:
        await world.slack.leave(world.alice.id, "den")
    else:
        world.slack.workspace.channel("den").kind = PRIVATE
    await world.forgets()
    thread.new_messages()

    await _asks(world, task)
    said = thread.new_messages()
    shown = await _reads_in(mallory, thread, "den")

    assert [each.split(":")[0] for each in said] == ["Detached"]
    assert not [each for each in shown if "vault" in each]
    assert world.alice.hears() == [_ended(task)]
    world.alice.reads(), mallory.hears()
    world.reader.read_all()


@pytest.mark.parametrize(
    "asked",
    [
        "/task logs fix-the-login",
        "/task logs {id} full",
        "/task list all",
        "/task status {id}",
        "!logs",
        "!status",
    ],
)
async def test_nobody_reads_in_a_thread_that_is_out_of_its_owners_reach(world: World, asked: str) -> None:
    """Mallory removes Alice from the channel of the thread while the agent works. What the agent writes then
    is shown to her by no command, and the thread ends."""
    thread, task, mallory = await _a_thread_of_a_thief(world, "private")
    task.becomes("working", "The new words")
    await world.polls(times=2)
    await world.passes(seconds=30)
    await world.slack.leave(world.alice.id, "den")
    await world.ages(seconds=300)
    task.says("The whole key is 1234")
    task.becomes("working", "The key is in vault 8")
    thread.new_messages(), mallory.reads(), mallory.hears(), world.cards()

    if asked.startswith("!"):
        await mallory.replies(thread, asked)
    else:
        await mallory.types(asked.format(id=task.id), "den")
    await world.passes(seconds=30)

    shown = [*mallory.reads(), *mallory.hears(), *thread.new_messages(), thread.card()]
    assert not [each for each in shown if "vault 8" in each or "1234" in each]
    assert thread.card().startswith("Detached")
    assert world.alice.hears() == [_ended(task)]
    world.reader.read_all()


async def test_what_the_owner_sends_is_not_shown_in_such_a_thread(world: World) -> None:
    """Mallory removes Alice from the channel of the thread. Alice types a text for her agent, which would be
    shown there. She reads that the task has no thread any more, and Mallory does not read the text."""
    thread, task, mallory = await _a_thread_of_a_thief(world, "private")
    await world.slack.leave(world.alice.id, "den")
    await world.ages(seconds=300)
    thread.new_messages(), world.cards()

    await world.alice.types(f"/task send {task.id} the vault code is 7777")
    await world.passes(seconds=60)

    assert not [each for each in (*thread.new_messages(), thread.card()) if "7777" in each]
    assert world.alice.hears() == [_ended(task)]
    assert world.alice.reads() == [
        f"`{task.name}` has no thread to show your reply in. Make one first: `/task attach {task.name}`."
    ]
    assert task.inputs == []
    mallory.reads()
    world.reader.read_all()


async def test_the_thread_of_a_suspended_administrator_ends(world: World) -> None:
    """Root, an administrator, gives Alice's task a thread in a private channel of his own. Coder suspends
    him. The agent's next words are not posted there, and Alice is told."""
    root = world.person("root")
    await world.slack.join(root.id, "general")
    world.slack.add_channel("den", ["root"], kind="private")
    await world.restarts(admins=(root.id,))
    task = world.coder.add_task("alice", "fix the login")
    await world.polls()
    thread = await root.runs(f"/task attach {task.id}", "den")
    await world.passes(seconds=30)
    world.alice.hears()
    world.coder.suspend("root")
    await world.ages(seconds=600)
    thread.new_messages()

    await _asks(world, task)
    said = thread.new_messages()
    shown = await _reads_in(root, thread, "den")

    assert [each.split(":")[0] for each in said] == ["Detached"]
    assert not [each for each in shown if "vault" in each]
    assert world.alice.hears() == [_ended(task)]
    root.hears()
    world.reader.read_all()


async def test_a_thread_that_ends_does_not_follow_the_agent(world: World) -> None:
    """Alice follows her agent in Mallory's thread. Mallory removes her from the channel. The message that
    follows the agent shows nothing new, and the thread ends."""
    thread, task, mallory = await _a_thread_of_a_thief(world, "private")
    task.becomes("working", "On it")
    await world.polls(times=2)
    await world.passes(seconds=30)
    await world.alice.replies(thread, "!follow")
    await world.passes(seconds=6)
    await world.slack.leave(world.alice.id, "den")
    await world.ages(seconds=300)
    task.says("The whole key is 1234")

    await world.passes(seconds=72)

    assert not [each for each in thread.all_messages() if "1234" in each]
    assert thread.card().startswith("Detached")
    assert world.alice.hears() == [_ended(task)]
    mallory.reads()
    world.reader.read_all()


@pytest.mark.parametrize("is_silent", [False, True])
@pytest.mark.parametrize("phase", ["complete", "idle"])
async def test_a_thief_with_a_refused_token_reads_nothing_more_in_their_thread(
    world: World, phase: str, *, is_silent: bool
) -> None:
    """Mallory, with a stolen token, has Alice's task in a private channel, and the token is revoked. Alice
    does nothing. The agent's next words are not shown there, also while Coder does not say who has a user."""
    await world.restarts(accounts="both")
    world.slack.add_channel("secret", ["alice"], kind="private")
    await world.alice.runs("/task create fix the login", "secret")
    task = world.task("fix-the-login")
    await takes_all(world, task)
    mallory = await connects_alices_user(world)
    world.slack.add_channel("den", ["mallory"], kind="private")
    thread = await mallory.runs("/task attach fix-the-login", "den")
    await world.passes(seconds=20)
    task.becomes("working", "On it")
    await world.polls(times=2)
    await world.passes(seconds=30)
    await revokes_alices_tokens(world)
    await world.ages(seconds=600)
    if is_silent:
        world.coder.plan_fault("users.get", server_error(status=503), times=None)
    thread.new_messages()

    task.says("The whole key is 1234")
    task.becomes(phase, "The key is in vault 8")
    await world.polls(times=2)
    await world.passes(seconds=30)
    said = [*thread.new_messages(), thread.card()]
    world.coder.clear_faults()
    for _ in range(3):
        await world.passes(seconds=60)

    assert not [each for each in (*said, thread.card()) if "1234" in each or "vault 8" in each]
    assert thread.card().startswith("Detached")
    mallory.reads(), mallory.hears(), world.alice.hears()
    world.reader.read_all()


async def test_a_suspended_administrators_thread_shows_nothing_while_coder_is_silent(world: World) -> None:
    """Root has Alice's task in a private channel, and reads that Coder has suspended him. While Coder answers
    no question about people, the agent's next words are not shown there."""
    root = world.person("root")
    await world.slack.join(root.id, "general")
    world.slack.add_channel("den", ["root"], kind="private")
    await world.restarts(admins=(root.id,))
    task = world.coder.add_task("alice", "fix the login")
    await world.polls()
    thread = await root.runs(f"/task attach {task.id}", "den")
    await world.passes(seconds=30)
    world.coder.suspend("root")
    await world.ages(seconds=600)
    await root.types("/task list")
    await world.ages(seconds=600)
    for route in ("users.get", "users.list"):
        world.coder.plan_fault(route, server_error(status=503), times=None)
    thread.new_messages(), world.alice.hears()

    task.says("The whole key is 1234")
    task.becomes("complete", "The key is in vault 8")
    await world.polls(times=2)
    await world.passes(seconds=30)
    said = [*thread.new_messages(), thread.card()]
    world.coder.clear_faults()
    for _ in range(3):
        await world.passes(seconds=60)

    assert not [each for each in (*said, thread.card()) if "1234" in each or "vault 8" in each]
    assert thread.card().startswith("Detached")
    root.reads(), world.alice.hears()
    world.reader.read_all()


async def test_what_the_owner_chooses_is_not_shown_in_such_a_thread(world: World) -> None:
    """Alice has the dialog *Answer* open when Mallory removes her from the channel of the thread. Alice
    chooses and writes a sentence. Mallory does not read it."""
    thread, task, mallory = await _a_thread_of_a_thief(world, "private")

    def asks(_: object) -> None:
        task.says(ASKED)
        task.becomes("idle", "Which branch?")

    assert task.program is not None
    task.program.on_input = asks
    await world.alice.replies(thread, "go on with it")
    await world.passes(seconds=5)
    await world.polls(times=2)
    await world.passes(seconds=36)
    await world.alice.opens_home()
    await world.alice.presses_in_home("Answer")
    await world.passes(seconds=2)
    await world.slack.leave(world.alice.id, "den")
    await world.ages(seconds=300)
    thread.new_messages(), world.alice.hears()

    await world.alice.submits(choice="1", prompt="the vault code is 7777")
    await world.passes(seconds=40)

    assert not [each for each in thread.new_messages() if "7777" in each]
    assert thread.card().startswith("Detached")
    world.alice.reads(), world.alice.hears(), mallory.reads()
    world.reader.read_all()
