"""Input of unknown outcome: what the agent's log shows about it, and what the log cannot show."""

from asyncio import Event
from collections.abc import Callable
from pathlib import Path

import pytest

from taskwire.app.wiring import Timings
from taskwire.coder.client import CoderTimeouts
from taskwire_sandbox.coder import SandboxTask
from taskwire_sandbox.coder.faults import bad_gateway, cut_after, nonsense, refused, server_error
from taskwire_sandbox.coder.server import RecordedRequest

from .unknown_outcomes import LANDING_SECONDS, QUESTION, UNREADABLE_SECONDS, without_notices
from .waiting import a_waiting_agent
from .world import World, new_world


async def test_an_answer_that_is_lost_after_the_agent_has_it_is_read_back(world: World) -> None:
    """The agent gets an input, but Coder's answer to the bot is lost. The agent's log shows the input at
    once, so the bot does not send it again."""
    thread, task = await a_waiting_agent(world)
    world.coder.plan_fault("tasks.send", cut_after())

    reply = await world.alice.replies(thread, "use main")
    at_once = thread.receipt(reply)
    await world.passes(LANDING_SECONDS)
    task.becomes("idle")
    await world.passes(LANDING_SECONDS)

    assert at_once == ["white_check_mark"]
    assert task.inputs == ["use main"]
    assert thread.receipt(reply) == ["white_check_mark"]
    assert without_notices(thread) == []


async def test_an_answer_that_makes_no_sense_is_read_back(world: World) -> None:
    """The bot sends an input, and a proxy in front of Coder answers nonsense. The bot finds the input in the
    agent's log, so it does not send it again."""
    thread, task = await a_waiting_agent(world)
    world.coder.plan_fault("tasks.send", nonsense())

    reply = await world.alice.replies(thread, "use main")
    await world.passes(LANDING_SECONDS)

    assert task.inputs == ["use main"]
    assert thread.receipt(reply) == ["white_check_mark"]
    assert without_notices(thread) == []


async def test_a_request_that_is_cut_before_it_takes_effect_is_sent_again_once(world: World) -> None:
    """The connection to Coder breaks before an input reaches the agent. The agent's log does not have the
    input, so the bot sends it again once."""
    thread, task = await a_waiting_agent(world)
    world.coder.plan_fault("tasks.send", refused())

    reply = await world.alice.replies(thread, "use main")
    await world.passes(LANDING_SECONDS)

    assert task.inputs == ["use main"]
    assert thread.receipt(reply) == ["white_check_mark"]
    assert without_notices(thread) == []


async def test_what_is_cut_twice_is_asked_about(world: World) -> None:
    """The bot sends a reply again, and the second try has an unknown outcome too. The bot asks a person and
    makes no third try."""
    thread, task = await a_waiting_agent(world)
    world.coder.plan_fault("tasks.send", refused(), times=2)

    reply = await world.alice.replies(thread, "use main")
    await world.passes(LANDING_SECONDS)
    await world.passes(LANDING_SECONDS)

    assert task.inputs == []
    assert without_notices(thread) == [QUESTION]
    assert thread.receipt(reply) == ["hourglass_flowing_sand"]
    await world.alice.clicks(thread, "Send again")
    assert task.inputs == ["use main"]


async def test_a_rejected_message_that_was_typed_is_found(world: World) -> None:
    """Coder answers an input with an error, but the agent's log shows the input. So the bot does not send it
    again."""
    thread, task = await a_waiting_agent(world)
    task.agentapi_fails("message_after_typing")

    reply = await world.alice.replies(thread, "use main")
    await world.passes(LANDING_SECONDS)

    assert task.inputs == ["use main"]
    assert thread.receipt(reply) == ["white_check_mark"]
    assert without_notices(thread) == []


@pytest.mark.parametrize("has_landed", [True, False])
async def test_the_same_words_twice_are_two_inputs(world: World, *, has_landed: bool) -> None:
    """A second reply has the same text as the first one, and its outcome is unknown. The first reply's log
    entry is no proof that the second arrived. The agent gets each reply once."""
    thread, task = await a_waiting_agent(world)
    first = await world.alice.replies(thread, "yes")
    task.becomes("idle")
    await world.polls()
    world.coder.plan_fault("tasks.send", cut_after() if has_landed else refused())

    second = await world.alice.replies(thread, "yes")
    await world.passes(LANDING_SECONDS)

    assert task.inputs == ["yes", "yes"]
    assert [thread.receipt(reply) for reply in (first, second)] == [["white_check_mark"]] * 2
    assert without_notices(thread) == []


