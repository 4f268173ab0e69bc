"""The store comes back with less than it had: nothing is done a second time, and nothing taken is lost.

Each story is told twice where that makes a difference: with a bot that lives on and remembers what it took
lately, and with one that was off when an older copy was put in the store's place.
"""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from .pasts import Past, look_often
from .waiting import a_busy_agent, a_waiting_agent
from .world import World, new_world


@pytest.fixture
async def stores() -> AsyncIterator[contextlib.AsyncExitStack]:
    """What holds the other stores until the world has been looked at for the last time."""
    async with contextlib.AsyncExitStack() as stack:
        yield stack


@pytest.fixture
async def world(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stores: contextlib.AsyncExitStack
) -> AsyncIterator[World]:
    del stores
    look_often(monkeypatch)
    async with new_world(tmp_path, has_store_faults=True) as made:
        yield made


@pytest.fixture
def past(world: World, tmp_path: Path, stores: contextlib.AsyncExitStack) -> Past:
    return Past(world, tmp_path, stores)


async def test_a_task_that_the_store_has_lost_is_written_down_again(world: World, past: Past) -> None:
    """The bot remembers the command; its card and its task are found and not made again."""
    await past.is_now()
    thread = await world.alice.runs("/task create fix the login")

    await past.comes_back()
    world.task("fix-the-login").becomes("complete", "Opened PR #12")
    await world.sweeps()

    assert len(world.coder.tasks) == 1
    assert world.cards() == []
    assert thread.new_messages() == [
        f"<@{world.alice.id}> Done: Fix the login. Opened PR #12. "
        "Reply here if there is more to do.\n[Open in Coder]"
    ]


async def test_a_reply_that_the_agent_has_is_not_sent_again(world: World, past: Past) -> None:
    """Though the store knows nothing of it; its mark stays as it is."""
    thread, task = await a_waiting_agent(world)
    await past.is_now()
    ts = await world.alice.replies(thread, "use main")

    await past.comes_back()
    task.becomes("idle")
    await world.passes(seconds=5)

    assert task.inputs == ["use main"]
    assert thread.receipt(ts) == ["white_check_mark"]


async def test_a_reply_that_the_agent_has_is_not_sent_again_by_another_bot(world: World, past: Past) -> None:
    """Nor by one that was not there before."""
    thread, task = await a_waiting_agent(world)
    await past.is_now()
    ts = await world.alice.replies(thread, "use main")

    await past.is_restored()
    task.becomes("idle")
    await world.passes(seconds=5)

    assert task.inputs == ["use main"]
    assert thread.receipt(ts) == ["white_check_mark"]


async def test_a_reply_that_waited_then_and_was_delivered_since(world: World, past: Past) -> None:
    """It is in the copy as one that waits."""
    thread, task = await a_busy_agent(world)
    ts = await world.alice.replies(thread, "use main")
    await past.is_now()
    task.becomes("idle")
    await world.passes(seconds=5)
    task.becomes("working")

    await past.is_restored()
    task.becomes("idle")
    await world.passes(seconds=35)

    assert task.inputs == ["use main"]
    assert thread.receipt(ts) == ["white_check_mark"]


async def test_a_reply_delivered_before_a_pause_resumes_nothing(world: World, past: Past) -> None:
    """The agent had it, and stopped afterwards because somebody wanted that."""
    thread, task = await a_waiting_agent(world)
    await past.is_now()
    await world.alice.replies(thread, "use main")
    task.pause()
    await world.sweeps()

    await past.is_restored()
    await world.passes(seconds=5)

    assert task.inputs == ["use main"]
    assert task.status == "paused"
    assert len(thread.new_messages()) == 1


async def test_a_notice_is_not_told_again(world: World, past: Past) -> None:
    """The sweep sees the same change once more, and finds what was said of it."""
    thread, task = await a_waiting_agent(world)
    await past.is_now()
    task.becomes("complete", "Opened PR #12")
    await world.sweeps()
    told = thread.new_messages()
    await world.passes(seconds=120)

    await past.is_restored()
    await world.sweeps()

    assert len(told) == 1
    assert thread.new_messages() == []


async def test_a_file_is_not_shared_again(world: World, past: Past) -> None:
    """The copy knows that it is asked for, and not that it was given to Slack."""
    thread, task = await a_waiting_agent(world)
    task.says("\n".join(f"line {number}" for number in range(200)))
    task.becomes("idle")
    await past.is_now()
    await world.alice.replies(thread, "!logs full")
    assert len(thread.new_messages()) == 2

    await past.comes_back()

    assert thread.new_messages() == []


async def test_a_pause_that_was_followed_by_a_resume_is_not_repeated(world: World, past: Past) -> None:
    """The bot remembers both clicks: the workspace has been started since the first."""
    thread, task = await a_waiting_agent(world)
    await past.is_now()
    await world.alice.clicks(thread, "Pause")
    await world.passes(seconds=30)
    await world.sweeps()
    await world.alice.clicks(thread, "Resume")
    await world.passes(seconds=30)
    await world.sweeps()
    thread.new_messages(), world.alice.reads()
    builds = len(task.builds)

    await past.comes_back()
    await world.passes(seconds=30)
    await world.sweeps()

    assert len(task.builds) == builds
    assert task.status == "active"
    assert thread.new_messages() == []
    assert world.alice.reads() == [
        "*Fix the login* has been started since you asked me to pause it, so I left it as it is.",
        "*Fix the login* is running already.",
    ]
