"""The store has lost data. The bot does nothing a second time, and loses nothing that it had accepted.

Most tests replace the store by an older copy. Some do it while the bot runs and remembers recent deliveries,
others while the bot is off.
"""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from taskwire.app import bot
from taskwire.queue import inbox
from taskwire_sandbox.slack import CallFault

from .data_loss import StoreCopy, look_often
from .test_card_in_place import delete, newest_card
from .test_channel_settings import set_channel
from .waiting import a_busy_agent, a_waiting_agent
from .world import World, new_world

# The settle time is so long that no agent needs a person during a story.
SETTLE = "3000"


@pytest.fixture
async def world(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stores: contextlib.AsyncExitStack
) -> AsyncIterator[World]:
    del stores
    look_often(monkeypatch)
    async with new_world(tmp_path, has_store_faults=True, TASKWIRE_SETTLE=SETTLE) as made:
        yield made


async def test_a_task_that_the_store_has_lost_is_written_down_again(
    world: World, store_copy: StoreCopy
) -> None:
    """The store has lost a new task, but the running bot remembers the command. The bot finds the card and
    the task, and stores them again. It does not create them again."""
    await store_copy.take()
    thread = await world.alice.runs("/task create fix the login")

    await store_copy.replace_running_store()
    world.task("fix-the-login").becomes("complete", "Opened PR #12")
    await world.polls()
    await store_copy.let_limits_pass()

    assert len(world.coder.tasks) == 1
    assert world.cards() == []
    assert thread.new_messages() == [
        f"<@{world.alice.id}> Opened PR #12.\nDone: Fix the login. Reply here if there is more to do."
    ]


