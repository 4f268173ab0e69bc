"""The bot mentions nobody without need, and says nothing twice."""

import pytest

from taskwire_sandbox.coder import SandboxTask
from taskwire_sandbox.slack import messages as slack_messages

from .people import Thread
from .reading import shown
from .running_tasks import TITLE, a_task
from .unknown_outcomes import LANDING_SECONDS
from .world import World


def kinds(world: World, thread: Thread) -> list[tuple[str, str]]:
    """Return the kind and the text of each message of the bot in a thread, without its card."""
    said = [each for each in world.slack.thread(thread.channel, thread.ts)[1:] if each.get("bot_id")]
    return [(str(each["metadata"]["event_payload"]["kind"]), shown(each)) for each in said]


async def test_a_turn_that_ends_while_a_reply_waits_calls_nobody(world: World) -> None:
    """An agent ends its turn while a reply waits for it. The agent gets this reply at once, so the notice of
    the first end mentions nobody. The notice of the next end mentions the owner."""
    thread, task = await a_task(world)
    await world.alice.replies(thread, "also the logout")

    task.becomes("complete", "Opened PR #12")
    await world.polls()
    first = thread.new_messages()
    await world.passes(seconds=10)
    task.becomes("working", "Mending the logout")
    await world.polls()
    task.becomes("complete", "Opened PR #13")
    await world.polls()

    done = f"Done: {TITLE}. Reply here if there is more to do."
    assert (first, task.inputs) == ([f"Opened PR #12.\n{done}"], ["also the logout"])
    assert thread.new_messages() == [f"<@{world.alice.id}> Opened PR #13.\n{done}"]


async def test_a_turn_whose_end_is_seen_after_the_next_reply_calls_nobody(world: World) -> None:
    """An agent ends its turn and gets the next reply before the bot polls. The notice of that end mentions
    nobody, because the agent already works again."""
    thread, task = await a_task(world)
    task.becomes("complete", "Opened PR #12")
    await world.passes(seconds=3)

    await world.alice.replies(thread, "also the logout")
    task.becomes("working", "Mending the logout")
    await world.polls()

    assert task.inputs == ["also the logout"]
    assert thread.new_messages() == [f"Opened PR #12.\nDone: {TITLE}. Reply here if there is more to do."]


async def test_a_reply_that_a_person_has_to_decide_about_keeps_nobody_from_being_called(world: World) -> None:
    """The bot asks a person whether the agent got a reply, and this may take days. When the agent ends its
    turn meanwhile, the notice still mentions the owner."""
    thread, task = await a_task(world)
    task.agentapi_fails("message")
    task.becomes("idle", "Ready")
    await world.alice.replies(thread, "use main")
    await world.passes(LANDING_SECONDS)
    await world.passes(seconds=5)
    asked = thread.new_messages()

    task.becomes("complete", "Opened PR #12")
    await world.polls()

    assert "[Yes] [Send again]" in asked[-1]
    assert thread.new_messages() == [
        f"<@{world.alice.id}> Opened PR #12.\nDone: {TITLE}. Reply here if there is more to do."
    ]
    await world.alice.clicks(thread, "Yes")


async def test_my_pause_and_resume_are_one_line(world: World) -> None:
    """A person pauses and resumes a task. The pause posts a line without buttons. The resume edits this line,
    and the kind of the message becomes `resumed`."""
    thread, _ = await a_task(world)

    await world.alice.replies(thread, "!pause")
    await world.passes(seconds=5)
    await world.polls()
    paused = kinds(world, thread)
    await world.alice.replies(thread, "!resume")
    await world.passes(seconds=5)
    await world.polls()

    assert paused == [("paused", "Paused by Alice. A reply resumes it.")]
    assert kinds(world, thread) == [("resumed", "Paused and resumed by Alice.")]
    assert world.alice.reads() == [
        f"Pausing *{TITLE}*. A reply in its thread resumes it.",
        f"Resuming *{TITLE}*.",
    ]
    assert thread.new_messages() == ["Paused and resumed by Alice."]


