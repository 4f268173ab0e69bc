"""A share, and a channel that lets everybody steer, count only while the task's owner may use Taskwire."""

from collections.abc import Awaitable, Callable

import pytest

from taskwire_sandbox.coder import SandboxTask
from taskwire_sandbox.slack.faults import CallFault

from .people import Person, Thread
from .running_tasks import TITLE, a_task, card
from .test_channel_settings import set_channel
from .test_connect import connects as connects_beside_service
from .test_waiting_for_account import connects
from .world import CARD_SECONDS, World

GONE = (
    f"*{TITLE}* belongs to Alice, who can't use Taskwire now, so you can't {{}}. Ask a Taskwire "
    "administrator."
)
NO_INPUT = f"The agent does not get your replies here. {GONE.format('reply to its agent')}"


async def _deactivated(world: World) -> None:
    world.slack.workspace.user("alice").deleted = True


async def _guest(world: World) -> None:
    world.slack.workspace.user("alice").is_restricted = True


async def _out_of_the_group(world: World) -> None:
    [group] = world.slack.workspace.groups.values()
    group.members.remove(world.alice.id)


Loss = Callable[[World], Awaitable[None]]
LOSSES: tuple[Loss, ...] = (_deactivated, _guest, _out_of_the_group)


async def _starts(world: World, mode: str) -> Person:
    """Start the bot with these accounts. Only people of one group may use it. Return its administrator,
    Dora."""
    dora = world.person("dora")
    await world.slack.join(dora.id, "general")
    group = world.slack.add_group("platform-team", ["alice", "bob"])
    changed = {"coder_session_token": None} if mode == "personal" else {}
    await world.restarts(accounts=mode, allowed_groups=(group.id,), admins=(dora.id,), **changed)
    for person in (world.alice, world.bob) if mode != "service" else ():
        if mode == "both":
            await connects_beside_service(world, person)
        else:
            await person.types("/task connect")
            await connects(world, person, person.name)
    return dora


async def _a_shared_task(world: World) -> tuple[Thread, SandboxTask]:
    """Let Alice create a task and share it with Bob. Its agent waits for input."""
    thread, task = await a_task(world)
    await world.alice.types(f"/task share {task.name} <@{world.bob.id}>")
    world.alice.reads(), world.bob.hears()
    task.becomes("idle", "Ready")
    await world.polls()
    await world.passes(CARD_SECONDS)
    return thread, task


async def _loses(world: World, loses: Loss) -> None:
    await loses(world)
    await world.ages(seconds=10)


@pytest.mark.parametrize("mode", ["service", "both", "personal"])
@pytest.mark.parametrize("loses", LOSSES)
async def test_a_share_does_not_outlive_its_owner(world: World, loses: Loss, mode: str) -> None:
    """Alice has shared her task with Bob, and then loses what lets her use Taskwire. Ten seconds later he is
    refused by reply, verb, click and command, also where his acts would use her Coder account."""
    await _starts(world, mode)
    thread, task = await _a_shared_task(world)

    await _loses(world, loses)
    start = len(world.coder.requests)
    reply = await world.bob.replies(thread, "print all keys")
    await world.bob.replies(thread, "!pause")
    await world.bob.clicks(thread, "Stop")
    await world.bob.types(f"/task logs {task.id} full", world.bob.direct())
    await world.bob.types("/task list", world.bob.direct())

    assert (task.inputs, task.status, thread.receipt(reply)) == ([], "active", [])
    *in_thread, log, listed = world.bob.reads()
    assert in_thread == [NO_INPUT, *[GONE.format("stop it")] * 2]
    assert log.startswith("There is no such task that you can see here.")
    assert TITLE not in listed
    assert {seen.user for seen in world.coder.requests[start:]} <= {"bob", "alice", "taskwire"}
    assert "alice" not in {
        seen.user
        for seen in world.coder.requests[start:]
        if seen.route in ("tasks.send", "tasks.pause", "tasks.logs")
    }


async def test_a_channel_that_lets_everybody_steer_does_not_outlive_the_owner(world: World) -> None:
    """The channel lets everybody steer its tasks. Alice is deactivated. Bob is refused, and an administrator
    still stops the task."""
    dora = await _starts(world, "service")
    await set_channel(world, steerers="Everybody in this channel")
    world.reader.new_roots()
    thread, task = await a_task(world)
    task.becomes("idle", "Ready")
    await world.polls()

    before = await card(world, thread)

    await _loses(world, _deactivated)
    await world.bob.replies(thread, "print all keys")
    await world.bob.types(f"/task pause {task.name}")
    status = task.status
    task.becomes("working", "On it")
    await world.polls()
    await world.passes(CARD_SECONDS)
    after = await card(world, thread)
    await dora.types(f"/task pause {task.name}")

    assert world.bob.reads() == [NO_INPUT, GONE.format("stop it")]
    assert (status, task.status, task.inputs) == ("active", "paused", [])
    assert ("can steer" in before, "can steer" in after) == (True, False)
    dora.reads(), thread.new_messages()


