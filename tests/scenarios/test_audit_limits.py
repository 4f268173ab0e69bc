"""Refused acts of one person, and acts that need no right, leave ten entries of the audit trail a minute."""

from collections.abc import Awaitable, Callable

import pytest

from taskwire_sandbox.coder import SandboxTask
from taskwire_sandbox.coder.faults import server_error

from .many_tasks import start_tasks
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


async def _watch(world: World, thread: Thread, number: int) -> None:
    await world.bob.replies(thread, "!unwatch" if number % 2 else "!watch")


async def _show(world: World, thread: Thread, _: int) -> None:
    await world.bob.replies(thread, "!status")
    await world.bob.presses("Show to everybody")


@pytest.mark.parametrize("act", [_watch, _show])
async def test_what_everybody_may_do_leaves_ten_entries_a_minute(
    world: World, act: Callable[[World, Thread, int], Awaitable[None]]
) -> None:
    """Bob has no right to Alice's tasks. In three threads he does again and again what everybody may do. Ten
    entries are in the trail, and an act that is refused is entered too. A minute later he leaves entries
    again."""
    await start_tasks(world, 3)
    channel = world.slack.workspace.channel("general").id
    threads = [Thread(world, channel, str(each["ts"])) for each in world.slack.messages(channel)[-3:]]
    await world.polls()

    for number in range(MOST // 2):
        for thread in threads:
            await act(world, thread, number)
    left = await entries(world)
    await world.bob.replies(threads[0], "stop")
    refused = (await entries(world))[len(left) :]
    for _ in range(7):
        await world.passes(seconds=10)
    await act(world, threads[0], 0)

    assert {each.partition(" ")[0] for each in left} == {"bob"}
    assert all(each.endswith(": done") for each in left)
    assert len(left) == MOST
    assert refused == ["bob send by reply: refused (not_allowed)"]
    assert len(await entries(world)) == MOST + 2
    world.bob.reads()
    await world.passes(seconds=20)
    for thread in threads:
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
