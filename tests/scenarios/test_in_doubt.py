"""Input whose answer was lost: read back, sent again once, or asked about; never sent twice in silence."""

from taskwire.sandbox.coder import PuppetTask
from taskwire.sandbox.coder.faults import cut_after, nonsense, refused, server_error

from .people import Thread
from .waiting import a_waiting_agent
from .world import World

QUESTION = (
    "I can't tell whether the agent got this: the answer was lost, and its log does not say. "
    "Later replies wait until you decide.\n> use main\n[It arrived] [Send again]"
)
# An attempt can land until a minute after it began, and five seconds more.
LANDED = 66


async def in_doubt(world: World) -> tuple[Thread, PuppetTask, str]:
    """A reply of which nobody knows whether the agent got it."""
    thread, task = await a_waiting_agent(world)
    task.agentapi_fails("message")
    reply = await world.alice.replies(thread, "use main")
    await world.passes(LANDED)
    # So much was due at once that the channel's pace kept some of it back.
    await world.passes(seconds=5)
    return thread, task, reply


def without_notices(thread: Thread) -> list[str]:
    """What the bot has said here, without that the agent needs somebody, which so much time brings."""
    return [said for said in thread.new_messages() if "Needs you" not in said]


async def test_an_answer_that_is_lost_after_the_agent_has_it_is_read_back(world: World) -> None:
    """The agent's log shows it at once, so nobody waits, and it is not sent again."""
    thread, task = await a_waiting_agent(world)
    world.coder.misbehave("tasks.send", cut_after())

    reply = await world.alice.replies(thread, "use main")
    at_once = thread.receipt(reply)
    await world.passes(LANDED)
    task.becomes("idle")
    await world.passes(LANDED)

    assert at_once == ["white_check_mark"]
    assert task.inputs == ["use main"]
    assert thread.receipt(reply) == ["white_check_mark"]
    assert without_notices(thread) == []


async def test_an_answer_that_makes_no_sense_is_read_back(world: World) -> None:
    """Whatever stands before Coder."""
    thread, task = await a_waiting_agent(world)
    world.coder.misbehave("tasks.send", nonsense())

    reply = await world.alice.replies(thread, "use main")
    await world.passes(LANDED)

    assert task.inputs == ["use main"]
    assert thread.receipt(reply) == ["white_check_mark"]
    assert without_notices(thread) == []


async def test_a_request_that_is_cut_before_it_takes_effect_is_sent_again_once(world: World) -> None:
    """The agent's log does not have it."""
    thread, task = await a_waiting_agent(world)
    world.coder.misbehave("tasks.send", refused())

    reply = await world.alice.replies(thread, "use main")
    await world.passes(LANDED)

    assert task.inputs == ["use main"]
    assert thread.receipt(reply) == ["white_check_mark"]
    assert without_notices(thread) == []


async def test_what_is_cut_twice_is_asked_about(world: World) -> None:
    """Once is enough to try."""
    thread, task = await a_waiting_agent(world)
    world.coder.misbehave("tasks.send", refused(), times=2)

    reply = await world.alice.replies(thread, "use main")
    await world.passes(LANDED)
    await world.passes(LANDED)

    assert task.inputs == []
    assert without_notices(thread) == [QUESTION]
    assert thread.receipt(reply) == ["hourglass_flowing_sand"]
    await world.alice.clicks(thread, "Send again")
    assert task.inputs == ["use main"]


async def test_a_rejected_message_that_was_typed_is_found(world: World) -> None:
    """The log shows it, whatever the answer was."""
    thread, task = await a_waiting_agent(world)
    task.agentapi_fails("message_after_typing")

    reply = await world.alice.replies(thread, "use main")
    await world.passes(LANDED)

    assert task.inputs == ["use main"]
    assert thread.receipt(reply) == ["white_check_mark"]
    assert without_notices(thread) == []


async def test_what_stays_undecidable_is_asked_and_later_replies_wait(world: World) -> None:
    """Nothing is guessed."""
    thread, task, reply = await in_doubt(world)

    later = await world.alice.replies(thread, "and test it")
    await world.passes(LANDED)

    assert task.inputs == []
    assert without_notices(thread) == [QUESTION]
    assert thread.receipt(reply) == ["hourglass_flowing_sand"]
    assert thread.receipt(later) == ["eyes"]
    await world.alice.clicks(thread, "It arrived")
    assert "Decided: it arrived." in thread.all_messages()
    assert task.inputs == ["and test it"]
    assert thread.receipt(reply) == ["white_check_mark"]


