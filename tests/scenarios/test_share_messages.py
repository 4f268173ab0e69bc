"""What people are told of shares that begin and end again and again."""

import pytest

from taskwire_sandbox.coder import SandboxTask
from taskwire_sandbox.slack.faults import CallFault

from .many_tasks import calls, heard, start_threads
from .people import Person, Thread
from .running_tasks import TITLE, a_task
from .test_share import LET_STEER, LET_STEER_NO_LONGER
from .world import World

LAST = (
    "For a while, I send you no more messages about what Alice shares. `/task list` shows it.\n[Open thread]"
)


async def types_in_each(world: World, threads: list[Thread], text: str) -> None:
    """Let Alice write this in each of these threads."""
    for each in threads:
        await world.slack.post(world.alice.id, each.channel, text, each.ts)
    await world.settles()


async def waiting(world: World, person: Person) -> list[str]:
    """Return the ids of the direct messages that wait for a person."""
    return (await world.jobs()).get(f"direct_messages:{person.id}", [])


async def _two_owners(world: World, tasks_of_alice: int) -> tuple[Thread, SandboxTask, list[Thread]]:
    """Let Bob, who is called by direct messages, start a task whose agent works, and let Alice start tasks.

    Return Bob's thread and task, and Alice's threads.
    """
    thread = await world.bob.runs("/task create fix the logout")
    await world.polls()
    task = world.task("fix-the-logout")
    await world.bob.types("/task settings")
    await world.bob.saves_own(calls="direct")
    world.bob.reads()
    threads = await start_threads(world, tasks_of_alice, world.alice, prefix="alice")
    task.becomes("working", "Reading the code")
    await world.polls()
    await world.passes(seconds=60)
    return thread, task, threads


async def test_a_call_goes_before_shares_that_come_and_go(world: World) -> None:
    """In eight threads, Alice shares her task with Bob and ends that, five times each. Slack opens no direct
    messages meanwhile. Then Bob's own agent asks him something. One message for each thread waits, and the
    question goes before all of them."""
    thread, task, threads = await _two_owners(world, tasks_of_alice=8)

    await types_in_each(world, threads, f"!share <@{world.bob.id}>")
    for _ in range(4):
        await world.passes(seconds=3)
    at_first = world.bob.hears()
    world.slack.faults.add("conversations.open", CallFault.SERVER_ERROR, times=None)
    for _ in range(4):
        await types_in_each(world, threads, f"!unshare <@{world.bob.id}>")
        await types_in_each(world, threads, f"!share <@{world.bob.id}>")
    await types_in_each(world, threads, f"!unshare <@{world.bob.id}>")
    waited = await waiting(world, world.bob)
    task.becomes("idle", "Which branch shall I use?")
    await world.polls()
    for _ in range(10):
        await world.passes(seconds=3)
    all_waiting = await waiting(world, world.bob)
    world.slack.faults.clear()
    for _ in range(20):
        await world.passes(seconds=3)
    later = world.bob.hears()

    assert len(at_first) == len(waited) == len(threads)
    assert len(all_waiting) == len(waited) + 1
    assert later[0] == "Needs you: Fix the logout. Which branch shall I use?\n[Answer] [Open thread]"
    assert len(at_first) + len(later) - 1 == 10
    assert len(world.alice.reads()) == 80
    heard(world), thread.new_messages()


async def test_a_call_goes_before_the_shares_of_others(world: World) -> None:
    """Alice shares six tasks with twenty people each, so their messages wait for Slack's limits. The question
    of Bob's agent goes before most of them."""
    crowd = [world.person(f"p{number}") for number in range(20)]
    names = " ".join(f"<@{person.id}>" for person in crowd)
    thread, task, threads = await _two_owners(world, tasks_of_alice=6)

    await types_in_each(world, threads, f"!share {names}")
    task.becomes("idle", "Which branch shall I use?")
    await world.polls()
    posted, told = 0, list[str]()
    while not told:
        if not await waiting(world, world.bob):
            posted = len(calls(world, "chat.postMessage"))
        await world.passes(seconds=3)
        told = world.bob.hears()
    direct = world.slack.open_direct(world.bob.id).id
    later = [call.arguments["channel"] for call in calls(world, "chat.postMessage")[posted:]]
    left = [await waiting(world, person) for person in crowd]
    for _ in range(60):
        await world.passes(seconds=3)

    assert told == ["Needs you: Fix the logout. Which branch shall I use?\n[Answer] [Open thread]"]
    assert later.index(direct) <= 8
    assert len(list(filter(None, left))) == len(crowd)
    assert [len(person.hears()) for person in crowd] == [len(threads)] * len(crowd)
    assert len(world.alice.reads()) == len(threads)
    heard(world), thread.new_messages()