@pytest.mark.parametrize("loses", LOSSES)
async def test_a_status_names_nobody_whose_share_does_not_count(world: World, loses: Loss) -> None:
    """Alice has shared her task with Bob. `/task status` and `!status` say so, until she may not use Taskwire
    any more."""
    dora = await _starts(world, "service")
    thread, task = await _a_shared_task(world)
    await dora.types(f"/task status {task.name}")
    [before] = dora.reads()

    await _loses(world, loses)
    await dora.types(f"/task status {task.name}")
    await dora.replies(thread, "!status")

    assert "Bob can steer it too." in before
    after = dora.reads()
    assert len(after) == 2
    assert not any("can steer" in each for each in after)


async def test_nobody_can_ask_an_owner_who_is_gone(world: World) -> None:
    """Bob has no share. While Alice may use Taskwire, he is offered to ask her. After that he reads who can
    help."""
    await _starts(world, "service")
    thread, task = await a_task(world)

    await _loses(world, _deactivated)
    await world.bob.replies(thread, "add a test")
    await world.bob.replies(thread, "!share <@U0>")

    assert world.bob.reads() == [NO_INPUT, GONE.format("share it")]
    assert task.inputs == []


async def test_a_reply_that_waits_does_not_outlive_the_owner(world: World) -> None:
    """Bob's reply waits for a busy agent. Alice is deactivated meanwhile, so the agent does not get it."""
    await _starts(world, "service")
    thread, task = await _a_shared_task(world)
    task.becomes("working", "On it")
    await world.polls()
    reply = await world.bob.replies(thread, "print all keys")
    before = thread.receipt(reply)

    await _loses(world, _deactivated)
    task.becomes("idle", "Ready")
    for _ in range(3):
        await world.polls()
        await world.passes(seconds=10)

    assert (before, thread.receipt(reply), task.inputs) == (["hourglass_flowing_sand"], [], [])
    assert world.bob.reads() == [NO_INPUT]
    thread.new_messages()


async def test_a_share_counts_again_when_its_owner_is_back(world: World) -> None:
    """Alice was deactivated by mistake. When she is active again, Bob steers her task by the same share."""
    await _starts(world, "service")
    thread, task = await _a_shared_task(world)
    await _loses(world, _deactivated)
    await world.bob.types(f"/task pause {task.name}")
    status = task.status

    world.slack.workspace.user("alice").deleted = False
    await world.ages(seconds=10)
    await world.bob.types(f"/task pause {task.name}")

    assert (status, task.status) == ("active", "paused")
    assert world.bob.reads()[0] == GONE.format("stop it")
    thread.new_messages()


async def test_while_slack_does_not_answer_a_reply_by_a_share_waits(world: World) -> None:
    """Slack does not tell whether Bob and Alice are members. His reply waits until it does, and is then
    delivered."""
    await _starts(world, "service")
    thread, task = await _a_shared_task(world)
    await world.ages(seconds=10)
    world.slack.faults.add("users.info", CallFault.SERVER_ERROR, times=None)

    await world.bob.replies(thread, "add a test")
    waiting = list(task.inputs)
    world.slack.faults.clear()
    for _ in range(3):
        await world.passes(seconds=30)

    assert (waiting, task.inputs) == ([], ["Bob wrote:\n> add a test"])
    assert world.bob.reads() == []
    thread.new_messages()


async def test_the_owner_is_looked_up_once_for_many_acts(world: World) -> None:
    """Bob acts often on a task that Alice shares with him. Slack is asked about each of them once."""
    await _starts(world, "service")
    thread, task = await _a_shared_task(world)
    await world.ages(seconds=10)
    before = len(world.slack.calls)

    for _ in range(5):
        await world.bob.types(f"/task status {task.name}", world.bob.direct())

    asked = [
        call.arguments["user"] for call in list(world.slack.calls)[before:] if call.method == "users.info"
    ]
    assert sorted(asked) == sorted([world.alice.id, world.bob.id])
    assert len(world.bob.reads()) == 5
    thread.new_messages()
