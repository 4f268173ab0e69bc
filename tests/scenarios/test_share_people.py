"""What shares with many people look up in Slack, and what that leaves of Slack's limits for other people."""

from .many_tasks import calls, heard, start_threads
from .people import Person, Thread
from .running_tasks import a_task
from .world import World

THREADS, NAMED = 6, 20


async def _pass(world: World, seconds: int) -> None:
    """Let time pass, also for what is known for some minutes."""
    await world.ages(seconds)
    await world.passes(seconds)


async def _name_many(world: World, threads: list[Thread]) -> list[Person]:
    """Let Alice name twenty other people in each of these threads. Return these people."""
    crowd = [world.person(f"named-{number}") for number in range(NAMED * len(threads))]
    for number, thread in enumerate(threads):
        named = crowd[NAMED * number : NAMED * (number + 1)]
        mentions = " ".join(f"<@{each.id}>" for each in named)
        await world.slack.post(world.alice.id, thread.channel, f"!share {mentions}", thread.ts)
    return crowd


def _looked_up(world: World) -> list[str]:
    """Return the people whose profiles Slack was asked for, the first one first."""
    return [str(call.arguments["user"]) for call in calls(world, "users.info")]


async def test_shares_with_many_people_end(world: World) -> None:
    """Alice shares six tasks with twenty people each: more look-ups than Slack allows in a minute. Each share
    goes on where it waited. All end, and everybody is told once."""
    threads = await start_threads(world, THREADS, world.alice)
    crowd = await _name_many(world, threads)

    answers: list[str] = []
    for _ in range(60):
        await _pass(world, 6)
        answers += world.alice.reads()

    asked = _looked_up(world)
    assert len(answers) == THREADS
    assert len(asked) <= 5 * len(crowd)
    assert [len(each.hears()) for each in crowd] == [1] * len(crowd)
    heard(world)


async def test_named_people_go_behind_the_rights_of_others(world: World) -> None:
    """Alice names more people than Slack lets the bot look up at once. What Bob may do is looked up before
    all people who still wait."""
    thread, _ = await a_task(world)
    threads = await start_threads(world, THREADS, world.alice)
    await world.forgets()
    crowd = await _name_many(world, threads)
    await world.settles()
    at_first = len(_looked_up(world))

    await world.ages(10)
    await world.bob.replies(thread, "!stop")
    await world.passes(seconds=2)

    assert at_first < THREADS * NAMED
    assert world.bob.id in _looked_up(world)[at_first:][:3]
    assert len(world.bob.reads()) == 1
    for _ in range(60):
        await _pass(world, 6)
    assert len(world.alice.reads()) == THREADS
    assert [len(each.hears()) for each in crowd] == [1] * len(crowd)
    heard(world)


async def test_who_shares_does_not_read_anothers_address(world: World) -> None:
    """Coder has suspended Bob's account. Alice names Bob for a share. The answer does not say which account
    Bob has, or that it is suspended."""
    thread, task = await a_task(world)
    world.coder.suspend("bob")
    await world.alice.replies(thread, f"!share <@{world.bob.id}>")

    assert world.alice.reads() == [
        "Bob can't steer a task. Their Coder account can't be used now. Nothing was shared."
    ]
    assert task.inputs == []
