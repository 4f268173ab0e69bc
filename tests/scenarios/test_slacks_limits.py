"""Slack's limits: messages that mention somebody come first, cards are edited slowly, and all replicas obey a
429.

In all tests, the stand-in for Slack has Slack's documented limits. A test fails if the bot exceeds one of
them.
"""

import json
from bisect import bisect_left
from itertools import pairwise

from taskwire_sandbox.slack import CallFault
from taskwire_sandbox.slack.ledger import Call

from .many_tasks import a_second_replica, calls, heard, start_tasks
from .world import CARD_SECONDS, POST_SECONDS, World

POST, UPDATE = "chat.postMessage", "chat.update"


async def test_a_mention_is_among_the_first_messages(world: World) -> None:
    """Twenty tasks of one channel change at the same time. The only notice that mentions somebody is among
    the first posts."""
    *others, finished = await start_tasks(world, 20)
    await drawn(world)
    for task in others:
        task.pause()
    finished.becomes("complete", "Opened PR #12")

    await world.polls()
    at_once = [kind(call) for call in calls(world, POST)]
    await told(world, 20)

    # On a slow machine, up to two other posts may come first.
    assert "completed" in at_once[:3]
    assert [kind(call) for call in calls(world, POST)].count("paused") == 19
    assert len(heard(world)) == 20
    await drawn(world)


async def test_a_mention_goes_ahead_of_messages_that_wait_already(world: World) -> None:
    """Twenty posts wait for the channel's limit. A notice that mentions somebody comes next."""
    *others, finished = await start_tasks(world, 20)
    await drawn(world)
    for task in others:
        task.pause()
    await world.polls()
    await world.passes(POST_SECONDS)
    before = len(calls(world, POST))

    finished.becomes("complete", "Opened PR #12")
    await world.polls()
    await told(world, before + 3)

    assert before < 10
    assert "completed" in [kind(call) for call in calls(world, POST)[before : before + 2]]
    await told(world, 20)
    assert len(heard(world)) == 20
    await drawn(world)


async def test_what_stands_before_a_call_in_its_thread_is_as_urgent(world: World) -> None:
    """Many posts wait, and one notice mentions somebody. Earlier notices of its thread must come before it.
    So the bot posts these first, ahead of the notices of other threads."""
    *others, finished = await start_tasks(world, 20)
    await drawn(world)
    for task in [*others, finished]:
        task.pause()
    await world.polls()
    before = len(calls(world, POST))

    finished.resume()
    await world.polls()
    finished.becomes("complete", "Opened PR #12")
    await world.polls()
    await told(world, 22)

    order = [(payload(call)["task_id"], kind(call)) for call in calls(world, POST)[before:]]
    of_it = [number for number, (task_id, _) in enumerate(order) if task_id == finished.id]
    assert [order[number][1] for number in of_it] == ["paused", "resumed", "completed"]
    assert of_it[-1] < len(order) - 3
    assert len(heard(world)) == 22
    await drawn(world)


async def test_a_storm_of_cards_keeps_to_the_pace_of_all_cards(world: World) -> None:
    """A hundred and twenty cards change again and again. The bot makes at most 45 edits a minute, and each
    shows the newest state."""
    tasks = await start_tasks(world, 120)
    await world.polls()
    for task in tasks:
        task.becomes("working", "Running the tests")
    await world.polls()

    finished = tasks[90]
    finished.becomes("complete", "Opened PR #12")
    await world.polls()
    said = heard(world)
    before = len(calls(world, UPDATE))
    await world.passes(CARD_SECONDS)
    edited = [payload(call)["task_id"] for call in calls(world, UPDATE)]
    await drawn(world)

    cards = [str(card["text"]) for card in world.slack.messages("general")]
    assert len(said) == 1
    # Slack's limit may have allowed up to three edits by this moment. One of them must be of this task's
    # card.
    assert finished.id in edited[: before + 3]
    assert most_in_a_minute(calls(world, UPDATE)) <= 45
    assert len(calls(world, UPDATE)) <= 120 + before
    assert sum("Running the tests" in card for card in cards) == 119
    assert sum("Opened PR #12" in card for card in cards) == 1


