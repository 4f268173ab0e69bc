"""Input of unknown outcome, while the agent's workspace is paused, unhealthy or gone."""

import pytest

from taskwire_sandbox.coder.faults import bad_gateway, cut_after, server_error

from .unknown_outcomes import (
    LANDING_SECONDS,
    QUESTION,
    UNREADABLE_SECONDS,
    reply_of_unknown_outcome,
    without_notices,
)
from .waiting import a_busy_agent, a_waiting_agent, comes_up
from .world import World


async def test_a_restart_of_the_workspace_leaves_it_undecided(world: World) -> None:
    """The workspace restarts after an input of unknown outcome. The restart deletes the log that would show
    the input, so the bot asks a person."""
    thread, task = await a_waiting_agent(world)
    world.coder.plan_fault("tasks.send", server_error())

    await world.alice.replies(thread, "use main")
    task.pause()
    await world.passes(seconds=5)
    task.resume()
    await world.passes(LANDING_SECONDS)

    assert without_notices(thread) == [QUESTION]
    await world.alice.clicks(thread, "Yes")
    assert task.inputs == []


async def test_a_resume_whose_answer_is_lost_is_not_repeated(world: World) -> None:
    """A reply resumes a paused task, but Coder's answer to the resume is lost. The bot sees that a newer
    build has started. So it does not resume again, and delivers the reply."""
    thread, task = await a_waiting_agent(world)
    task.pause()
    await world.polls()
    thread.new_messages()
    world.coder.plan_fault("tasks.resume", cut_after())

    await world.alice.replies(thread, "carry on")
    await world.passes(seconds=36)
    await world.passes(seconds=5)
    await world.polls()

    assert [build.transition for build in task.builds] == ["start", "stop", "start"]
    assert task.inputs == ["carry on"]
    assert without_notices(thread) == ["Resumed by Alice."]


async def test_a_pause_whose_answer_is_lost_is_one_line(world: World) -> None:
    """A reply waits, and Alice types `!stop`. Coder's answer to the pause is lost. A poll sees the paused
    task before the bot's own job does. The thread gets only one message about the pause, with buttons for the
    waiting reply."""
    thread, task = await a_busy_agent(world)
    world.coder.plan_fault("tasks.pause", cut_after())
    await world.alice.replies(thread, "use main")
    await world.alice.replies(thread, "!stop")

    await world.polls()
    await world.passes(seconds=36)
    await world.polls()
    asked = thread.new_messages()
    await world.alice.clicks(thread, "Resume and send")
    await comes_up(world)

    assert asked == ["Paused by Alice. 1 reply waits.\n[Resume and send] [Drop the reply]"]
    assert task.inputs == ["use main"]
    assert "Paused and resumed by Alice." in thread.all_messages()[2]
    without_notices(thread)
    world.alice.reads()


async def test_a_pause_keeps_the_question(world: World) -> None:
    """The bot has asked about a reply of unknown outcome, and then a person pauses the task. The buttons of
    the question still work."""
    thread, task, reply = await reply_of_unknown_outcome(world)
    await world.alice.replies(thread, "!pause")
    await world.passes(seconds=3)
    without_notices(thread)

    await world.alice.clicks(thread, "Yes")

    assert task.status == "paused"
    assert task.inputs == []
    assert thread.receipt(reply) == ["white_check_mark"]


async def test_resuming_brings_the_question_back_and_sends_nothing(world: World) -> None:
    """The bot has asked about a reply of unknown outcome, and a person pauses the task. Even *Resume and
    send* does not send this reply. The bot sends it when the person presses *Send again* at the question."""
    thread, task, _ = await reply_of_unknown_outcome(world)
    await world.alice.replies(thread, "!pause")
    await world.passes(seconds=3)
    said = without_notices(thread)
    await world.alice.clicks(thread, "Resume and send")
    await world.passes(seconds=3)
    await world.passes(seconds=3)
    before = (task.status, list(task.inputs))
    said += without_notices(thread)

    await world.alice.clicks(thread, "Send again")
    await world.passes(seconds=5)

    assert before == ("active", [])
    assert said == [
        QUESTION,
        "Pausing. 1 reply waits.\n[Resume and send] [Drop the reply]",
    ]
    assert task.inputs == ["use main"]
    assert world.alice.reads() == []


