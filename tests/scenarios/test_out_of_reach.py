"""A thread that its task's owner cannot read any more, and that somebody without a right has asked for.
Nothing more is shown there, and it ends."""

from typing import Literal

import pytest

from taskwire_sandbox.coder import SandboxTask
from taskwire_sandbox.coder.faults import server_error
from taskwire_sandbox.slack.workspace import PRIVATE

from .people import Person, Thread
from .test_choices import ASKED
from .test_owner_changes import connects
from .test_revoked_tokens import connects_alices_user, revokes_alices_tokens
from .test_threads_out_of_reach import asks, ended_for, reads_in
from .waiting import takes_all
from .world import World


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

    await asks(world, task)
    said = thread.new_messages()
    shown = await reads_in(mallory, thread, "den")

    assert [each.split(":")[0] for each in said] == ["Detached"]
    assert not [each for each in shown if "vault" in each]
    assert world.alice.hears() == [ended_for(task)]
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
    assert world.alice.hears() == [ended_for(task)]
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
    assert world.alice.hears() == [ended_for(task)]
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

    await asks(world, task)
    said = thread.new_messages()
    shown = await reads_in(root, thread, "den")

    assert [each.split(":")[0] for each in said] == ["Detached"]
    assert not [each for each in shown if "vault" in each]
    assert world.alice.hears() == [ended_for(task)]
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
    assert world.alice.hears() == [ended_for(task)]
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

    def asks_with_choices(_: object) -> None:
        task.says(ASKED)
        task.becomes("idle", "Which branch?")

    assert task.program is not None
    task.program.on_input = asks_with_choices
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


@pytest.mark.parametrize("asked", ["/task logs fix-the-login", "/task list", "/task status {id}", "!logs"])
async def test_nobody_reads_in_a_thiefs_channel_after_the_token_has_ended(world: World, asked: str) -> None:
    """Mallory, with a stolen token, has Alice's task in a private channel, and the token is revoked. Nobody
    uses it any more, and the agent works. Mike, who is in that channel, reads nothing that it writes."""
    await world.restarts(accounts="both")
    world.slack.add_channel("secret", ["alice"], kind="private")
    await world.alice.runs("/task create fix the login", "secret")
    task = world.task("fix-the-login")
    await takes_all(world, task)
    mallory, mike = await connects_alices_user(world), world.person("mike")
    world.slack.add_channel("den", ["mallory", "mike"], kind="private")
    thread = await mallory.runs("/task attach fix-the-login", "den")
    await world.passes(seconds=20)
    task.becomes("working", "Reads")
    await world.polls()
    await world.passes(seconds=20)
    await revokes_alices_tokens(world)
    await world.ages(seconds=600)
    task.says("The whole key is 1234")
    task.becomes("working", "The key is in vault 8")
    world.reader.read_all()

    if asked.startswith("!"):
        await mike.replies(thread, asked)
    else:
        await mike.types(asked.format(id=task.id), "den")
    await world.passes(seconds=30)

    shown = [*mike.reads(), *mike.hears(), *thread.new_messages(), thread.card()]
    assert not [each for each in shown if "1234" in each or "vault 8" in each]
    assert thread.card().startswith("Detached")
    world.reader.read_all()


@pytest.mark.parametrize("who", ["thief", "former owner"])
async def test_what_the_true_owner_sends_is_not_shown_to_who_has_the_thread(world: World, who: str) -> None:
    """Mallory, with a stolen token, has Alice's task in a private channel; or Alice's Coder user had Bob's
    address before, and his thread is in a private channel. Alice sends her agent a text by the task's name.
    Nobody reads it there."""
    await world.restarts(accounts="both")
    thief = await connects_alices_user(world) if who == "thief" else world.bob
    world.slack.add_channel("den", [thief.name], kind="private")
    name = "alice" if who == "thief" else "bob"
    thread = await thief.runs("/task create fix the login", "den")
    task = world.task("fix-the-login")
    await takes_all(world, task)
    if who == "thief":
        await revokes_alices_tokens(world)
    else:
        world.coder.user("bob").email = "alice@example.com"
        world.coder.user("alice").email = "nobody@example.com"
    await world.ages(seconds=600)
    thread.new_messages()

    await world.alice.types(f"/task send {name}/{task.name} the vault code is 7777")
    await world.passes(seconds=60)

    assert not [each for each in (*thread.new_messages(), thread.card()) if "7777" in each]
    assert thread.card().startswith("Detached")
    assert world.alice.reads()[0].startswith(
        ("The thread of *Fix the login* is in a channel", f"`{task.name}`")
    )
    assert task.inputs == []
    world.reader.read_all()


async def test_such_a_thread_ends_although_its_owner_is_not_found_in_slack_now(world: World) -> None:
    """Root, an administrator, gives Alice's task a thread in a private channel of his own. Slack no longer
    shows her address as confirmed, and he is removed from the administrators. The thread ends all the same,
    so the agent's words do not wait for good."""
    root = world.person("root", roles=())
    await world.slack.join(root.id, "general")
    world.slack.add_channel("den", ["root"], kind="private")
    await world.restarts(admins=(root.id,))
    task = world.coder.add_task("alice", "fix the login")
    await world.polls()
    thread = await root.runs(f"/task attach {task.id}", "den")
    await world.passes(seconds=30)
    world.slack.workspace.user(world.alice.id).is_email_confirmed = False
    await world.restarts(admins=())
    await world.ages(seconds=600)
    thread.new_messages()

    await asks(world, task)
    said = thread.new_messages()

    assert [each.split(":")[0] for each in said] == ["Detached"]
    world.reader.read_all()


async def test_a_thread_that_may_end_hides_no_other_task_of_its_channel(world: World) -> None:
    """Root gives Alice's task a thread in a private channel, where Bob has a task, and is no administrator
    any more. While Coder does not say who has a user, but lists tasks, a list there shows the present state
    of Bob's task and leaves Alice's out."""
    root = world.person("root", roles=())
    await world.slack.join(root.id, "general")
    world.slack.add_channel("den", ["root", "bob"], kind="private")
    await world.restarts(admins=(root.id,))
    task = world.coder.add_task("alice", "fix the login")
    await world.polls()
    await root.runs(f"/task attach {task.id}", "den")
    await world.bob.runs("/task create mend the fence", "den")
    await world.passes(seconds=30)
    await world.restarts(admins=())
    await world.ages(seconds=600)
    world.reader.read_all()
    world.coder.plan_fault("users.get", server_error(status=503), times=None)

    await root.types("/task list", "den")
    shown = root.reads()
    world.coder.clear_faults()
    await world.passes(seconds=30)

    assert len(shown) == 1
    assert "Mend the fence" in shown[0]
    assert "Fix the login" not in shown[0]
    assert "Coder has not answered" not in shown[0]
    world.reader.read_all()
