"""What was written while the bot was away is found when it comes back."""

import pytest

from taskwire import running
from taskwire.sandbox.slack import CallFault, DeliveryFault

from .people import Thread
from .waiting import a_busy_agent, a_waiting_agent, takes_all
from .world import World

STALE = (
    "This was written while I was away, more than an hour ago. Still send it? Later replies wait.\n"
    "> {}\n[Send it] [Leave it]"
)


async def away(world: World) -> None:
    """Let the bot end, and Slack give up on what it does not take."""
    await world.stops()
    world.slack.backend.courier.retry_seconds = ()


async def back(world: World) -> None:
    """Let the bot start, and have read the threads."""
    await world.starts()
    await world.until(lambda: world.bot.has_noted_gap, "the threads are to be read")
    await world.settles()


async def test_a_reply_written_while_the_bot_was_away_is_delivered_once(world: World) -> None:
    """Nobody has to write it again, and nothing that was there before is sent again."""
    thread, task = await a_waiting_agent(world)
    await world.alice.replies(thread, "use main")
    task.becomes("idle")
    await away(world)

    missed = await world.slack.post(world.alice.id, thread.channel, "and test it", thread.ts)
    await back(world)
    await world.restarts()
    await world.until(lambda: world.bot.has_noted_gap, "the threads are to be read again")
    await world.settles()

    assert task.inputs == ["use main", "and test it"]
    assert thread.receipt(missed) == ["white_check_mark"]


async def test_an_event_that_slack_brings_after_the_thread_was_read_changes_nothing(world: World) -> None:
    """It is the same message."""
    thread, task = await a_waiting_agent(world)
    await world.stops()
    world.slack.backend.courier.retry_seconds = (1.0,)

    await world.slack.post(world.alice.id, thread.channel, "and test it", thread.ts)
    await back(world)
    task.becomes("idle")
    await world.passes(seconds=5)

    assert task.inputs == ["and test it"]


async def test_a_reply_that_was_lost_between_others_is_found(world: World) -> None:
    """A later one that arrived does not hide it."""
    thread, task = await a_waiting_agent(world)
    world.slack.backend.courier.retry_seconds = ()
    world.slack.faults.add("message", DeliveryFault.LOST)
    lost = await world.slack.post(world.alice.id, thread.channel, "lost", thread.ts)
    await world.alice.replies(thread, "heard")
    task.becomes("idle")

    await world.restarts()
    await world.until(lambda: world.bot.has_noted_gap, "the threads are to be read")
    await world.settles()

    assert task.inputs == ["heard", "lost"]
    assert thread.receipt(lost) == ["white_check_mark"]
    assert thread.new_messages() == [
        "Slack brought me this reply late: the agent got it after one that was written later.\n> lost"
    ]


async def test_the_threads_with_the_latest_news_are_read_first(world: World) -> None:
    """Slack lets few of them be read in a minute: what is talked about now should not wait for what rests."""
    threads = []
    for name in ("one", "two", "three"):
        threads.append(await world.alice.runs(f"/task create mend page {name}"))
        await world.passes(seconds=3)
    await world.sweeps()
    world.task("mend-page-two").becomes("working", "Still at it")
    await world.sweeps()
    await world.stops()
    known = len(world.slack.calls)

    await back(world)

    read = [call.arguments["ts"] for call in [*world.slack.calls][known:] if "replies" in call.method]
    assert read[0] == threads[1].ts
    assert {*read} == {thread.ts for thread in threads}


