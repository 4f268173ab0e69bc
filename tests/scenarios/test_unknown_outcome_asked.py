"""Input of unknown outcome: the bot's question about it, and what happens after a person's decision."""

from asyncio import gather

from .unknown_outcomes import LANDING_SECONDS, QUESTION, reply_of_unknown_outcome, without_notices
from .world import CARD_SECONDS, World


async def test_what_stays_undecidable_is_asked_and_later_replies_wait(world: World) -> None:
    """The bot cannot find out whether the agent got the reply, so it asks a person. Later replies wait."""
    thread, task, reply = await reply_of_unknown_outcome(world)

    later = await world.alice.replies(thread, "and test it")
    await world.passes(LANDING_SECONDS)

    assert task.inputs == []
    assert without_notices(thread) == [QUESTION]
    assert thread.receipt(reply) == ["hourglass_flowing_sand"]
    assert thread.receipt(later) == ["hourglass_flowing_sand"]
    await world.alice.clicks(thread, "Yes")
    assert "Decided: the agent got it.\n> use main" in thread.all_messages()
    assert task.inputs == ["and test it"]
    assert thread.receipt(reply) == ["white_check_mark"]


async def test_send_again(world: World) -> None:
    """A person presses *Send again*. The bot sends the reply of unknown outcome first, and then the waiting
    replies."""
    thread, task, reply = await reply_of_unknown_outcome(world)
    await world.alice.replies(thread, "and test it")
    without_notices(thread)

    await world.alice.clicks(thread, "Send again")
    task.becomes("idle")
    await world.polls()
    await world.passes(seconds=5)

    assert task.inputs == ["use main", "and test it"]
    assert thread.receipt(reply) == ["white_check_mark"]


async def test_deciding_twice_does_it_once(world: World) -> None:
    """A person presses the buttons of the question several times. The first decision counts. Each further
    press is answered with a note that somebody has decided already."""
    thread, task, _ = await reply_of_unknown_outcome(world)
    without_notices(thread)

    await world.alice.clicks_at_once(thread, "Send again", "Send again", "Yes")
    task.becomes("idle")
    await world.passes(seconds=5)

    assert task.inputs == ["use main"]
    assert "Sent again.\n> use main" in thread.all_messages()
    assert world.alice.reads() == ["Somebody already decided this."] * 2


async def test_a_stranger_cannot_decide(world: World) -> None:
    """Bob, who may not steer, presses a button of the question about a reply. The bot refuses him."""
    thread, task, _ = await reply_of_unknown_outcome(world)
    without_notices(thread)

    await world.bob.clicks(thread, "Send again")
    refusal = world.bob.reads()
    before = list(task.inputs)
    await world.alice.clicks(thread, "Yes")

    assert refusal == [
        "*Fix the login* belongs to Alice, so you can't decide about replies to it. "
        "Alice can let you, with `!share @Bob` in its thread."
    ]
    assert (before, task.inputs) == ([], [])


async def test_a_question_that_nobody_answers_ends_after_a_week(world: World) -> None:
    """Nobody answers the question about a reply for a week. The bot gives the reply up, and later replies go
    on."""
    thread, task, reply = await reply_of_unknown_outcome(world)
    await world.alice.replies(thread, "and test it")
    without_notices(thread)

    await world.passes(seconds=7 * 24 * 3600 + 1)

    assert without_notices(thread) == [
        ("Closed: nobody said within a week whether the agent got this.\n> use main")
    ]
    assert thread.receipt(reply) == ["warning"]
    assert task.inputs == ["and test it"]


async def test_the_question_keeps_for_hours(world: World) -> None:
    """A person presses *Send again* six hours after the bot's question. The bot sends the reply."""
    thread, task, reply = await reply_of_unknown_outcome(world)
    without_notices(thread)
    await world.passes(seconds=6 * 3600)

    await world.alice.clicks(thread, "Send again")
    await world.passes(CARD_SECONDS)

    assert task.inputs == ["use main"]
    assert thread.receipt(reply) == ["white_check_mark"]
    assert "Sent again.\n> use main" in thread.all_messages()


async def test_the_question_outlives_the_bot(world: World) -> None:
    """The bot restarts after it has asked. The question still works, because the job that waits for the
    decision is in Redis."""
    thread, task, reply = await reply_of_unknown_outcome(world)
    without_notices(thread)
    await world.restarts()

    await world.alice.clicks(thread, "Yes")

    assert task.inputs == []
    assert thread.receipt(reply) == ["white_check_mark"]
    assert "Decided: the agent got it.\n> use main" in thread.all_messages()


async def test_two_people_decide_at_once(world: World) -> None:
    """Two people press different buttons of the question at the same time. The first decision counts, and the
    other person is told that somebody has decided."""
    await world.restarts(admins=(world.bob.id,))
    thread, task, reply = await reply_of_unknown_outcome(world)
    without_notices(thread)

    await gather(
        world.alice.clicks(thread, "Send again"),
        world.bob.clicks(thread, "Yes"),
    )
    await world.passes(CARD_SECONDS)

    is_sent = task.inputs == ["use main"]
    late, first = (world.bob, world.alice) if is_sent else (world.alice, world.bob)
    assert late.reads() == ["Somebody already decided this."]
    assert first.reads() == []
    assert thread.receipt(reply) == ["white_check_mark"]
    words = "Sent again." if is_sent else "Decided: the agent got it."
    assert f"{words}\n> use main" in thread.all_messages()


async def test_nothing_is_decided_after_a_week(world: World) -> None:
    """A week has passed, and the bot has given the reply up. The question shows that nobody answered, and has
    no buttons."""
    thread, task, reply = await reply_of_unknown_outcome(world)
    await world.passes(seconds=7 * 24 * 3600 + 1)
    await world.passes(seconds=5)
    without_notices(thread)

    assert QUESTION not in thread.all_messages()
    assert ("Closed: nobody answered for a week.\n> use main") in thread.all_messages()
    assert task.inputs == []
    assert thread.receipt(reply) == ["warning"]


async def test_what_is_sent_again_may_be_of_unknown_outcome_again(world: World) -> None:
    """A person has the reply sent again, and the outcome is unknown again. The bot asks a second question,
    and closes the first question."""
    thread, task, reply = await reply_of_unknown_outcome(world)
    task.agentapi_fails("message")
    await world.alice.clicks(thread, "Send again")
    await world.passes(LANDING_SECONDS)

    said = without_notices(thread)
    await world.alice.clicks(thread, "Yes")

    assert said == ["I asked again below.\n> use main", QUESTION]
    assert task.inputs == []
    assert thread.receipt(reply) == ["white_check_mark"]
    assert "Decided: the agent got it.\n> use main" in thread.all_messages()
