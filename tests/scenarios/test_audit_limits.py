"""The refused acts of one person leave ten entries of the audit trail a minute, whatever they are."""

from collections.abc import Awaitable, Callable

import pytest

from taskwire_sandbox.coder import SandboxTask
from taskwire_sandbox.coder.faults import server_error

from .people import Thread
from .running_tasks import a_task
from .test_audit import entries
from .waiting import a_busy_agent
from .world import World

TRIES, MOST = 13, 10
Act = Callable[[World, Thread, SandboxTask, int], Awaitable[object]]


async def _react(world: World, thread: Thread) -> None:
    await world.slack.react(world.bob.id, "general", thread.ts, "octagonal_sign")
    await world.settles()
    await world.slack.unreact(world.bob.id, "general", thread.ts, "octagonal_sign")


ACTS: dict[str, Act] = {
    "a reply": lambda world, thread, _, n: world.bob.replies(thread, f"x{n}"),
    "a reply with a mention": lambda world, thread, _, n: world.slack.mention(
        world.bob.id, "general", f"x{n}", thread.ts
    ),
    "send to another's task": lambda world, _, task, n: world.bob.types(f"/task send {task.name} x{n}"),
    "send to no task": lambda world, _, __, n: world.bob.types(f"/task send nope{n} x{n}"),
    "stop by command": lambda world, _, task, __: world.bob.types(f"/task stop {task.name}"),
    "share by command": lambda world, _, task, __: world.bob.types(f"/task share {task.name} @Bob"),
    "a verb": lambda world, thread, _, __: world.bob.replies(thread, "!mute"),
    "a stop word": lambda world, thread, _, __: world.bob.replies(thread, "stop"),
    "a stop sign": lambda world, thread, _, __: _react(world, thread),
    "a direct message": lambda world, _, task, __: world.bob.writes_directly(f"stop {task.name}"),
    "a look at the trail": lambda world, _, __, ___: world.bob.types("/task audit"),
}


@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS.keys())
async def test_refused_acts_of_one_person_leave_ten_entries_a_minute(world: World, act: Act) -> None:
    """Bob, who may not steer Alice's task, tries the same again and again. What he did is in the trail ten
    times. A minute later it is entered again."""
    thread, task = await a_task(world)
    before = len(await entries(world))

    for number in range(TRIES):
        await act(world, thread, task, number)
        await world.settles()
    left = (await entries(world))[before:]
    await world.passes(seconds=70)
    await act(world, thread, task, TRIES)
    await world.settles()

    assert {each.partition(" ")[0] for each in left} == {"bob"}
    assert all(": refused" in each for each in left)
    assert len(left) == MOST
    assert len(await entries(world)) == before + MOST + 1
    world.bob.reads()
    world.bob.hears()
    thread.new_messages()


async def test_edits_of_a_reply_that_waits_for_its_check_have_no_entry(world: World) -> None:
    """Coder is away, so nobody knows whether Bob may steer Alice's task. He writes a reply and edits it again
    and again. The trail has no entry for these edits. Coder comes back, and the reply has one entry."""
    thread, _ = await a_task(world)
    await world.ages(60)
    for route in ("users.list", "users.get", "tasks.get", "tasks.list"):
        world.coder.plan_fault(route, server_error(), times=None)

    reply = await world.bob.replies(thread, "use mian")
    for number in range(TRIES):
        await world.bob.edits(thread, reply, f"use {number}")
    meanwhile = (await entries(world))[1:]
    world.coder.clear_faults()
    await world.passes(seconds=60)

    assert meanwhile == []
    assert (await entries(world))[1:] == ["bob send by reply: refused (not_allowed)"]
    world.bob.reads()
    thread.new_messages()


async def test_edits_of_a_person_who_may_not_steer_any_more_have_no_entry(world: World) -> None:
    """Alice shares her task with Bob, whose reply waits for the busy agent. She ends the share, and Bob edits
    his reply again and again. The trail has no entry for these edits."""
    thread, task = await a_busy_agent(world)
    await world.alice.replies(thread, f"!share <@{world.bob.id}>")
    reply = await world.bob.replies(thread, "use mian")
    await world.bob.edits(thread, reply, "use main")
    await world.alice.replies(thread, f"!unshare <@{world.bob.id}>")

    for number in range(TRIES):
        await world.bob.edits(thread, reply, f"use {number}")

    found = [each for each in await entries(world) if "edit_reply" in each]
    assert found == ["bob edit_reply by reply: done"]
    assert task.inputs == []
    world.alice.reads()
    world.bob.reads()
    world.bob.hears()
    thread.new_messages()
