"""The bot edits a card in place, at a limited rate. It posts a card again only if somebody deleted the
card."""

import json

from taskwire.domain.ids import Ts, microseconds
from taskwire.queue.rate_limiter import LIMITS
from taskwire_sandbox.slack import CallFault
from taskwire_sandbox.slack import messages as slack_messages
from taskwire_sandbox.slack.ledger import Call

from .people import Thread
from .running_tasks import TITLE, a_task, card
from .waiting import a_busy_agent, takes_all
from .world import World


async def test_the_card_is_one_message_from_the_first_to_the_last(world: World) -> None:
    """The bot posts the card once. Every later change is an edit of that message."""
    thread, task = await a_task(world)
    task.becomes("complete", "Opened PR #12")
    await world.polls()
    task.pause()
    await world.polls()
    await world.passes(seconds=5)
    task.delete()
    await world.polls(times=2)
    await world.passes(seconds=5)

    posted = [call for call in world.slack.calls if call.method == "chat.postMessage"]
    assert [kind(call) for call in posted] == ["card", "completed", "paused", "gone"]
    # One other message is edited: when the task is gone, the notice of the pause loses its buttons.
    paused = [str(m["ts"]) for m in world.slack.thread(thread.channel, thread.ts) if "Paused" in str(m)]
    assert {str(call.arguments["ts"]) for call in edits(world)} == {thread.ts, *paused[-1:]}
    assert len(thread.new_messages()) == 3


async def test_the_cards_metadata_gets_the_task_when_there_is_one(world: World) -> None:
    """The bot posts the card before the task exists. The first edit writes the task's id into the card's
    metadata."""
    _, task = await a_task(world)
    posted = next(call for call in world.slack.calls if call.method == "chat.postMessage")
    first, *_ = edits(world)

    before, after = payload(posted), payload(first)

    assert (before["kind"], "task_id" in before) == ("card", False)
    assert after == {"id": before["id"], "kind": "card", "task_id": task.id}


async def test_changes_in_quick_succession_are_one_edit(world: World) -> None:
    """The bot edits a card at most once in three seconds, and shows only the newest state."""
    thread, task = await a_task(world)
    task.becomes("working", "Step 0")
    await world.polls()
    before = len(edits(world))

    for number in range(1, 9):
        task.becomes("working", f"Step {number}")
        await world.polls()
    at_once = len(edits(world)) - before
    await world.passes(seconds=3)

    assert at_once == 0
    assert len(edits(world)) - before == 1
    assert thread.card().startswith(f"Working: {TITLE}. Step 8.")


async def test_a_card_that_changes_without_end_is_edited_seldom(world: World) -> None:
    """A faulty agent changes its state every two seconds for ten minutes. The first changes are shown at
    once. Then the card has one edit in fifteen seconds. In the end, it shows the newest state."""
    thread, task = await a_task(world)
    before, began = len(edits(world)), world.clock.time()

    for number in range(300):
        task.becomes(("working", "idle")[number % 2], f"Step {number}")
        await world.polls()
        await world.passes(seconds=2)
        if number == 25:
            at_first = len(edits(world)) - before
    in_all, passed_ms = len(edits(world)) - before, (world.clock.time() - began) * 1000
    await world.passes(seconds=16)

    limit = LIMITS["chat.update"].per_state
    assert at_first >= 12
    assert limit is not None
    # The clock also counts the real time that this test takes, which may be a minute on a slow machine.
    assert in_all <= limit.burst + passed_ms / limit.interval_ms
    assert "Step 299." in thread.card()
    await world.passes(seconds=60)
    thread.new_messages()


async def test_a_final_phase_comes_with_the_next_edit(world: World) -> None:
    """An agent starts a step and then finishes its turn within three seconds. The bot posts the notice at
    once. The card is edited once, and shows only the end of the turn."""
    thread, task = await a_task(world)
    before = len(edits(world))
    task.becomes("working", "Step 1")
    await world.polls()

    task.becomes("complete", "Opened PR #12")
    await world.polls()
    at_once = (len(edits(world)) - before, len(thread.new_messages()))
    await world.passes(seconds=3)

    assert at_once == (0, 1)
    assert len(edits(world)) - before == 1
    assert thread.card().startswith(f"Done: {TITLE}. Opened PR #12.")