async def test_a_reply_that_came_while_the_store_took_nothing_is_found(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store that can be read and not written to is as good as none, for Slack and for whoever watches."""
    monkeypatch.setattr(running, "GAP_SECONDS", 0.0)
    monkeypatch.setattr(running, "LOOK_SECONDS", 0.05)
    thread, task = await a_waiting_agent(world)
    task.becomes("idle")
    store = world.connections.commands
    await store.config_set("min-replicas-to-write", 1)
    world.clock.passes(10)

    async def is_told() -> bool:
        return (await world.bot.health())["store"] != "ok"

    await world.until(is_told, "it is told")
    told = (await world.bot.health())["store"]
    # What needs a replica is promised only when one has it, and no longer than that is so.
    await world.until(lambda: world.bot.parts.connections.copies == 1, "a promise needs a copy")
    # As if it had been brought again and again, and not taken.
    world.slack.faults.add("message", DeliveryFault.LOST)
    await world.slack.post(world.alice.id, thread.channel, "and test it", thread.ts)
    await store.config_set("min-replicas-to-write", 0)
    await world.until(lambda: task.inputs, "the reply arrives")
    await world.settles()
    await world.until(lambda: world.bot.parts.connections.copies == 0, "a promise needs none")

    assert told == "Redis takes nothing: NOREPLICAS Not enough good replicas to write."
    assert task.inputs == ["and test it"]
    assert (await world.bot.health())["store"] == "ok"


async def test_an_old_reply_is_asked_about(world: World) -> None:
    """It may not be true any more."""
    thread, task = await a_waiting_agent(world)
    await away(world)
    old = await world.slack.post(world.alice.id, thread.channel, "use main", thread.ts)
    world.clock.passes(3700)
    await world.slack.post(world.alice.id, thread.channel, "and test it", thread.ts)

    await back(world)
    said, before = without_notices(thread.new_messages()), list(task.inputs)
    await world.alice.clicks(thread, "Send it")
    task.becomes("idle")
    await world.passes(seconds=5)

    assert said == [STALE.format("use main")]
    assert before == []
    assert task.inputs == ["use main", "and test it"]
    assert thread.receipt(old) == ["white_check_mark"]


async def test_an_old_reply_can_be_left(world: World) -> None:
    """Then what was written later goes on."""
    thread, task = await a_waiting_agent(world)
    await away(world)
    old = await world.slack.post(world.alice.id, thread.channel, "use main", thread.ts)
    world.clock.passes(3700)
    await world.slack.post(world.alice.id, thread.channel, "and test it", thread.ts)
    await back(world)
    said = without_notices(thread.new_messages())

    await world.alice.clicks(thread, "Leave it")

    assert said == [STALE.format("use main")]
    assert "Left unsent." in thread.all_messages()
    assert task.inputs == ["and test it"]
    assert thread.receipt(old) == []


async def test_an_old_verb_does_nothing_and_says_so(world: World) -> None:
    """Pausing now what somebody wanted paused this morning helps nobody."""
    thread, task = await a_waiting_agent(world)
    await away(world)
    await world.slack.post(world.alice.id, thread.channel, "!pause", thread.ts)
    world.clock.passes(3700)

    await back(world)
    await world.passes(seconds=5)

    assert task.status == "active"
    assert world.alice.reads() == [
        "`!pause` was written while I was away, more than an hour ago, so I did nothing. Write it again if "
        "it still holds."
    ]
    assert without_notices(thread.new_messages()) == []


async def test_asides_and_strangers_stay_what_they_are(world: World) -> None:
    """Reading the thread takes nothing for input that an event would not."""
    thread, task = await a_waiting_agent(world)
    await world.alice.replies(thread, "// a joke")
    await away(world)
    await world.slack.post(world.alice.id, thread.channel, "!aside another", thread.ts)
    await world.slack.post(world.bob.id, thread.channel, "nice", thread.ts)

    await back(world)

    assert task.inputs == []
    assert world.bob.reads() == [
        "Your replies here stay between people: only its owner, alice, can talk to the agent of "
        "*Fix the login*. They can pass your words on."
    ]


async def test_a_reply_that_waits_takes_the_words_that_it_has_now(world: World) -> None:
    """Edits and deletions of that time count too."""
    thread, task = await a_busy_agent(world)
    first = await world.alice.replies(thread, "use mian")
    second = await world.alice.replies(thread, "never mind")
    await world.passes(seconds=61)
    await away(world)
    await world.slack.edit(world.alice.id, thread.channel, first, "use main")
    await world.slack.delete(world.alice.id, thread.channel, second)

    await back(world)
    task.becomes("idle")
    await world.passes(seconds=31)

    assert task.inputs == ["use main"]
    assert without_notices(thread.new_messages()) == []


async def test_a_reply_that_was_sent_as_it_is_still_waits_after_a_gap(world: World) -> None:
    """It begins like a verb, and somebody has said that it is none."""
    thread, task = await a_busy_agent(world)
    await world.alice.replies(thread, "!pasue please")
    thread.new_messages()
    await world.alice.clicks(thread, "Send it as it is")
    await world.passes(seconds=90)
    await away(world)

    await back(world)
    await takes_all(world, task)
    await world.passes(seconds=35)

    assert task.inputs == ["!pasue please"]


async def test_a_reply_that_goes_as_it_is_takes_the_words_that_it_has_after_a_gap(world: World) -> None:
    """What was said of its `!` holds for them too."""
    thread, task = await a_busy_agent(world)
    reply = await world.alice.replies(thread, "!make test")
    thread.new_messages()
    await world.alice.clicks(thread, "Send it as it is")
    await world.passes(seconds=90)
    await away(world)
    await world.slack.edit(world.alice.id, thread.channel, reply, "!make tests")

    await back(world)
    await takes_all(world, task)
    await world.passes(seconds=35)

    assert task.inputs == ["!make tests"]


async def test_slack_s_trouble_only_delays_the_reading(world: World) -> None:
    """The thread is read as soon as it can be."""
    thread, task = await a_waiting_agent(world)
    await away(world)
    await world.slack.post(world.alice.id, thread.channel, "and test it", thread.ts)
    world.slack.faults.add("conversations.replies", CallFault.RATE_LIMITED, seconds=1)

    await back(world)
    await world.passes(seconds=2)

    assert task.inputs == ["and test it"]


async def test_replicas_that_notice_a_gap_have_each_thread_read_once(world: World) -> None:
    """A start is taken for a gap too: whoever notices writes it down, and that is one reading for all."""
    await a_waiting_agent(world)
    world.slack.calls.clear()
    world.slack.faults.add("conversations.replies", CallFault.RATE_LIMITED, seconds=1)
    await world.restarts()
    await world.settles()
    gaps = world.bot.parts.gaps

    noted = [await gaps.note() for _ in range(3)]
    await world.passes(seconds=10)

    assert noted == [1, 1, 1]
    assert [call.outcome for call in world.slack.calls if call.method == "conversations.replies"] == [
        "rate_limited",
        "ok",
    ]


async def test_a_reply_under_a_card_whose_answer_was_lost_is_found(world: World) -> None:
    """The bot ended before it knew its card, and came back when Slack had given up."""
    world.slack.faults.add("chat.postMessage", CallFault.DONE_THEN_CUT)
    world.slack.faults.add("conversations.history", CallFault.SERVER_ERROR)
    place = world.slack.workspace.channel("general").id
    await world.slack.command(world.alice.id, place, "/task", "create fix the login")
    cards = await world.slack.until(lambda: world.slack.messages(place), "the card")
    thread = Thread(world, place, str(cards[0]["ts"]))
    world.reader.read_root(place, thread.ts)
    await away(world)
    await world.slack.post(world.alice.id, place, "and test it", thread.ts)
    world.clock.passes(900)

    await back(world)
    await world.passes(seconds=120)
    await world.sweeps()
    await world.passes(seconds=5)

    assert world.task("fix-the-login").inputs == ["and test it"]
    assert len(world.alice.reads()) == 1, "she is told that her command waits"


def without_notices(said: list[str]) -> list[str]:
    """What the bot has said, without that the agent needs somebody, which so much time brings."""
    return [each for each in said if "Needs you" not in each]
