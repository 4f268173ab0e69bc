"""The bot posts each notice once, whatever is restarted, repeated or lost. It never posts old news as new."""

import asyncio

import pytest

from taskwire.app.bot import run_bot
from taskwire_sandbox.coder.server import RecordedRequest
from taskwire_sandbox.slack import CallFault

from .running_tasks import TITLE, a_task, card
from .world import World

DONE = "Opened PR #12.\nDone: Fix the login redirect. Reply here if there is more to do."
# After this time a call of unknown outcome can no longer take effect, and the jobs behind it have run.
LANDED_SECONDS = 60


@pytest.mark.parametrize(
    "fault",
    [
        CallFault.REFUSE,
        CallFault.SERVER_ERROR,
        CallFault.RATE_LIMITED,
        CallFault.NONSENSE,
        CallFault.DONE_THEN_CUT,
        CallFault.DONE_THEN_SERVER_ERROR,
        CallFault.DONE_THEN_ERROR,
        CallFault.DONE_THEN_NONSENSE,
    ],
)
async def test_a_notice_whose_answer_was_lost_stands_there_once(world: World, fault: CallFault) -> None:
    """The bot posts a notice, and Slack's answer is lost. Before the bot posts it again, it looks for the
    notice in the thread. The thread has the notice once."""
    thread, task = await a_task(world)
    task.says("Here is the pull request.")
    task.becomes("complete", "Opened PR #12")
    world.slack.faults.add("chat.postMessage", fault)

    await world.polls()
    await world.passes(LANDED_SECONDS)
    await world.passes(LANDED_SECONDS)

    assert thread.new_messages() == [
        f"<@{world.alice.id}> Here is the pull request.\nDone: {TITLE}. Reply here if there is more to do."
    ]


@pytest.mark.parametrize("fault", [CallFault.HANG, CallFault.DONE_THEN_HANG])
async def test_a_bot_that_dies_while_it_posts_leaves_one_notice(world: World, fault: CallFault) -> None:
    """The bot dies while it posts a notice. After the restart, it looks for the notice in the thread, so the
    thread has the notice once. The next notice has only newer text of the agent."""
    thread, task = await a_task(world)
    task.says("Here is the pull request.")
    task.becomes("complete", "Opened PR #12")
    rule = world.slack.faults.add("chat.postMessage", fault)
    poll = asyncio.create_task(world.bot.parts.poller.poll())
    await world.until(lambda: rule.hits, "the notice is being posted")
    await poll
    assert await world.crashes() == 1

    await world.starts()
    await world.passes(LANDED_SECONDS, amid_jobs=True)
    await world.passes(LANDED_SECONDS)
    task.says("And a note.")
    task.becomes("failed", "The tests broke")
    await world.polls()

    assert thread.new_messages() == [
        f"<@{world.alice.id}> Here is the pull request.\nDone: {TITLE}. Reply here if there is more to do.",
        f"<@{world.alice.id}> And a note.\nFailed: {TITLE}. Reply here to tell the agent how to go on.",
    ]


async def test_what_was_seen_before_a_crash_is_told_after_it(world: World) -> None:
    """The bot dies between a poll and the notice. The change is in Redis, so the next process posts the
    notice."""
    thread, task = await a_task(world)
    task.becomes("complete", "Opened PR #12")
    await world.bot.parts.worker.stop(0)
    await world.bot.parts.poller.poll()
    await world.crashes()
    before = thread.new_messages()

    await world.starts()
    await world.settles()

    assert before == []
    assert thread.new_messages() == [f"<@{world.alice.id}> {DONE}"]


async def test_two_bots_tell_once(world: World) -> None:
    """Two replicas share a store. One of them polls, both run jobs, and each notice is posted once."""
    thread, task = await a_task(world)
    async with run_bot(world.settings, world.connections, clock=world.clock, has_timers=False) as other:
        for number in range(4):
            task.becomes("complete", f"Part {number}")
            await asyncio.gather(world.bot.parts.poller.poll(), other.parts.poller.poll())
            await world.passes(seconds=10)
            await other.parts.poller.poll()
            await world.passes(seconds=10)

    assert [message.partition("\n")[0] for message in thread.new_messages()] == [
        f"<@{world.alice.id}> Part {number}." for number in range(4)
    ]


async def test_a_list_that_was_asked_for_earlier_and_comes_later_is_no_news(world: World) -> None:
    """Two replicas ask Coder for the list of tasks, and the earlier list arrives after the later one. The bot
    ignores the earlier list, because it is out of date."""
    thread, task = await a_task(world)
    task.pause()
    async with run_bot(world.settings, world.connections, clock=world.clock, has_timers=False) as other:
        overtakings: list[RecordedRequest] = []

        async def overtake(request: RecordedRequest, moment: str) -> None:
            """Before the first list arrives, resume the task and let the other replica poll."""
            if request.route == "tasks.list" and moment == "after" and not overtakings:
                overtakings.append(request)
                task.resume()
                world.clock.passes(10)
                await other.parts.poller.poll()

        world.coder.on_request = overtake
        await world.polls()
        await world.passes(seconds=10)
        await world.polls()

    assert len(overtakings) == 1
    assert (await card(world, thread)).startswith((f"Working: {TITLE}.", f"Starting: {TITLE}."))
    assert thread.new_messages() == []
    # The agent works again, so no notice at the end of the story mentions anybody.
    task.becomes("working", "Reading the code")
    await world.polls()


async def test_each_message_says_what_it_is_in_its_metadata(world: World) -> None:
    """The metadata of each message of the bot has an id, the kind of the message, and the task's id. So other
    apps, and the bot after a restart, can recognize the message."""
    thread, task = await a_task(world)
    task.becomes("complete", "Opened PR #12")
    await world.polls()
    await world.alice.replies(thread, "!delete")

    said = [message for message in world.slack.thread(thread.channel, thread.ts) if message.get("bot_id")]
    payloads = [message["metadata"]["event_payload"] for message in said]
    assert {message["metadata"]["event_type"] for message in said} == {"taskwire_message"}
    assert [payload["kind"] for payload in payloads] == ["card", "completed", "answer"]
    assert {payload["task_id"] for payload in payloads} == {task.id}
    assert len({payload["id"] for payload in payloads}) == 3
    assert {tuple(payload) for payload in payloads} == {("id", "kind", "task_id")}
    assert len(thread.new_messages()) == 2
