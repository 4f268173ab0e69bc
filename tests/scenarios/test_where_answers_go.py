"""Where the bot answers: a command where its author typed it, and a press in the button's thread."""

import pytest

from taskwire_sandbox.slack import CallFault

from .people import Person, Thread
from .running_tasks import card
from .waiting import a_busy_agent
from .world import World


async def started(world: World) -> Thread:
    """Create a task of Alice whose agent waits. Return its thread."""
    thread = await world.alice.runs("/task create fix it")
    await world.polls()
    return thread


async def test_mute_and_unmute_work_by_name(world: World) -> None:
    """`/task mute` and `/task unmute` with a task's name work in any channel, like `!mute` and `!unmute` in
    the thread. The card shows the result."""
    thread = await started(world)
    name = world.task("fix-it").name
    world.slack.add_channel("random", ["alice"])

    await world.alice.types(f"/task mute {name}", "random")
    muted = await card(world, thread)
    await world.alice.types(f"/task unmute {name}", "random")

    assert ", Unmute," in muted
    assert ", Mute," in await card(world, thread)
    assert world.alice.reads() == [
        "Muted: I call nobody about *Fix it*, not even its watchers. Its messages still come.\n[Undo]",
        "Unmuted: I call people about *Fix it* again.",
    ]
    assert thread.new_messages() == []


async def test_a_task_without_a_thread_calls_nobody_anyway(world: World) -> None:
    """The bot refuses to mute a task without a thread, because such a task mentions nobody."""
    world.coder.add_task("alice", "fix it", name="loose")

    await world.alice.types("/task mute loose")
    await world.alice.types("/task unmute loose")

    assert world.alice.reads() == [
        "`loose` has no thread in Slack, so I call nobody about it.",
        "`loose` has no thread in Slack, so I call nobody about it.",
    ]


@pytest.mark.parametrize("channel", ["general", "random"])
async def test_detach_is_answered_where_it_was_typed(world: World, channel: str) -> None:
    """The bot answers `/task detach` privately, in the channel of the command."""
    thread = await started(world)
    name = world.task("fix-it").name
    world.slack.add_channel("random", ["alice"])

    await world.alice.types(f"/task detach {name}", channel)

    assert world.alice.reads() == [
        f"Detached *Fix it*. The task itself stays as it is. `/task attach {name}` gives it a new thread."
    ]
    assert [said.channel for said in world.slack.ephemerals(world.alice.id)] == [
        world.slack.workspace.channel(channel).id
    ]
    assert len(thread.new_messages()) == 1


async def test_delete_is_answered_where_it_was_typed(world: World) -> None:
    """The bot answers `/task delete` in the channel of the command. It also posts in the task's thread."""
    thread = await started(world)

    await world.alice.types(f"/task delete {world.task('fix-it').name}")
    await world.alice.submits()

    assert world.alice.reads() == ["*Fix it* is deleted."]
    assert [said.split(".")[0] for said in thread.new_messages()] == ["Gone: Fix it"]


async def test_a_pause_that_holds_replies_is_answered_where_it_was_typed(world: World) -> None:
    """A person pauses a task by command while replies wait. The bot answers where the command was typed. It
    asks about the held replies in the task's thread."""
    thread, task = await a_busy_agent(world)
    await world.alice.replies(thread, "use main")

    await world.alice.types(f"/task pause {task.name}")

    assert world.alice.reads() == ["Pausing *Fix the login*. A reply in its thread resumes it."]
    assert len(thread.new_messages()) == 1


REFUSED = (
    "*Fix it* belongs to Alice, so you can't resume it. Alice can let you, with `!share @Bob` in its thread."
)


async def paused(world: World) -> Thread:
    """Create a task of Alice and pause it, so that its thread has a notice with *Resume*. Return the
    thread."""
    thread = await started(world)
    world.task("fix-it").pause()
    await world.polls()
    assert "[Resume]" in thread.new_messages()[0]
    return thread


def told_in(person: Person, world: World, thread: Thread) -> list[bool]:
    """Return, for each private message to this person, whether that message is in the thread."""
    return [said.thread_ts == thread.ts for said in world.slack.ephemerals(person.id)]


async def test_a_click_in_a_thread_is_answered_there(world: World) -> None:
    """The bot answers a press in the thread, because a person who reads the thread does not see the
    channel."""
    thread = await paused(world)

    await world.bob.clicks(thread, "Resume")

    assert world.bob.reads() == [REFUSED]
    assert told_in(world.bob, world, thread) == [True]


async def test_a_click_on_the_card_is_answered_beside_it(world: World) -> None:
    """A person presses a button of the card. The bot answers at the top level of the channel, where the card
    is."""
    thread = await started(world)
    await world.alice.replies(thread, "// a remark")
    await card(world, thread)

    await world.alice.clicks(thread, "Mute")

    assert world.alice.reads() == [
        "Muted: I call nobody about *Fix it*, not even its watchers. Its messages still come.\n[Undo]"
    ]
    assert told_in(world.alice, world, thread) == [False]


async def test_a_click_whose_answer_the_thread_does_not_take_is_answered_in_the_channel(
    world: World,
) -> None:
    """Slack refuses to show the answer in the thread. The bot sends the answer to the press's response
    URL."""
    thread = await paused(world)
    world.slack.faults.add("chat.postEphemeral", CallFault.ERROR, error="user_not_in_channel")

    await world.bob.clicks(thread, "Resume")

    assert world.bob.reads() == [REFUSED]
    assert told_in(world.bob, world, thread) == [False]