async def test_each_pause_has_a_line_of_its_own(world: World) -> None:
    """A task is paused and resumed twice. Each pause posts a line, and each resume edits only the line of the
    latest pause."""
    thread, task = await a_task(world)
    for _ in range(2):
        await world.alice.replies(thread, "!pause")
        await world.passes(seconds=5)
        await world.polls()
        task.resume()
        await world.polls()

    assert thread.new_messages() == ["Paused by Alice, then resumed."] * 2
    world.alice.reads()


async def test_a_deleted_line_is_replaced_by_a_line_about_the_resume(world: World) -> None:
    """A person pauses a task, and somebody deletes the bot's line about the pause. When the task is resumed,
    the bot posts a new line."""
    thread, _ = await a_task(world)
    await world.alice.replies(thread, "!pause")
    await world.passes(seconds=5)
    await world.polls()
    thread.new_messages()
    channel = world.slack.workspace.channel(thread.channel)
    slack_messages.remove(world.slack.backend, channel, thread.last_message())

    await world.alice.replies(thread, "!resume")
    await world.passes(seconds=5)
    await world.polls()

    assert thread.new_messages() == ["Resumed by Alice."]
    world.alice.reads()


async def done(world: World) -> tuple[Thread, SandboxTask]:
    """Let the agent of a new task finish, and wait for the notice. Return the thread and the task."""
    thread, task = await a_task(world)
    task.becomes("complete", "Opened PR #12")
    await world.polls()
    assert len(thread.new_messages()) == 1
    return thread, task


@pytest.mark.parametrize("words", [":+1:", "Thanks!", "great, thank you :tada:"])
async def test_thanks_to_a_task_that_is_done_start_nothing(world: World, words: str) -> None:
    """A task is done, and Alice replies only with thanks. The bot adds a reaction to her reply, and the agent
    gets nothing."""
    thread, task = await done(world)

    reply = await world.alice.replies(thread, words)
    await world.passes(seconds=3)

    assert (task.inputs, thread.receipt(reply)) == ([], ["+1"])
    assert (thread.new_messages(), world.alice.reads()) == ([], [])


async def test_thanks_to_a_paused_task_that_was_done_do_not_resume_it(world: World) -> None:
    """A task is done and paused, and Alice replies only with thanks. The workspace stays stopped."""
    thread, task = await done(world)
    task.pause()
    await world.polls()
    thread.new_messages()

    reply = await world.alice.replies(thread, "thx")
    await world.passes(seconds=3)

    assert (task.status, thread.receipt(reply)) == ("paused", ["+1"])


async def test_a_thumbs_up_answers_an_open_question(world: World) -> None:
    """The agent asks a question, and Alice replies only with a thumbs-up. This is an answer here, so the
    agent gets it."""
    thread, task = await a_task(world)
    task.becomes("idle", "Shall I merge it?")
    await world.polls()
    await world.passes(seconds=25)
    assert len(thread.new_messages()) == 1

    reply = await world.alice.replies(thread, ":+1:")
    await world.passes(seconds=3)

    assert (task.inputs, thread.receipt(reply)) == ([":+1:"], ["white_check_mark"])


async def test_thanks_with_a_wish_are_input(world: World) -> None:
    """A reply with thanks and a request goes to the agent."""
    thread, task = await done(world)

    await world.alice.replies(thread, "thanks, now merge it")
    await world.passes(seconds=10)

    assert task.inputs == ["thanks, now merge it"]


async def test_a_log_that_is_shown_to_everybody_is_the_output_of_an_agent(world: World) -> None:
    """A person presses *Show to everybody* on an answer to `!logs` or `!status`. In its metadata, the shown
    log has the kind `output`, and the shown status has the kind `answer`."""
    thread, task = await a_task(world)
    task.says("I look at it.")

    for verb in ("!logs", "!status"):
        await world.alice.replies(thread, verb)
        await world.alice.presses("Show to everybody")
    world.alice.reads()
    thread.new_messages()

    assert [kind for kind, _ in kinds(world, thread)] == ["output", "answer"]
