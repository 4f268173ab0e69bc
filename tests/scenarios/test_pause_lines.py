"""The line in a thread about a pause that a person asked for. It says how to resume the task only while the
task is paused."""

import pytest

from taskwire_sandbox.coder import SandboxTask
from taskwire_sandbox.coder.steps import BuildPlan

from .people import Thread
from .test_channel_settings import WAITS, set_channel
from .waiting import a_busy_agent, a_waiting_agent
from .world import CARD_SECONDS, World

PAUSED = "Paused by Alice. A reply resumes it."
SLOW_START = BuildPlan(provision=5, connect=10, start=10, app=10)


async def is_paused(world: World, thread: Thread) -> None:
    """Let Alice pause the task, and wait until Coder has paused it."""
    await world.alice.replies(thread, "stop")
    await world.passes(seconds=10)
    await world.polls()


async def comes_up(world: World, task: SandboxTask) -> None:
    """Wait until the task is active again and the thread has been told."""
    for _ in range(9):
        await world.passes(seconds=5)
        await world.polls()
    assert task.status == "active"


@pytest.mark.parametrize("how", ["go on", "!resume", "the card"])
async def test_the_line_does_not_offer_to_resume_a_task_that_starts(world: World, how: str) -> None:
    """Somebody resumes a paused task. Its workspace needs time to start. The line about the pause says at
    once who has resumed the task, and not that a reply resumes it."""
    thread, task = await a_waiting_agent(world)
    world.coder.template.plan = SLOW_START
    await is_paused(world, thread)
    paused = thread.new_messages()

    if how == "the card":
        await world.passes(CARD_SECONDS)
        await world.alice.clicks(thread, "Resume")
    else:
        await world.alice.replies(thread, how)
    at_once = (task.status, thread.all_messages()[1])
    await comes_up(world, task)

    assert paused == [PAUSED]
    assert at_once == ("initializing", "Paused and resumed by Alice.")
    assert thread.all_messages()[1] == "Paused and resumed by Alice."
    assert thread.new_messages() == []
    world.alice.reads()


async def test_a_dropped_question_does_not_offer_to_resume_a_task_that_starts(world: World) -> None:
    """The line about a pause was a question about a held reply, and this reply was dropped. When another
    reply resumes the task, the line says so at once."""
    thread, task = await a_busy_agent(world)
    world.coder.template.plan = SLOW_START
    await world.alice.replies(thread, "use main")
    await world.alice.replies(thread, "!stop")
    await world.alice.clicks(thread, "Drop the reply")
    await world.passes(seconds=10)
    await world.polls()
    paused = thread.all_messages()[2]
    await world.passes(CARD_SECONDS)

    await world.alice.replies(thread, "go on")
    at_once = (task.status, thread.all_messages()[2])
    await comes_up(world, task)

    assert paused == PAUSED
    assert at_once == ("initializing", "Paused and resumed by Alice.")
    assert thread.all_messages()[2] == "Paused and resumed by Alice."
    assert len(thread.new_messages()) == 2


async def test_a_task_stopped_again_while_it_starts_has_one_line_that_offers_to_resume_it(
    world: World,
) -> None:
    """Alice resumes a paused task, and stops it again before it runs. Only the line about the second pause
    says that a reply resumes the task."""
    thread, task = await a_waiting_agent(world)
    world.coder.template.plan = SLOW_START
    await is_paused(world, thread)
    await world.alice.replies(thread, "!resume")

    await world.alice.replies(thread, "stop")
    await world.passes(seconds=30)
    await world.polls()
    twice = thread.new_messages()
    await world.alice.replies(thread, "go on")
    await comes_up(world, task)

    assert twice == ["Paused and resumed by Alice.", PAUSED]
    assert [text for text in thread.all_messages() if text.startswith("Paused")] == [
        "Paused and resumed by Alice.",
        "Paused and resumed by Alice.",
    ]
    world.alice.reads()


@pytest.mark.parametrize("pauses", ["in Coder", "by a time-out"])
async def test_a_line_ends_although_no_poll_saw_that_the_task_ran_again(world: World, pauses: str) -> None:
    """Between two polls, a paused task is resumed on Coder's page and paused again. The line about the first
    pause no longer says that a reply resumes the task."""
    thread, task = await a_waiting_agent(world)
    await is_paused(world, thread)
    first = thread.new_messages()

    task.resume()
    task.pause() if pauses == "in Coder" else task.pause_by_timeout()
    await world.passes(seconds=10)
    await world.polls()

    assert first == [PAUSED]
    assert thread.all_messages()[1] == "Paused by Alice, then resumed."
    [second] = thread.new_messages()
    assert second.startswith("Paused: Fix the login.")
    world.alice.reads()


async def test_a_second_stop_moves_the_line_into_the_new_question(world: World) -> None:
    """A reply waits for a resume, and Alice stops the paused task again. The new question is the line about
    the pause now. The old line no longer says what a reply does."""
    thread, task = await a_waiting_agent(world)
    await set_channel(world, resumes=WAITS)
    await is_paused(world, thread)
    first = thread.new_messages()
    await world.alice.replies(thread, "go on")
    thread.new_messages()

    await world.alice.replies(thread, "!stop")
    await world.passes(CARD_SECONDS)
    settled, [asked] = thread.all_messages()[1], thread.new_messages()
    await world.alice.clicks(thread, "Resume and send")
    await comes_up(world, task)

    assert first[-1] == "Paused by Alice. Replies wait until somebody resumes it."
    assert settled == "Paused by Alice."
    assert asked == "Paused. 1 reply waits.\n[Resume and send] [Drop the reply]"
    assert [text for text in thread.all_messages() if text.startswith("Paused")] == [
        "Paused by Alice.",
        "Paused and resumed by Alice.",
    ]
    world.alice.reads()


async def test_the_line_of_a_task_that_is_gone_offers_nothing(world: World) -> None:
    """A paused task is deleted in Coder. The line about its pause no longer says that a reply resumes it."""
    thread, task = await a_waiting_agent(world)
    await is_paused(world, thread)
    first = thread.new_messages()

    task.delete()
    await world.polls(times=3)

    assert first == [PAUSED]
    assert thread.all_messages()[1] == "Paused by Alice."
    assert len(thread.new_messages()) == 1
    world.alice.reads()


async def test_the_card_says_paused_as_soon_as_the_thread_does(world: World) -> None:
    """Alice stops a task. When Coder has stopped it, the card and the line in the thread say so at the same
    time, although the card was edited just before."""
    thread, task = await a_waiting_agent(world)
    await world.passes(CARD_SECONDS)
    await world.passes(CARD_SECONDS)
    world.coder.template.plan = BuildPlan(stop=2)
    await world.alice.clicks(thread, "Stop")
    pausing = thread.card().partition(":")[0]
    await world.passes(seconds=2.5)

    await world.polls()

    assert (pausing, task.status) == ("Pausing…", "paused")
    assert thread.new_messages() == [PAUSED]
    assert thread.card().partition(":")[0] == "Paused"