@pytest.mark.parametrize("is_posted", [True, False])
async def test_the_end_is_told_behind_a_post_of_unknown_outcome(world: World, is_posted: bool) -> None:
    """Slack's answer to the message about Bob's share is lost, and Slack shows no messages for a moment. Then
    Alice ends the share. Bob hears of the end if he has got the first message, else of neither. He hears of
    the next share."""
    _, task = await a_task(world)
    lost = CallFault.DONE_THEN_CUT if is_posted else CallFault.SERVER_ERROR
    world.slack.faults.add("conversations.history", CallFault.SERVER_ERROR, times=None)
    world.slack.faults.add("chat.postMessage", lost)

    await world.alice.types(f"/task share {task.name} <@{world.bob.id}>")
    world.slack.faults.clear()
    await world.alice.types(f"/task unshare {task.name} <@{world.bob.id}>")
    for _ in range(3):
        await world.passes(seconds=60)

    assert world.bob.hears() == ([LET_STEER, LET_STEER_NO_LONGER] if is_posted else [])
    await world.alice.types(f"/task share {task.name} <@{world.bob.id}>")
    for _ in range(3):
        await world.passes(seconds=60)
    assert world.bob.hears() == [LET_STEER]
    assert len(world.alice.reads()) == 3
    assert heard(world) == []


async def test_one_command_floods_nobody(world: World) -> None:
    """In six threads, Alice shares her task with twenty people and ends that, again and again. Each of them
    hears ten times at most. A message that waits for Slack asks for no address of its thread meanwhile."""
    crowd = [world.person(f"p{number}") for number in range(20)]
    names = " ".join(f"<@{person.id}>" for person in crowd)
    threads = await start_threads(world, 6, world.alice)

    for _ in range(5):
        await types_in_each(world, threads, f"!share {names}")
        await world.passes(seconds=2)
        await types_in_each(world, threads, f"!unshare {names}")
        await world.passes(seconds=2)
    waited = [len(await waiting(world, person)) for person in crowd]
    for _ in range(60):
        await world.passes(seconds=3)

    assert max(waited) <= len(threads)
    assert len(calls(world, "chat.getPermalink")) <= len(calls(world, "conversations.open"))
    assert max(len(person.hears()) for person in crowd) <= 10
    world.alice.reads(), heard(world)


@pytest.mark.parametrize("is_shared", [False, True])
async def test_what_is_undone_while_it_waits_is_not_told(world: World, is_shared: bool) -> None:
    """Slack opens no direct messages for a while. Meanwhile a share of Bob's begins and ends, or ends and
    begins. Then nothing has changed for Bob, and he is told nothing."""
    thread, _ = await a_task(world)
    verbs = ("unshare", "share") if is_shared else ("share", "unshare")
    if is_shared:
        await world.alice.replies(thread, f"!share <@{world.bob.id}>")
        assert world.bob.hears() == [LET_STEER]
    world.slack.faults.add("conversations.open", CallFault.SERVER_ERROR, times=None)

    for verb in verbs * 2:
        await world.alice.replies(thread, f"!{verb} <@{world.bob.id}>")
    world.slack.faults.clear()
    for _ in range(3):
        await world.passes(seconds=60)

    assert world.bob.hears() == []
    await world.alice.replies(thread, f"!{verbs[0]} <@{world.bob.id}>")
    await world.passes(seconds=2)
    assert world.bob.hears() == [LET_STEER_NO_LONGER if is_shared else LET_STEER]
    world.alice.reads(), heard(world)


async def test_a_person_is_told_of_ten_shares_of_one_person_in_an_hour(world: World) -> None:
    """Alice shares twelve tasks with Bob. He hears of ten, and that he hears of no more for a while. The end
    of a share that he has not heard of is not told either. After an hour, he is told again."""
    thread, _ = await a_task(world)
    threads = [*await start_threads(world, 11, world.alice), thread]

    await types_in_each(world, threads, f"!share <@{world.bob.id}>")
    for _ in range(20):
        await world.passes(seconds=3)
    told = world.bob.hears()
    await world.passes(seconds=3600)
    await types_in_each(world, threads, f"!unshare <@{world.bob.id}>")
    for _ in range(20):
        await world.passes(seconds=3)
    ended = world.bob.hears()
    await world.passes(seconds=3600)
    await types_in_each(world, [thread], f"!share <@{world.bob.id}>")

    assert len(told) == 10
    assert [LAST in each for each in told] == [False] * 9 + [True]
    assert len(ended) == 10
    assert [LAST in each for each in ended] == [False] * 9 + [True]
    assert world.bob.hears() == [LET_STEER]
    assert TITLE in LET_STEER
    world.alice.reads(), heard(world)