async def test_a_card_that_shows_nothing_new_is_not_edited(world: World) -> None:
    """Polls show no change of a task. The bot makes no call to Slack for the card."""
    thread, _ = await a_task(world)
    await world.passes(seconds=5)
    before = len(edits(world))

    await world.polls(times=5)
    await world.passes(seconds=60)

    assert len(edits(world)) == before
    assert thread.new_messages() == []


async def test_a_card_that_could_not_be_edited_is_edited_later(world: World) -> None:
    """Slack answers the first edits of a card with various errors. The bot tries again, and in the end the
    card shows the newest state."""
    thread, task = await a_task(world)
    for fault in (CallFault.SERVER_ERROR, CallFault.DONE_THEN_CUT, CallFault.RATE_LIMITED):
        world.slack.faults.add("chat.update", fault)
    task.becomes("working", "Step 1")
    await world.polls()
    for _ in range(6):
        await world.passes(seconds=20)

    assert thread.card().startswith(f"Working: {TITLE}. Step 1.")


async def test_a_card_is_drawn_again_after_an_edit_that_nobody_knows_of(world: World) -> None:
    """Slack makes an edit of a card, but its answer is lost. Then the task returns to the state from before
    the edit. The bot edits the card again, because the card still shows the lost edit."""
    thread, _ = await a_task(world)
    await world.passes(seconds=5)
    before = thread.card()
    lost = world.slack.faults.add("chat.update", CallFault.DONE_THEN_CUT)
    await world.alice.replies(thread, "!mute")
    await world.until(lambda: lost.hits, "the edit whose answer is lost")
    meanwhile = thread.card()
    await world.alice.replies(thread, "!unmute")
    for _ in range(3):
        await world.passes(seconds=20)

    assert meanwhile != before
    assert thread.card() == before
    assert len(world.alice.reads()) == 2


async def test_a_deleted_card_is_posted_anew_once_and_the_link_moves_with_it(world: World) -> None:
    """Somebody deletes a card. Slack accepts no message in a thread without its first message. So the bot
    posts a new card once, and the task continues in the new card's thread."""
    thread, task = await a_task(world)
    delete(world, thread.ts)
    task.says("It is done.")
    task.becomes("complete", "Opened PR #12")
    await world.polls()
    for _ in range(3):
        await world.passes(seconds=10)

    moved = newest_card(world, thread)
    reply = await world.alice.replies(moved, "thanks, now tidy up")
    await world.passes(seconds=5)

    assert moved.ts != thread.ts
    assert moved.new_messages() == [
        f"<@{world.alice.id}> It is done.\nDone: {TITLE}. Reply here if there is more to do."
    ]
    assert task.inputs == ["thanks, now tidy up"]
    assert moved.receipt(reply) == ["white_check_mark"]


async def test_a_reply_that_waits_since_before_the_card_moved_is_not_taken_for_deleted(world: World) -> None:
    """A reply waits for the agent. Then the card is deleted, and the bot posts a new card with a new thread.
    Backfill reads the new thread, which lacks the reply, but the agent still gets the reply."""
    thread, task = await a_busy_agent(world)
    reply = await world.alice.replies(thread, "use main")
    delete(world, thread.ts)
    task.becomes("working", "Step 1")
    await world.polls()
    await world.passes(seconds=95)
    moved = newest_card(world, thread)

    await world.restarts()
    await world.until(lambda: world.bot.has_recorded_gap, "the threads are to be read")
    await world.settles()
    await takes_all(world, task)
    await world.passes(seconds=35)

    assert microseconds(Ts(moved.ts)) > microseconds(Ts(reply))
    assert task.inputs == ["use main"]


async def test_a_question_in_a_thread_whose_card_was_deleted_is_answered_in_the_new_one(world: World) -> None:
    """Alice mistypes a verb, and then the card is deleted. The bot posts a new card and asks in its thread
    what Alice meant. So she knows that the agent did not get her reply."""
    thread, _ = await a_task(world)
    await world.passes(seconds=5)
    world.slack.faults.add("chat.postMessage", CallFault.SERVER_ERROR)
    await world.alice.replies(thread, "!pasue please")

    delete(world, thread.ts)
    for _ in range(3):
        await world.passes(seconds=10)
    moved = newest_card(world, thread)

    assert moved.ts != thread.ts
    assert moved.new_messages() == ["I don't know `!pasue`.\n> !pasue please\n[Stop it] [Send as text]"]