async def test_a_task_that_the_store_has_lost_outlives_the_end_of_the_bot(
    world: World, store_copy: StoreCopy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store has lost a new task, and the bot is stopped before it has noticed this. While it stops, the
    bot stores the task again, because only its memory still has it."""
    with monkeypatch.context() as patched:
        patched.setattr(bot, "MONITOR_SECONDS", 3_600)
        await store_copy.take()
        thread = await world.alice.runs("/task create fix the login")

        await store_copy.replace_store_and_stop_bot()
    await store_copy.start_bot()
    world.task("fix-the-login").becomes("complete", "Opened PR #12")
    await world.polls()
    await store_copy.let_limits_pass()

    assert len(world.coder.tasks) == 1
    assert world.cards() == []
    assert thread.new_messages() == [
        f"<@{world.alice.id}> Opened PR #12.\nDone: Fix the login. Reply here if there is more to do."
    ]


async def test_a_reply_that_the_agent_has_is_not_sent_again(world: World, store_copy: StoreCopy) -> None:
    """The store has lost a delivered reply, and the bot runs on. The agent does not get the reply again, and
    the reply keeps its tick."""
    thread, task = await a_waiting_agent(world)
    await store_copy.take()
    ts = await world.alice.replies(thread, "use main")

    await store_copy.replace_running_store()
    task.becomes("idle")
    await world.passes(seconds=5)

    assert task.inputs == ["use main"]
    assert thread.receipt(ts) == ["white_check_mark"]


async def test_a_reply_that_the_agent_has_is_not_sent_again_by_another_bot(
    world: World, store_copy: StoreCopy
) -> None:
    """The store has lost a delivered reply, and the bot that delivered it has ended. The next bot remembers
    nothing, and still does not send the reply again."""
    thread, task = await a_waiting_agent(world)
    await store_copy.take()
    ts = await world.alice.replies(thread, "use main")

    await store_copy.replace_stopped_store()
    task.becomes("idle")
    await world.passes(seconds=5)

    assert task.inputs == ["use main"]
    assert thread.receipt(ts) == ["white_check_mark"]


async def test_a_reply_that_waited_then_and_was_delivered_since(world: World, store_copy: StoreCopy) -> None:
    """In the older copy of the store, a reply still waits. The agent has got it since. The bot does not send
    it again."""
    thread, task = await a_busy_agent(world)
    ts = await world.alice.replies(thread, "use main")
    await store_copy.take()
    task.becomes("idle")
    await world.passes(seconds=5)
    task.becomes("working")

    await store_copy.replace_stopped_store()
    task.becomes("idle")
    await world.passes(seconds=35)

    assert task.inputs == ["use main"]
    assert thread.receipt(ts) == ["white_check_mark"]


async def test_a_reply_delivered_before_a_pause_resumes_nothing(world: World, store_copy: StoreCopy) -> None:
    """The agent got a reply, a person paused the task, and the store then lost both events. The lost reply
    does not resume the task."""
    thread, task = await a_waiting_agent(world)
    await store_copy.take()
    await world.alice.replies(thread, "use main")
    task.pause()
    await world.polls()

    await store_copy.replace_stopped_store()
    await world.passes(seconds=5)

    assert task.inputs == ["use main"]
    assert task.status == "paused"
    assert len(thread.new_messages()) == 1


async def test_a_notice_is_not_told_again(world: World, store_copy: StoreCopy) -> None:
    """The store has lost a change that the bot had posted, and the next poll shows the same change. The bot
    finds its notice in the thread and posts no second notice."""
    thread, task = await a_waiting_agent(world)
    await store_copy.take()
    task.becomes("complete", "Opened PR #12")
    await world.polls()
    told = thread.new_messages()
    await world.passes(seconds=120)

    await store_copy.replace_stopped_store()
    await world.polls()
    await store_copy.let_limits_pass()

    assert len(told) == 1
    assert thread.new_messages() == []


async def test_a_file_is_not_shared_again(world: World, store_copy: StoreCopy) -> None:
    """In the older copy of the store, a file is not shared yet. The bot has shared it since, and does not
    share it a second time."""
    thread, task = await a_waiting_agent(world)
    task.says("\n".join(f"line {number}" for number in range(200)))
    task.becomes("idle")
    await store_copy.take()
    await world.alice.replies(thread, "!logs full")
    world.alice.reads()
    assert world.cards() == [f"(file {task.name}.log)"]

    await store_copy.replace_running_store()

    assert world.cards() == []
    world.alice.reads()


async def test_a_lost_thread_is_found_when_somebody_writes_in_it(world: World, store_copy: StoreCopy) -> None:
    """The store has lost a thread, and no process remembers it. When somebody replies there, the bot reads
    the task's id from the card's metadata. The reply reaches the agent."""
    await store_copy.take()
    thread, task = await a_waiting_agent(world)
    await world.alice.replies(thread, "use main")
    task.becomes("idle")
    await world.passes(seconds=600)

    await store_copy.replace_stopped_store()
    ts = await world.alice.replies(thread, "and test it")
    await world.passes(seconds=31)
    await world.polls()
    task.becomes("complete", "Opened PR #12")
    await world.polls()
    await store_copy.let_limits_pass()

    assert task.inputs == ["use main", "and test it"]
    assert thread.receipt(ts) == ["white_check_mark"]
    assert thread.new_messages() == [
        "I had lost this thread's task and found it again. The agent gets your replies.",
        f"<@{world.alice.id}> Opened PR #12.\nDone: Fix the login. Reply here if there is more to do.",
    ]


async def test_a_lost_thread_keeps_the_channels_rule_about_mentions(
    world: World, store_copy: StoreCopy
) -> None:
    """In a channel where only mentions reach the agent, a thread is lost and found. Then people can talk
    there again without the agent."""
    await set_channel(world, replies="Only replies that mention @Taskwire")
    await store_copy.take()
    thread, task = await a_waiting_agent(world)
    task.becomes("idle")
    await world.passes(seconds=600)

    await store_copy.replace_stopped_store()
    await world.alice.replies(thread, f"<@{world.slack.bot_user_id}> use main")
    await world.passes(seconds=31)
    await world.polls()
    await world.alice.replies(thread, "who is at lunch?")
    await world.passes(seconds=31)
    await world.polls()
    await store_copy.let_limits_pass()

    assert task.inputs == ["use main"]
    assert thread.new_messages() == [
        "I had lost this thread's task and found it again. The agent gets replies that mention me."
    ]


async def test_an_empty_store_finds_its_threads_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The store is suddenly empty, and the running bot remembers no deliveries. It notices that the store had
    data. When somebody replies in a thread, the bot finds its task, and the agent gets the reply."""
    monkeypatch.setattr(inbox, "REMEMBERED_SECONDS", 0)
    thread, task = await a_waiting_agent(world)
    task.becomes("idle")
    await world.connections.commands.flushall()
    await world.until(lambda: world.bot.recovered_data_loss is not None, "the bot has noticed")

    await world.alice.replies(thread, "and test it")
    await world.passes(seconds=31)

    assert task.inputs == ["and test it"]
    assert len(thread.new_messages()) == 1


async def test_a_thread_that_was_detached_stays_so(world: World, store_copy: StoreCopy) -> None:
    """A task was detached, but the older copy of the store still has its link. The bot finds its own message
    about the detach in the thread. So a later reply reaches no agent."""
    thread, task = await a_waiting_agent(world)
    await store_copy.take()
    await world.alice.types("/task detach fix-the-login")
    said = thread.new_messages()
    world.alice.reads()

    await store_copy.replace_stopped_store()
    task.becomes("complete", "Opened PR #12")
    await world.polls()
    await world.alice.replies(thread, "and test it")
    await store_copy.let_limits_pass()

    assert len(said) == 1
    assert task.inputs == []
    assert thread.new_messages() == [
        f"Not delivered: this thread is detached. `/task attach {task.name}` gives its task a new one.\n"
        "[Attach again] [New task]"
    ]


async def test_a_card_that_was_posted_anew_is_not_posted_again(world: World, store_copy: StoreCopy) -> None:
    """A card was deleted, and the bot posted it again. The older copy of the store has only the first card.
    The bot finds the second card in the channel, and does not post a third."""
    thread, task = await a_waiting_agent(world)
    await store_copy.take()
    delete(world, thread.ts)
    task.becomes("working", "Step 1")
    await world.polls()
    await world.passes(seconds=5)
    moved = newest_card(world, thread)
    moved.new_messages()

    await store_copy.replace_stopped_store()
    task.becomes("complete", "Opened PR #12")
    await world.polls()
    await store_copy.let_limits_pass()

    assert world.cards() == []
    assert [message.partition("\n")[0] for message in moved.new_messages()] == [
        f"<@{world.alice.id}> Opened PR #12."
    ]


async def test_words_sent_by_a_command_are_not_sent_again(world: World, store_copy: StoreCopy) -> None:
    """The store has lost a delivered `/task send`. The thread still has the quoted text with its tick, so the
    bot does not send the text again."""
    thread, task = await a_waiting_agent(world)
    await store_copy.take()
    await world.alice.types("/task send fix-the-login use main")
    said = thread.new_messages()
    world.alice.reads()

    await store_copy.replace_running_store()
    task.becomes("idle")
    await world.passes(seconds=5)

    assert len(said) == 1
    assert task.inputs == ["use main"]
    assert thread.new_messages() == []
    world.alice.reads()


async def test_a_reply_held_by_a_forgotten_pause_is_asked_about(world: World, store_copy: StoreCopy) -> None:
    """A reply waited, a person then paused the task, and the store has lost the pause. The bot does not send
    the reply, and asks a person what to do with it."""
    thread, task = await a_busy_agent(world)
    await world.alice.replies(thread, "use main")
    await store_copy.take()
    await world.alice.types("/task pause fix-the-login")
    await world.passes(seconds=30)
    await world.polls()
    thread.new_messages()
    world.alice.reads()

    await store_copy.replace_stopped_store()
    await world.passes(seconds=35)
    await world.polls()

    asked = thread.new_messages()
    await world.alice.clicks(thread, "Yes")

    assert task.status == "paused"
    assert task.inputs == []
    assert asked == [
        "Did the agent get this? My data store lost the result. Later replies wait.\n"
        "> use main\n"
        "[Yes] [Send again]"
    ]


async def test_administrators_hear_of_an_older_copy(world: World, store_copy: StoreCopy) -> None:
    """An older copy replaces the store while the bot runs. The bot tells the administrators once, and says
    what this means for threads."""
    await world.restarts(admins=(world.bob.id,))
    await store_copy.take()
    await world.passes(seconds=300)
    await store_copy.wait_until_outdated()

    await store_copy.replace_running_store()

    channel = world.slack.open_direct("bob").id
    told = [str(message["text"]) for message in world.slack.messages(channel)]
    world.cards()
    assert [text.partition(" UTC")[2] for text in told] == [
        ". Before I repeat work from after that time, I'll check if it was done. If I'm silent in "
        "a thread that began later, write a reply there: I'll find its task. Mutes set after "
        "that time are lost: I call people again."
    ]


async def test_what_was_seen_and_lost_is_seen_again(world: World, store_copy: StoreCopy) -> None:
    """The bot saw a task's end and could not post it, and then the store lost this change. Coder's list has
    not changed since. The next poll still finds the end, and the bot posts it."""
    thread, task = await a_waiting_agent(world)
    await store_copy.take()
    store_copy.keeps_numbers = True
    task.becomes("complete", "Opened PR #12")
    world.slack.faults.add("chat.postMessage", CallFault.REFUSE, times=1)
    await world.polls()

    await store_copy.replace_running_store()

    assert thread.new_messages() == [
        f"<@{world.alice.id}> Opened PR #12.\nDone: Fix the login. Reply here if there is more to do."
    ]


async def test_nobody_is_called_by_what_was_known_before_an_absence(world: World) -> None:
    """An agent was idle before the bot was off, and works again when the bot is back. The bot mentions
    nobody, because it polls the task before it decides."""
    thread, task = await a_waiting_agent(world)
    task.becomes("idle", "Which branch?")
    await world.polls()
    await world.stops()
    task.becomes("working", "Reading the code")
    world.clock.passes(3_600)
    await world.forgets()
    await world.starts()

    await world.bot.parts.poller.fire_timers()
    await world.settles()
    before = thread.new_messages()
    await world.polls()
    await world.bot.parts.poller.fire_timers()
    await world.settles()

    assert (before, thread.new_messages()) == ([], [])