async def test_words_that_the_terminal_pads_are_found(world: World) -> None:
    """The log pads the input with spaces at the ends of lines. The bot still finds it."""
    thread, task = await a_waiting_agent(world)
    task.pads_what_it_hears()
    world.coder.plan_fault("tasks.send", cut_after())

    reply = await world.alice.replies(thread, "use\nmain  ")

    assert task.inputs == ["use\nmain"]
    assert thread.receipt(reply) == ["white_check_mark"]


async def test_words_without_an_entry_are_asked_about(world: World) -> None:
    """The agent got an input of unknown outcome. Its log has no entry for the input, and only the screen has
    changed. The bot asks a person."""
    thread, task = await a_waiting_agent(world)
    task.agentapi_fails("message_unlogged")
    world.coder.plan_fault("tasks.send", cut_after())

    await world.alice.replies(thread, "use main")
    await world.passes(LANDING_SECONDS)

    assert task.inputs == ["use main"]
    assert without_notices(thread) == [QUESTION]
    await world.alice.clicks(thread, "Yes")
    assert task.inputs == ["use main"]


async def test_a_screen_that_moved_by_itself_is_no_proof(world: World) -> None:
    """An input of unknown outcome did not reach the agent, but the agent's screen has changed for another
    reason. The bot asks a person."""
    thread, task = await a_waiting_agent(world)
    world.coder.plan_fault("tasks.send", refused())

    await world.alice.replies(thread, "use main")
    task.rewrites("Tip: press ? for help")
    await world.passes(LANDING_SECONDS)

    assert task.inputs == []
    assert without_notices(thread) == [QUESTION]
    await world.alice.clicks(thread, "Send again")
    assert task.inputs == ["use main"]


async def test_what_other_people_type_changes_nothing_about_an_entry(world: World) -> None:
    """After an input of unknown outcome, somebody types another input in Coder's own pages. The bot still
    finds its own input in the log."""
    thread, task = await a_waiting_agent(world)
    world.coder.plan_fault("tasks.send", cut_after())
    world.coder.plan_fault("tasks.logs", bad_gateway(), skips=1)

    reply = await world.alice.replies(thread, "use main")
    task.becomes("idle")
    task.hears("and hurry")
    await world.passes(LANDING_SECONDS)

    assert task.inputs == ["use main", "and hurry"]
    assert thread.receipt(reply) == ["white_check_mark"]
    assert without_notices(thread) == []


async def test_the_same_words_from_elsewhere_are_asked_about(world: World) -> None:
    """Somebody types the same text in Coder as a reply of unknown outcome has. The log then has the text
    twice, and the bot cannot tell which entry is the reply. So it asks a person."""
    thread, task = await a_waiting_agent(world)
    world.coder.plan_fault("tasks.send", cut_after())
    world.coder.plan_fault("tasks.logs", bad_gateway(), skips=1)

    await world.alice.replies(thread, "use main")
    task.becomes("idle")
    task.hears("use main")
    await world.passes(LANDING_SECONDS)

    assert without_notices(thread) == [QUESTION]
    await world.alice.clicks(thread, "Yes")
    assert task.inputs == ["use main", "use main"]


@pytest.mark.parametrize("befalls", [SandboxTask.begins_anew, SandboxTask.loses_its_log])
async def test_a_log_that_does_not_go_on_says_nothing(
    world: World, befalls: Callable[[SandboxTask], None]
) -> None:
    """After an input of unknown outcome, the agent's program restarts or its log is emptied. The log cannot
    show the input any more, so the bot asks a person."""
    thread, task = await a_waiting_agent(world)
    world.coder.plan_fault("tasks.send", cut_after())
    world.coder.plan_fault("tasks.logs", bad_gateway(), skips=1)

    await world.alice.replies(thread, "use main")
    befalls(task)
    await world.passes(LANDING_SECONDS)

    assert without_notices(thread) == [QUESTION]
    await world.alice.clicks(thread, "Yes")
    assert task.inputs == ["use main"]


