"""A failure names the system that failed. A wait for Slack's limits is no failure."""

import pytest

from taskwire.slack import call_priorities
from taskwire_sandbox.slack import CallFault

from .people import Person
from .world import World

SLACK_AWAY = "Slack refused that. Try again in a minute."


@pytest.mark.parametrize(
    "fault",
    [CallFault.SERVER_ERROR, CallFault.NONSENSE, CallFault.REFUSE, CallFault.DONE_THEN_CUT],
)
async def test_a_question_that_fails_in_slack_is_not_called_coder_s(world: World, fault: CallFault) -> None:
    """The connection to Slack breaks during a query. The answer names Slack and not Coder."""
    world.slack.faults.add("users.info", fault)

    await world.alice.types("/task list")

    assert world.alice.reads() == [SLACK_AWAY]


@pytest.mark.parametrize("fault", [CallFault.SERVER_ERROR, CallFault.REFUSE, CallFault.DONE_THEN_CUT])
async def test_an_act_that_fails_in_slack_is_not_called_coder_s(world: World, fault: CallFault) -> None:
    """The connection to Slack breaks while the bot runs a command. The message says that the command waits
    for Slack, and does not name Coder."""
    world.coder.add_task("alice", "fix it", name="loose")
    world.slack.faults.add("users.info", fault, times=2)

    await world.alice.types("/task pause loose")
    await world.passes(seconds=2)
    await world.passes(seconds=20)

    assert world.alice.reads() == [
        "Slack is not answering, so stopping `loose` has to wait. I'll try for an hour; no need to "
        "repeat it.",
        "Pausing *Fix it*. `/task resume loose` resumes it.",
    ]


async def test_two_hundred_people_ask_at_once_and_all_are_answered(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two hundred people type a query at once, and Slack allows only a hundred look-ups of people a minute.
    The queries of the others wait, and in the end each is answered."""
    monkeypatch.setattr(call_priorities, "LONGEST_SLEEP_SECONDS", 0.5)
    people = [world.person(f"person-{number}") for number in range(200)]
    world.slack.add_channel("crowd", [person.name for person in people])
    for person in people:
        await person.types("/task list", "crowd", settles=False)

    await answered(world, people)

    answers = {answer for person in people for answer in person.reads()}
    told = [len(world.slack.ephemerals(person.id)) for person in people]
    assert told == [1] * 200
    assert answers == {
        "You have no tasks yet. `/task create PROMPT` creates one, and `/task create` alone opens a form."
    }


async def test_fifty_people_who_each_ask_four_times_at_once_are_all_answered(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fifty people each type a query four times at once. The look-ups of these people in Slack have to wait
    for Slack's limit. In the end, all two hundred queries are answered."""
    monkeypatch.setattr(call_priorities, "LONGEST_SLEEP_SECONDS", 0.5)
    people = [world.person(f"person-{number}") for number in range(50)]
    world.slack.add_channel("crowd", [person.name for person in people])
    for person in people * 4:
        await person.types("/task list", "crowd", settles=False)

    await answered(world, people)

    assert [len(person.reads()) for person in people] == [4] * 50


async def test_a_429_is_waited_for(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Slack answers a look-up of a person with 429, and says when the bot may ask again. The bot waits that
    long, and then answers the person."""
    monkeypatch.setattr(call_priorities, "LONGEST_SLEEP_SECONDS", 0.5)
    world.slack.faults.add("users.info", CallFault.RATE_LIMITED, seconds=30)
    await world.alice.types("/task list", settles=False)
    await answered(world, [world.alice])

    assert [call.outcome for call in world.slack.calls if call.method == "users.info"] == [
        "rate_limited",
        "ok",
    ]
    assert world.alice.reads() == [
        "You have no tasks yet. `/task create PROMPT` creates one, and `/task create` alone opens a form."
    ]


async def test_help_waits_for_nobody_s_place(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Help needs no limited call to Slack, so it is answered at once."""
    monkeypatch.setattr(call_priorities, "LONGEST_SLEEP_SECONDS", 0.5)
    people = [world.person(f"person-{number}") for number in range(80)]
    world.slack.add_channel("crowd", [person.name for person in people])
    for person in people:
        await person.types("/task list", "crowd", settles=False)
    await world.until(lambda: any(not person.has_news() for person in people), "somebody waits")

    await world.alice.types("/task help", settles=False)
    await world.until(world.alice.has_news, "help is there")
    waited = sum(not person.has_news() for person in people)
    await answered(world, people)

    assert waited >= 20
    assert all(len(person.reads()) == 1 for person in people)
    assert len(world.alice.reads()) == 1


async def answered(world: World, people: list[Person]) -> None:
    """Let time pass until each of these people has an answer."""

    def is_answered() -> bool:
        world.clock.passes(0.2)
        return all(person.has_news() for person in people)

    await world.until(is_answered, "all have an answer")
    await world.settles()
