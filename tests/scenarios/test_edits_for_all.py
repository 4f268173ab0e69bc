"""One person acts in the threads of many tasks, again and again. Other people's cards are edited promptly."""

import pytest

from .many_tasks import start_threads
from .people import Thread
from .world import CARD_SECONDS, World

TASKS = 20


async def drains(world: World, *threads: Thread) -> None:
    """Let all cards be edited, and read what was said."""
    for _ in range(60):
        await world.polls()
        await world.passes(CARD_SECONDS)
        if not await world.jobs():
            break
    await world.passes(seconds=60)
    for thread in threads:
        thread.new_messages()
    for person in (world.alice, world.bob):
        person.reads()
        person.hears()


@pytest.mark.parametrize("bobs_verb", ["!mute", "!stop"])
async def test_verbs_in_many_threads_leave_edits_of_cards_to_others(world: World, bobs_verb: str) -> None:
    """Alice writes `!stop` and `!resume` in the threads of her twenty tasks, one message a second. Each stops
    or resumes its task at once. Bob's card shows his own verb within twenty seconds, usually much sooner."""
    bobs = await world.bob.runs("/task create fix the login")
    threads = await start_threads(world, TASKS, world.alice)
    await world.polls()
    for _ in range(TASKS):
        await world.passes(CARD_SECONDS)
    number = 0

    async def alice_writes() -> None:
        nonlocal number
        verb = "!stop" if (number // TASKS) % 2 == 0 else "!resume"
        thread = threads[number % TASKS]
        await world.slack.post(world.alice.id, thread.channel, verb, thread.ts)
        await world.passes(seconds=1)
        if number % 5 == 0:
            await world.polls()
        number += 1

    for _ in range(TASKS):
        await alice_writes()
    stopped = [task.status for task in world.coder.tasks if task.row.owner.username == "alice"]
    for _ in range(TASKS):
        await alice_writes()
    before, waited = bobs.card(), 0
    await world.bob.replies(bobs, bobs_verb)
    while bobs.card() == before and waited < 60:
        await alice_writes()
        waited += 1

    assert stopped == ["paused"] * TASKS
    assert waited <= 20
    await drains(world, bobs, *threads)