async def test_a_log_that_cannot_be_read_for_a_while_is_waited_for(world: World) -> None:
    """After an input of unknown outcome, the agent's log cannot be read for a while, so the bot waits. When
    it reads the log, it finds the input there."""
    thread, task = await a_waiting_agent(world)
    world.coder.plan_fault("tasks.send", cut_after())
    logs = world.coder.plan_fault("tasks.logs", bad_gateway(), times=None, skips=1)

    reply = await world.alice.replies(thread, "use main")
    await world.passes(LANDING_SECONDS)
    before = thread.receipt(reply)
    logs.times = 0
    await world.passes(seconds=6)

    assert before == ["eyes"]
    assert thread.receipt(reply) == ["white_check_mark"]
    assert task.inputs == ["use main"]
    assert without_notices(thread) == []


async def test_a_log_that_cannot_be_read_for_long_is_not_waited_for(world: World) -> None:
    """After an input of unknown outcome, Coder answers, but it cannot reach the agent to read its log. After
    a while, the bot asks a person."""
    thread, task = await a_waiting_agent(world)
    world.coder.plan_fault("tasks.send", cut_after())
    world.coder.plan_fault("tasks.logs", bad_gateway(), times=None, skips=1)

    reply = await world.alice.replies(thread, "use main")
    await world.passes(LANDING_SECONDS)
    await world.passes(UNREADABLE_SECONDS)

    assert without_notices(thread) == [QUESTION]
    assert thread.receipt(reply) == ["hourglass_flowing_sand"]
    await world.alice.clicks(thread, "Yes")
    assert task.inputs == ["use main"]


async def test_a_coder_that_is_away_is_waited_for(world: World) -> None:
    """Coder is away after an input of unknown outcome. The bot waits until Coder is back. Then the log shows
    whether the input arrived."""
    thread, task = await a_waiting_agent(world)
    world.coder.plan_fault("tasks.send", cut_after())
    away = world.coder.plan_fault("tasks.*", server_error(), times=None, skips=3)

    reply = await world.alice.replies(thread, "use main")
    for _ in range(4):
        await world.passes(seconds=900)
    before = thread.receipt(reply)
    away.times = 0
    await world.passes(seconds=60)

    assert before == ["eyes"]
    assert thread.receipt(reply) == ["white_check_mark"]
    assert task.inputs == ["use main"]
    assert without_notices(thread) == []


async def test_a_coder_that_is_away_for_a_day_is_not_waited_for(world: World) -> None:
    """Coder is away for a day after an input of unknown outcome. Then the bot asks a person, because the
    agent may have the reply."""
    thread, task = await a_waiting_agent(world)
    world.coder.plan_fault("tasks.send", cut_after())
    away = world.coder.plan_fault("tasks.*", server_error(), times=None, skips=3)

    reply = await world.alice.replies(thread, "use main")
    later = await world.alice.replies(thread, "and test it")
    await world.passes(seconds=60)
    await world.passes(seconds=25 * 3600)
    away.times = 0
    await world.passes(seconds=60)

    assert QUESTION in thread.new_messages()
    assert [thread.receipt(ts) for ts in (reply, later)] == [["hourglass_flowing_sand"]] * 2
    assert await world.dead_letters() == []
    await world.alice.clicks(thread, "Yes")
    task.becomes("idle")
    await world.passes(seconds=5)
    assert task.inputs == ["use main", "and test it"]


async def test_an_input_that_lands_after_the_time_is_out_is_found(tmp_path: Path) -> None:
    """Coder may deliver the input after the bot's timeout. The bot waits until this is impossible before it
    sends the input again."""
    timings = Timings(coder=CoderTimeouts(send=0.5))
    async with new_world(tmp_path, timings=timings) as world:
        thread, task = await a_waiting_agent(world)
        late = Event()

        async def held(seen: RecordedRequest, moment: str) -> None:
            if (seen.route, moment) == ("tasks.send", "before"):
                await late.wait()

        world.coder.on_request = held

        reply = await world.alice.replies(thread, "use main")
        before = list(task.inputs)
        late.set()
        await world.until(lambda: task.inputs, "the agent has it")
        await world.passes(LANDING_SECONDS)

        assert before == []
        assert task.inputs == ["use main"]
        assert thread.receipt(reply) == ["white_check_mark"]
        assert without_notices(thread) == []