async def test_send_again(world: World) -> None:
    """The reply goes first, then what waits."""
    thread, task, reply = await in_doubt(world)
    await world.alice.replies(thread, "and test it")
    without_notices(thread)

    await world.alice.clicks(thread, "Send again")
    task.becomes("idle")
    await world.sweeps()
    await world.passes(seconds=5)

    assert task.inputs == ["use main", "and test it"]
    assert thread.receipt(reply) == ["white_check_mark"]


async def test_deciding_twice_does_it_once(world: World) -> None:
    """The second click says so."""
    thread, task, _ = await in_doubt(world)
    without_notices(thread)

    await world.alice.clicks_at_once(thread, "Send again", "Send again", "It arrived")
    task.becomes("idle")
    await world.passes(seconds=5)

    assert task.inputs == ["use main"]
    assert without_notices(thread) == []
    assert thread.all_messages().count("Sent again.") == 1
    assert world.alice.reads() == ["That has been decided already."] * 2


async def test_a_stranger_cannot_decide(world: World) -> None:
    """They may not steer, so they may not say."""
    thread, task, _ = await in_doubt(world)
    without_notices(thread)

    await world.bob.clicks(thread, "Send again")
    refusal = world.bob.reads()
    before = list(task.inputs)
    await world.alice.clicks(thread, "It arrived")

    assert refusal == [
        "*Fix the login* belongs to alice, so you can't do that. Ask them, or an administrator."
    ]
    assert (before, task.inputs) == ([], [])


async def test_a_pause_keeps_the_question(world: World) -> None:
    """It is held like the others, and the question still counts."""
    thread, task, reply = await in_doubt(world)
    await world.alice.replies(thread, "!pause")
    await world.passes(seconds=3)
    without_notices(thread)

    await world.alice.clicks(thread, "It arrived")

    assert task.status == "paused"
    assert task.inputs == []
    assert thread.receipt(reply) == ["white_check_mark"]


async def test_resuming_brings_the_question_back_and_sends_nothing(world: World) -> None:
    """Nobody has decided yet."""
    thread, task, _ = await in_doubt(world)
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
        "Pausing, and one reply waits until you say what to do.\n[Resume and send] [Drop it]",
    ]
    assert task.inputs == ["use main"]
    assert world.alice.reads() == ["Starting *Fix the login* again. The thread hears when it is back."]


async def test_a_question_that_nobody_answers_ends_after_a_week(world: World) -> None:
    """Later replies do not wait for ever."""
    thread, task, reply = await in_doubt(world)
    await world.alice.replies(thread, "and test it")
    without_notices(thread)

    await world.passes(seconds=7 * 24 * 3600 + 1)

    assert without_notices(thread) == [
        "Nobody told me for a week whether the agent got this, so I leave it at that.\n> use main"
    ]
    assert thread.receipt(reply) == ["warning"]
    assert task.inputs == ["and test it"]


async def test_a_restart_of_the_workspace_leaves_it_undecided(world: World) -> None:
    """The log that could tell is gone."""
    thread, task = await a_waiting_agent(world)
    world.coder.misbehave("tasks.send", server_error())

    await world.alice.replies(thread, "use main")
    task.pause()
    await world.passes(seconds=5)
    task.resume()
    await world.passes(LANDED)

    assert without_notices(thread) == [QUESTION]
    await world.alice.clicks(thread, "It arrived")
    assert task.inputs == []


async def test_a_resume_whose_answer_is_lost_is_not_repeated(world: World) -> None:
    """A newer build shows that it happened; then the reply goes on."""
    thread, task = await a_waiting_agent(world)
    task.pause()
    await world.sweeps()
    thread.new_messages()
    world.coder.misbehave("tasks.resume", cut_after())

    await world.alice.replies(thread, "carry on")
    await world.passes(seconds=36)
    await world.passes(seconds=5)
    await world.sweeps()

    assert [build.transition for build in task.builds] == ["start", "stop", "start"]
    assert task.inputs == ["carry on"]
    assert without_notices(thread) == [
        "Resumed: Fix the login. Alice resumed it. The workspace is up again. Reply here to talk to the "
        "agent.\n[Open in Coder]"
    ]
