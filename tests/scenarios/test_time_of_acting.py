"""In which order acts count if the bot's own clock may be wrong. Slack gives a time for a reply, but none for
a command."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from .waiting import a_busy_agent, a_waiting_agent
from .world import World, new_world

MINUTES = 600.0
# The settle time is so long that no agent needs a person during a story.
SETTLE = "3000"


@pytest.fixture(params=[-MINUTES, MINUTES], ids=["ten minutes slow", "ten minutes fast"])
async def off(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[World]:
    """Provide a world in which the clock of the bot and of its store is ten minutes wrong."""
    async with new_world(tmp_path, bot_is_off=request.param, TASKWIRE_SETTLE=SETTLE) as made:
        yield made


async def test_a_pause_holds_what_was_written_before_it(off: World) -> None:
    """The bot's clock is wrong. The pause still holds a reply that was written before it."""
    thread, task = await a_busy_agent(off)
    reply = await off.alice.replies(thread, "use main")
    await off.passes(seconds=1)

    await off.alice.types(f"/task pause {task.name}")
    await off.passes(seconds=5)

    assert task.status == "paused"
    assert thread.new_messages() == ["Pausing. 1 reply waits.\n[Resume and send] [Drop the reply]"]
    assert thread.receipt(reply) == ["hourglass_flowing_sand"]
    await off.alice.clicks(thread, "Drop the reply")
    assert thread.new_messages() == ["Dropped 1 reply:\n| use main"]
    assert off.alice.reads() == ["Pausing *Fix the login*. A reply in its thread resumes it."]


async def test_what_is_written_after_a_pause_resumes_the_task(off: World) -> None:
    """The bot's clock is wrong. A reply that is written a second after the pause resumes the task."""
    thread, task = await a_waiting_agent(off)
    await off.alice.types(f"/task pause {task.name}")
    await off.passes(seconds=1)

    await off.alice.replies(thread, "use main")
    for _ in range(3):
        await off.passes(seconds=5)

    assert task.status == "active"
    assert task.inputs == ["use main"]
    assert off.alice.reads() == ["Pausing *Fix the login*. A reply in its thread resumes it."]


async def test_a_resume_counts_against_a_pause_that_was_asked_before_it(off: World) -> None:
    """The bot's clock is wrong. A person pauses a task by `!pause`, for which Slack gives a time. Five
    seconds later, the person resumes it by `/task resume`, for which Slack gives no time. The task is active
    afterwards."""
    thread, task = await a_waiting_agent(off)
    await off.alice.replies(thread, "!pause")
    await off.passes(seconds=5)
    before = task.status

    await off.alice.types(f"/task resume {task.name}")
    await off.passes(seconds=5)

    assert (before, task.status) == ("paused", "active")
    assert off.alice.reads() == [
        "Pausing *Fix the login*. A reply in its thread resumes it.",
        "Resuming *Fix the login*.",
    ]