async def test_a_new_card_gets_its_task_before_others_are_refreshed(world: World) -> None:
    """Sixty cards wait for an edit, and a person creates a task. The new card gets its buttons before most of
    the other cards are edited."""
    tasks = await start_tasks(world, 60)
    await world.polls()
    for task in tasks:
        task.becomes("working", "Running the tests")
    tasks[30].becomes("complete", "Opened PR #12")
    await world.polls()
    heard(world)

    thread = await world.alice.runs("/task create fix it")
    before = len(calls(world, UPDATE))
    await world.passes(CARD_SECONDS)
    edited = [payload(call)["task_id"] for call in calls(world, UPDATE)]

    # Slack's limit may have allowed up to three edits by this moment. One of them must be of the new card.
    assert world.task("fix-it").id in edited[: before + 3]
    assert thread.card().endswith(
        "[Stop] [⋯ Open in Coder, Watch, Mute, New like this, Share, Detach, Delete]"
    )
    await drawn(world)


async def test_one_card_is_not_edited_twice_in_three_seconds(world: World) -> None:
    """A task changes often. The bot waits at least three seconds between two edits of the task's card."""
    (task,) = await start_tasks(world, 1)
    for number in range(12):
        task.becomes("working", f"Step {number}")
        await world.polls()
        await world.passes(seconds=1)

    times = [call.at for call in calls(world, UPDATE)]
    assert len(times) >= 4
    assert all(after - before >= 3 for before, after in pairwise(times))


async def test_a_429_is_heard_by_all_replicas(world: World) -> None:
    """Slack answers 429 to one replica. No replica posts before the time in that answer is over. After that,
    each message is posted once."""
    world.slack.add_channel("other", ["alice"])
    tasks = [*await start_tasks(world, 5), *await start_tasks(world, 5, "other")]
    async with a_second_replica(world):
        await drawn(world)
        world.slack.faults.add(POST, CallFault.RATE_LIMITED, seconds=30)
        for task in tasks:
            task.becomes("complete", "Opened PR #12")
        await world.polls()
        under_way = len(calls(world, POST))
        for _ in range(5):
            await world.passes(seconds=5)
        meanwhile = len(calls(world, POST))
        await told(world, 10 + 1, seconds=30)

    assert under_way == meanwhile < 10
    assert [call.outcome for call in calls(world, POST)].count("rate_limited") == 1
    assert len(heard(world)) == 10
    await drawn(world)


async def test_two_replicas_share_what_slack_allows(world: World) -> None:
    """Two replicas post forty notices, and Slack never answers 429."""
    world.slack.add_channel("other", ["alice"])
    tasks = [*await start_tasks(world, 20), *await start_tasks(world, 20, "other")]
    async with a_second_replica(world) as replica:
        for task in tasks:
            task.becomes("complete", "Opened PR #12")
        await world.coder.catch_up()
        await world.bot.parts.poller.poll()
        await told(world, 40)
        ended = [bot.metrics.exposition().decode() for bot in (world.bot, replica)]

    assert [call.outcome for call in world.slack.calls].count("ratelimited") == 0
    assert all('taskwire_jobs_total{kind="post_notice"' in figures for figures in ended)
    assert len(heard(world)) == 40
    await drawn(world)


async def told(world: World, posts: int, *, seconds: int = 60) -> None:
    """Let time pass, in steps of a second, until the bot has posted this number of messages in all. Fail if
    it has not after this number of seconds."""
    for _ in range(seconds):
        if len(calls(world, POST)) >= posts:
            return
        await world.passes(POST_SECONDS)
    raise AssertionError(f"{len(calls(world, POST))} of {posts} posts after {seconds} s")


async def drawn(world: World) -> None:
    """Let time pass until no job waits, so that every card shows the present state. Fail if jobs still wait
    after 120 steps."""
    for _ in range(120):
        if not await world.jobs():
            return
        await world.passes(seconds=4.2)
    raise AssertionError(f"something waits: {await world.jobs()}")


def most_in_a_minute(found: list[Call]) -> int:
    """Return the largest number of these calls that lie within one minute."""
    times = [call.at for call in found]
    return max(number - bisect_left(times, at - 60) + 1 for number, at in enumerate(times))


def payload(call: Call) -> dict[str, str]:
    """Return the event payload in a call's metadata."""
    metadata = call.arguments["metadata"]
    found = json.loads(metadata) if isinstance(metadata, str) else metadata
    return dict(found["event_payload"])


def kind(call: Call) -> str:
    """Return the kind of message that a call posts."""
    return payload(call)["kind"]