@pytest.mark.parametrize("label", ["Yes", "Send again"])
async def test_a_pause_meanwhile_leaves_it_undecided(world: World, label: str) -> None:
    """The task is paused while the outcome of a reply is unknown. Coder saved the log at the pause, perhaps
    before the input. So the bot asks a person, and resumes nothing by itself."""
    thread, task = await a_waiting_agent(world)
    world.coder.plan_fault("tasks.send", cut_after())
    world.coder.plan_fault("tasks.logs", bad_gateway(), skips=1)

    reply = await world.alice.replies(thread, "use main")
    task.pause()
    await world.passes(LANDING_SECONDS)
    before = (task.status, without_notices(thread))
    await world.alice.clicks(thread, label)
    await world.passes(seconds=10)

    assert before == ("paused", [QUESTION])
    assert thread.receipt(reply) == ["white_check_mark"]
    assert (task.status, task.inputs) == {
        "Yes": ("paused", ["use main"]),
        "Send again": ("active", ["use main", "use main"]),
    }[label]


@pytest.mark.parametrize("status", ["error", "unknown"])
async def test_a_workspace_that_is_unwell_for_a_moment_is_waited_for(world: World, status: str) -> None:
    """The workspace is unhealthy for a moment after an input of unknown outcome. The bot waits until it is
    healthy. Then the agent's log shows the input, and the bot asks nobody."""
    thread, task = await a_waiting_agent(world)
    world.coder.plan_fault("tasks.send", cut_after())
    world.coder.plan_fault("tasks.logs", bad_gateway(), skips=1)

    reply = await world.alice.replies(thread, "use main")
    task.status_is(status)
    await world.passes(LANDING_SECONDS)
    before = thread.receipt(reply)
    task.status_is("active")
    await world.passes(seconds=6)

    assert before == ["eyes"]
    assert thread.receipt(reply) == ["white_check_mark"]
    assert task.inputs == ["use main"]
    assert without_notices(thread) == []


async def test_a_workspace_that_stays_unwell_is_not_waited_for(world: World) -> None:
    """The workspace stays unhealthy after an input of unknown outcome. After a while, the bot asks a person,
    because later replies wait behind this reply."""
    thread, task = await a_waiting_agent(world)
    world.coder.plan_fault("tasks.send", cut_after())
    world.coder.plan_fault("tasks.logs", bad_gateway(), skips=1)

    await world.alice.replies(thread, "use main")
    task.status_is("unknown")
    await world.passes(LANDING_SECONDS)
    await world.passes(UNREADABLE_SECONDS)

    assert without_notices(thread) == [QUESTION]
    await world.alice.clicks(thread, "Yes")
    assert task.inputs == ["use main"]


async def test_a_question_about_a_task_that_is_gone_is_over(world: World) -> None:
    """The task is deleted while the bot's question about a reply is open. The question loses its buttons, and
    says why."""
    thread, task, reply = await reply_of_unknown_outcome(world)
    later = await world.alice.replies(thread, "and test it")
    without_notices(thread)

    task.delete()
    await world.polls(times=3)
    await world.passes(seconds=3)
    said = thread.new_messages()

    assert said == [
        "Gone: Fix the login. The task is no longer in Coder. No agent gets replies here now.\n[New task]",
        ("Not sure whether the agent got this reply:\n| use main"),
        "Not delivered: the task is no longer in Coder.\n[New task]",
    ]
    no_need = "Closed: this thread has no task any more.\n> use main"
    assert no_need in thread.all_messages()
    assert [thread.receipt(ts) for ts in (reply, later)] == [["warning"]] * 2


async def test_a_reply_of_unknown_outcome_when_the_task_goes_is_told_of(world: World) -> None:
    """After a reply of unknown outcome, the task is deleted before the bot has read the agent's log. The bot
    writes in the thread that the agent may have the reply."""
    thread, task = await a_waiting_agent(world)
    world.coder.plan_fault("tasks.send", cut_after())
    world.coder.plan_fault("tasks.logs", bad_gateway(), skips=1)

    reply = await world.alice.replies(thread, "use main")
    task.delete()
    await world.polls(times=3)
    thread.new_messages()
    await world.passes(LANDING_SECONDS)

    assert thread.new_messages() == [("Not sure whether the agent got this reply:\n| use main")]
    assert thread.receipt(reply) == ["warning"]


async def test_a_detached_thread_gives_back_replies_of_unknown_outcome_as_that(world: World) -> None:
    """A person detaches a task while a reply of unknown outcome and a later reply wait. The bot writes that
    it is not sure about the first reply, and that the agent did not get the later one."""
    thread, task, reply = await reply_of_unknown_outcome(world)
    later = await world.alice.replies(thread, "and test it")
    without_notices(thread)

    await world.alice.replies(thread, "!detach")
    await world.passes(seconds=3)

    assert thread.new_messages() == [
        ("Not sure whether the agent got this reply:\n| use main"),
        ("The agent did not get this reply:\n| and test it"),
        "Detached: replies here no longer reach the agent. The task itself stays as it is.\n[Attach again]",
    ]
    assert [thread.receipt(ts) for ts in (reply, later)] == [["warning"]] * 2
    assert task.inputs == []
