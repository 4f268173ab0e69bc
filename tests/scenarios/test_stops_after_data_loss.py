"""Stops, resumes and retries after the store has gone back: each is carried out once, and none undoes a later
one."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from taskwire_sandbox.coder.faults import server_error

from .data_loss import StoreCopy, look_often
from .waiting import a_waiting_agent
from .world import World, new_world

# While Coder is busy with a workspace, the bot asks again within this time, in seconds.
WAIT_SECONDS = 10


@pytest.fixture
async def world(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stores: contextlib.AsyncExitStack
) -> AsyncIterator[World]:
    del stores
    look_often(monkeypatch)
    async with new_world(tmp_path, has_store_faults=True, TASKWIRE_SETTLE="3000") as made:
        yield made


async def test_a_pause_that_was_followed_by_a_resume_is_not_repeated(
    world: World, store_copy: StoreCopy
) -> None:
    """A person stopped and resumed a task, and the store has lost both presses. The running bot remembers
    them. It sees in Coder that the workspace was started after the pause, so it does nothing."""
    thread, task = await a_waiting_agent(world)
    await store_copy.take()
    await world.alice.clicks(thread, "Stop")
    await world.passes(seconds=30)
    await world.polls()
    await world.passes(seconds=5)
    await world.alice.clicks(thread, "Resume")
    await world.passes(seconds=30)
    await world.polls()
    thread.new_messages(), world.alice.reads()
    builds = len(task.builds)

    await store_copy.replace_running_store()
    await world.passes(seconds=30)
    await world.polls()

    assert len(task.builds) == builds
    assert task.status == "active"
    assert thread.new_messages() == []
    assert world.alice.reads() == [
        "*Fix the login* was resumed after you asked to stop it, so I did nothing.",
        "*Fix the login* is already running.",
    ]


async def test_a_stop_from_before_the_task_was_there_is_carried_out(
    world: World, store_copy: StoreCopy
) -> None:
    """Coder cannot create the task at once, and its owner writes `stop` below the card. Then the task is
    created, while the store has just gone back. Its first build is no resume, so the task is stopped."""
    world.coder.plan_fault("tasks.create", server_error("no room", 500), times=1)
    thread = await world.alice.runs("/task create fix the login")
    await world.alice.replies(thread, "stop")
    await store_copy.take()
    await world.alice.replies(thread, "// let's see")
    await store_copy.replace_running_store()
    for _ in range(6):
        await world.passes(seconds=10)
        await world.polls()

    task = world.task("fix-the-login")
    assert [build.transition for build in task.builds] == ["start", "stop"]
    assert task.status == "paused"
    thread.new_messages(), world.alice.reads()


async def test_a_card_shows_no_stop_that_was_refused(world: World, store_copy: StoreCopy) -> None:
    """A person stops a task while Coder is busy with its workspace. Somebody stops and resumes the task in
    Coder, and the store goes back. The stop is refused then, and the card shows the task as it is."""
    thread, task = await a_waiting_agent(world)
    busy = server_error("A workspace build is already active.", 409)
    world.coder.plan_fault("tasks.pause", busy, times=2)
    await world.alice.clicks(thread, "Stop")
    task.pause()
    await world.polls()
    task.resume()
    await world.polls()
    await world.passes(seconds=WAIT_SECONDS)
    during = thread.card()
    await store_copy.take()
    await world.bob.replies(thread, "!watch")
    await store_copy.replace_running_store()
    for _ in range(4):
        await world.polls()
        await world.passes(seconds=WAIT_SECONDS)

    assert during.startswith("Pausing…")
    assert "*Fix the login* was resumed after you asked to stop it, so I did nothing." in world.alice.reads()
    assert not thread.card().startswith("Pausing…")
    thread.new_messages(), world.bob.reads()


async def test_a_retry_is_finished_although_the_store_has_just_gone_back(
    world: World, store_copy: StoreCopy
) -> None:
    """The store has lost its latest writes, so jobs may have been done before. A person presses *Retry*. The
    bot stops the workspace, and does not take its own stop for a pause by somebody else. It starts the
    workspace again."""
    thread, task = await a_waiting_agent(world)
    await store_copy.take()
    task.becomes("working", "Reading the code")
    await world.polls()
    await store_copy.replace_running_store()
    task.agent_is_unreachable()
    await world.passes(seconds=60)
    await world.polls()
    await world.passes(3)
    thread.new_messages(), world.alice.reads()

    await world.alice.clicks(thread, "Retry")
    for _ in range(3):
        await world.polls()
        await world.passes(seconds=3)

    assert [build.transition for build in task.builds] == ["start", "stop", "start"]
    assert world.alice.reads() == ["Retrying *Fix the login*."]
    thread.new_messages()