async def test_a_card_that_is_deleted_again_ends_the_link(world: World) -> None:
    """The bot has posted a new card for a deleted one, and somebody deletes the new card too. The bot posts
    no third card. The task continues without a thread, and can be attached again."""
    thread, task = await a_task(world)
    delete(world, thread.ts)
    task.becomes("working", "Step 1")
    await world.polls()
    await world.passes(seconds=5)
    moved = newest_card(world, thread)
    delete(world, moved.ts)
    task.becomes("complete", "Opened PR #12")
    await world.polls()
    for _ in range(3):
        await world.passes(seconds=10)

    again = await world.alice.runs(f"/task attach {task.name}")

    assert [kind(call) for call in world.slack.calls if call.method == "chat.postMessage"].count("card") == 3
    assert (await card(world, again)).startswith(f"Done: {TITLE}. Opened PR #12.")


async def test_what_lost_its_thread_while_slack_was_away_is_told_when_that_is_back(world: World) -> None:
    """The card is deleted, and Slack then answers with errors for a while. The notice waits until the bot has
    posted a new card. It appears in the new thread."""
    thread, task = await a_task(world)
    await world.passes(seconds=5)
    delete(world, thread.ts)
    away = world.slack.faults.add("chat.update", CallFault.SERVER_ERROR, times=3)
    task.becomes("complete", "Opened PR #12")
    await world.polls()
    for _ in range(4):
        await world.passes(seconds=61)

    moved = newest_card(world, thread)

    assert away.hits == 3
    assert moved.new_messages() == [
        f"<@{world.alice.id}> Opened PR #12.\nDone: {TITLE}. Reply here if there is more to do."
    ]
    assert await world.dead_letters() == []


async def test_a_thread_that_takes_nothing_though_its_card_is_there_is_closed(world: World) -> None:
    """Slack refuses each of the bot's messages in a thread, as if the card were deleted. But the card is
    there. The bot tells the owner that the thread is closed."""
    thread, task = await a_task(world)
    await world.passes(seconds=5)
    world.slack.faults.add(
        "chat.postMessage", CallFault.ERROR, times=None, error="cannot_reply_to_message", where=is_in_thread
    )
    task.becomes("complete", "Opened PR #12")
    await world.polls()
    for _ in range(30):
        await world.passes(seconds=4)
    direct = world.slack.open_direct("alice").id
    (told,) = world.slack.messages(direct)
    world.reader.read_root(direct, str(told["ts"]))

    assert str(told["text"]).startswith(f"I can't write in the thread of *{TITLE}* any more")
    assert thread.card().startswith(f"Done: {TITLE}.")
    assert await world.dead_letters() == ["the channel takes no message: cannot_reply_to_message"]


def is_in_thread(arguments: dict[str, object]) -> bool:
    """Return whether a call posts into a thread."""
    return bool(arguments.get("thread_ts"))


def edits(world: World) -> list[Call]:
    """Return every edit of a message, the oldest first."""
    return [call for call in world.slack.calls if call.method == "chat.update"]


def payload(call: Call) -> dict[str, str]:
    """Return the event payload in a call's metadata."""
    metadata = call.arguments["metadata"]
    found = json.loads(metadata) if isinstance(metadata, str) else metadata
    return dict(found["event_payload"])


def kind(call: Call) -> str:
    """Return the kind of message that a call posts."""
    return payload(call)["kind"]


def delete(world: World, ts: str) -> None:
    """Delete one of the bot's messages, as an administrator of the workspace would."""
    slack_messages.remove(world.slack.backend, world.slack.workspace.channel("general"), ts)


def newest_card(world: World, thread: Thread) -> Thread:
    """Return the thread of the newest card."""
    ts = str(world.slack.messages(thread.channel)[-1]["ts"])
    world.reader.read_root(thread.channel, ts)
    return Thread(world, thread.channel, ts)
