"""A press of *Pass it on* sends only what the pressed question showed. Copies of a question can show an older
version of the reply."""

import asyncio

import pytest

from taskwire_sandbox.coder import SandboxTask
from taskwire_sandbox.slack import Attachment
from taskwire_sandbox.slack.backend import Ephemeral

from .people import Thread, buttons
from .running_tasks import a_task
from .test_pass_on import BUTTONS, CHANGED, PASSED, WAS_PASSED, bob_asks
from .test_pass_on_whole import change_content
from .world import World

ASKED_AGAIN = f"{CHANGED}\n> please remove the tests\n{BUTTONS}"


async def an_asked_reply(world: World) -> tuple[Thread, SandboxTask, str]:
    """Let Bob ask Alice to pass his reply on. Return the thread, the task and the reply's ts."""
    thread, task = await a_task(world)
    task.becomes("idle", "Ready")
    return thread, task, await bob_asks(world, thread)


async def presses_on(world: World, asked: Ephemeral, label: str = "Pass it on") -> None:
    """Let Alice press the button with this label in an earlier copy of a question, which her Slack still
    shows."""
    [pressed] = buttons(asked.body, label)
    answer = await world.slack.click(
        world.alice.id, asked.channel, asked.ts, pressed["action_id"], pressed["value"]
    )
    assert answer.ok, answer


@pytest.mark.parametrize("label", ["Pass it on", "Always let Bob steer this"])
async def test_a_double_click_does_not_send_a_changed_reply(world: World, label: str) -> None:
    """Bob changes his reply, and Alice clicks twice on the question with the old text. The first click shows
    her the new text. The second click was still meant for the old text, so it sends nothing."""
    thread, task, reply = await an_asked_reply(world)
    asked = world.slack.ephemerals(world.alice.id)[-1]
    world.alice.reads()

    await world.bob.edits(thread, reply, "please remove the tests")
    await asyncio.gather(presses_on(world, asked, label), presses_on(world, asked, label))
    await world.settles()
    await world.passes(seconds=3)
    again, before = world.alice.sees(), list(task.inputs)
    await world.alice.presses("Pass it on")
    await world.passes(seconds=3)

    assert (again, before) == (ASKED_AGAIN, [])
    assert world.alice.sees() == PASSED
    assert task.inputs == ["Bob wrote:\n> please remove the tests"]


async def test_an_older_list_does_not_send_a_changed_reply(world: World) -> None:
    """Bob changes his reply. Alice's question shows her the new text, but her list still shows the old text.
    Her press in the list sends nothing and asks her again."""
    thread, task, reply = await an_asked_reply(world)
    asked = world.slack.ephemerals(world.alice.id)[-1]
    await world.alice.types("/task list needs-me")
    older = world.slack.ephemerals(world.alice.id)[-1]
    world.alice.reads()

    await world.bob.edits(thread, reply, "please remove the tests")
    await presses_on(world, asked)
    await world.settles()
    await presses_on(world, older)
    await world.settles()
    await world.passes(seconds=3)

    assert world.alice.reads() == [ASKED_AGAIN]
    assert task.inputs == []


async def test_another_persons_press_does_not_bind_the_owner(world: World) -> None:
    """Bob changes his reply. An administrator presses *Pass it on* and is shown the new text. Alice's
    question still shows the old text, so her press sends nothing and asks her again."""
    carol = world.person("carol")
    world.slack.workspace.channel("general").members.append(carol.id)
    await world.restarts(admins=(carol.id,))
    thread, task, reply = await an_asked_reply(world)
    asked = world.slack.ephemerals(world.alice.id)[-1]
    [pressed] = buttons(asked.body, "Pass it on")
    world.alice.reads()

    await world.bob.edits(thread, reply, "please remove the tests")
    await carol.presses_made_up(pressed["action_id"], pressed["value"])
    await presses_on(world, asked)
    await world.settles()
    await world.passes(seconds=3)

    assert carol.reads() == [ASKED_AGAIN]
    assert world.alice.sees() == ASKED_AGAIN
    assert task.inputs == []


async def test_a_press_in_home_does_not_bind_the_question_in_the_thread(world: World) -> None:
    """Bob changes his reply. Alice presses in her Home tab, which then shows the new text. Her question in
    the thread still shows the old text, so a press there asks her again."""
    await world.alice.opens_home()
    thread, task, reply = await an_asked_reply(world)
    await world.passes(seconds=5)
    asked = world.slack.ephemerals(world.alice.id)[-1]
    world.alice.reads()

    await world.bob.edits(thread, reply, "please remove the tests")
    await world.alice.presses_in_home("Pass it on")
    await world.passes(seconds=5)
    await presses_on(world, asked)
    await world.settles()
    await world.passes(seconds=3)

    assert world.alice.sees() == ASKED_AGAIN
    assert task.inputs == []


async def test_a_double_click_does_not_send_a_changed_file(world: World) -> None:
    """Bob changes the file of his reply, and Alice clicks twice on the question that shows the old file.
    Neither click sends anything. Alice is shown the new file."""
    thread, task = await a_task(world)
    task.becomes("idle", "Ready")
    file = Attachment("trace.log", b"boom in line 7", "text/plain")
    await world.bob.replies(thread, "look at this", files=(file,))
    await world.bob.presses("Ask Alice to pass it on")
    asked = world.slack.ephemerals(world.alice.id)[-1]
    world.alice.reads(), world.bob.reads()

    change_content(world, b"rm -rf the lot")
    await asyncio.gather(presses_on(world, asked), presses_on(world, asked))
    await world.settles()
    await world.passes(seconds=3)

    assert "rm -rf the lot" in world.alice.sees()
    assert task.inputs == []


async def sends_to_task(world: World, reply: str) -> None:
    """Let Alice use *Send to its task* in the menu of Bob's reply."""
    answer = await world.slack.message_shortcut(world.alice.id, "general", reply, "send_to_task")
    assert answer.ok, answer
    await world.settles()
    await world.passes(seconds=3)


async def test_a_reply_that_alice_has_sent_is_not_passed_on_too(world: World) -> None:
    """Bob asks Alice to pass his reply on. She sends it to the task with the shortcut instead. The question
    about it is settled, so the agent gets the reply once."""
    _, task, reply = await an_asked_reply(world)
    world.alice.reads()

    await sends_to_task(world, reply)
    settled = world.bob.sees()
    await world.alice.presses("Pass it on")
    await world.passes(seconds=3)

    assert task.inputs == ["Bob wrote:\n> please add a test"]
    assert settled == WAS_PASSED
    assert world.alice.sees().startswith("You passed this on (<!date^")


async def test_nobody_is_asked_about_a_reply_that_alice_has_sent(world: World) -> None:
    """Alice sends Bob's reply to the task with the shortcut. Then he presses *Ask Alice to pass it on*, which
    he still sees. He learns that she has passed it on, and she is asked nothing."""
    thread, task = await a_task(world)
    task.becomes("idle", "Ready")
    reply = await world.bob.replies(thread, "please add a test")
    world.bob.reads()

    await sends_to_task(world, reply)
    await world.bob.presses("Ask Alice to pass it on")
    await world.passes(seconds=3)

    assert world.bob.sees().startswith("Alice passed this on (<!date^")
    assert world.alice.reads() == []
    assert task.inputs == ["Bob wrote:\n> please add a test"]
