"""An agent that reports its results without end. It calls people and posts only so often, and nothing that a
person waits for is lost."""

from taskwire_sandbox.coder.faults import bad_gateway, cut_after

from .running_tasks import TITLE, a_task
from .world import World

DONE = f"Done: {TITLE}. Reply here if there is more to do."


async def test_of_many_results_in_one_poll_the_newest_is_told(world: World) -> None:
    """An agent reports forty results between two polls, and no person has written to it. The thread has the
    newest one."""
    thread, task = await a_task(world)
    for number in range(40):
        task.becomes("working", f"Part {number} to do")
        task.becomes("complete", f"Part {number}")

    await world.polls()
    await world.passes(seconds=60)

    assert thread.new_messages() == [f"<@{world.alice.id}> Part 39.\n{DONE}"]


async def test_a_reply_between_two_results_keeps_both(world: World) -> None:
    """An agent reports a result, gets a reply, and reports another result, all between two polls. The thread
    has both results. Only the second one calls somebody, because the first one has its reply already."""
    thread, task = await a_task(world)
    task.becomes("complete", "Part 1")
    await world.passes(seconds=3)
    await world.alice.replies(thread, "now the second part")
    task.becomes("working", "Part 2 to do")
    task.becomes("complete", "Part 2")
    await world.passes(seconds=3)

    await world.polls()
    await world.passes(seconds=60)

    assert thread.new_messages() == [f"Part 1.\n{DONE}", f"<@{world.alice.id}> Part 2.\n{DONE}"]


async def test_a_reply_on_its_way_keeps_both_results(world: World) -> None:
    """As before, but the bot does not know yet whether the agent has got the reply when it sees both
    results."""
    thread, task = await a_task(world)
    task.becomes("complete", "Part 1")
    await world.passes(seconds=3)
    world.coder.plan_fault("tasks.send", cut_after())
    world.coder.plan_fault("tasks.logs", bad_gateway(), skips=1, times=2)
    reply = await world.alice.replies(thread, "now the second part")
    task.becomes("working", "Part 2 to do")
    task.becomes("complete", "Part 2")

    await world.polls()
    receipt = thread.receipt(reply)
    told = thread.new_messages()
    await world.passes(seconds=120)

    assert task.inputs == ["now the second part"]
    assert (receipt, thread.receipt(reply)) == ([], ["white_check_mark"])
    assert told == [f"Part 1.\n{DONE}", f"Part 2.\n{DONE}"]


async def test_results_without_end_call_people_five_times_an_hour(world: World) -> None:
    """An agent reports a new result every five seconds. Five of them call the owner. Then the newest one is
    posted every half minute and calls nobody. When an hour has passed, a result calls the owner again."""
    thread, task = await a_task(world)
    for number in range(24):
        task.becomes("complete", f"Part {number}")
        await world.polls()
        await world.passes(seconds=5)
    told = thread.new_messages()
    await world.passes(seconds=30)
    rest = thread.new_messages()
    await world.passes(seconds=3_600)

    task.becomes("complete", "Part 24")
    await world.polls()

    called = [f"<@{world.alice.id}> Part {number}.\n{DONE}" for number in range(5)]
    assert told == [*called, *(f"Part {number}.\n{DONE}" for number in (9, 15, 21))]
    assert rest == [f"Part 23.\n{DONE}"]
    assert thread.new_messages() == [f"<@{world.alice.id}> Part 24.\n{DONE}"]


async def test_a_reply_ends_the_limit_on_results(world: World) -> None:
    """An agent has called its owner too often, so its newest result waits. The owner replies. The result is
    posted at once, and the result of the reply's turn calls the owner."""
    thread, task = await a_task(world)
    for number in range(7):
        task.becomes("complete", f"Part {number}")
        await world.polls()
        await world.passes(seconds=3)
    before = thread.new_messages()

    await world.alice.replies(thread, "and the last part")
    await world.passes(seconds=3)
    waited = thread.new_messages()
    task.becomes("complete", "Part 7")
    await world.polls()

    assert before == [f"<@{world.alice.id}> Part {number}.\n{DONE}" for number in range(5)]
    assert waited == [f"Part 6.\n{DONE}"]
    assert thread.new_messages() == [f"<@{world.alice.id}> Part 7.\n{DONE}"]


async def test_a_result_that_waits_is_told_when_the_thread_is_detached(world: World) -> None:
    """An agent has called its owner too often, so its newest result waits. The owner detaches the thread. The
    last message of the thread has the result."""
    thread, task = await a_task(world)
    for number in range(7):
        task.becomes("complete", f"Part {number}")
        await world.polls()
        await world.passes(seconds=2)
    before = thread.new_messages()

    await world.alice.replies(thread, "!detach")
    await world.passes(seconds=60)

    assert len(before) == 5
    assert thread.new_messages() == [
        "Detached: replies here no longer reach the agent. The task itself stays as it is. The agent's last "
        "result before that: Part 6.\n[Attach again]"
    ]


async def test_a_result_that_waits_outlives_the_bot(world: World) -> None:
    """An agent has called its owner too often, so its newest result waits, and the bot dies. The next process
    posts the result, once, and before a later pause."""
    thread, task = await a_task(world)
    for number in range(6):
        task.becomes("complete", f"Part {number}")
        await world.polls()
        await world.passes(seconds=2)
    thread.new_messages()
    await world.crashes()

    await world.starts()
    task.pause()
    await world.polls(times=2)
    await world.passes(seconds=60)

    assert thread.new_messages() == [
        f"Part 5.\n{DONE}",
        f"Paused: {TITLE}. The workspace was stopped in Coder. Nothing is lost: a reply resumes it.\n"
        "[Resume] [Edit prompt]",
    ]
