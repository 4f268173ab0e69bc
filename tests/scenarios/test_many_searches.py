"""Only so many searches of one person wait, for threads that the bot does not know."""

import logging

import pytest

from taskwire.recovery import lost_threads
from taskwire_sandbox.slack import messages

from .many_tasks import calls
from .test_shared_budgets import READ, Reads, a_stranger
from .world import World

# More messages than searches of one person may wait, and that limit in this test.
MESSAGES, MOST = 9, 4


async def test_of_one_persons_searches_few_wait(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Slack has no place for reads, and Mallory writes below each of nine old messages of the bot. Four
    searches wait, and the others end with a line in the log. When there are places, Slack is asked four
    times. Then a message below another one of the nine is looked up again."""
    monkeypatch.setattr(lost_threads, "MOST_SEARCHES", MOST)
    mallory = await a_stranger(world)
    place = world.slack.workspace.channel(world.slack.open_direct(mallory.id).id)
    said = {"text": "old", "user": world.slack.bot_user_id, "bot_id": world.slack.backend.app.bot_id}
    roots = [str(messages.write(world.slack.backend, place, said)["ts"]) for _ in range(MESSAGES)]
    reads = Reads(world)
    await reads.take_all_places()

    with caplog.at_level(logging.WARNING, "taskwire.recovery.lost_threads"):
        for ts in roots:
            world.reader.read_root(place.id, ts)
            await world.slack.post(mallory.id, place.id, "hi", ts)
            await world.settles()
            # Searches that begin at the same moment may exceed the limit by a few.
            world.clock.passes(1)
            await reads.take_all_places()
        for _ in range(31):
            world.clock.passes(1)
            await reads.take_all_places()
            await world.settles()
    waiting = [name for name in await world.jobs() if name.startswith("lost_threads:")]
    for _ in range(10):
        await world.passes(seconds=60)
    searched = [str(call.arguments["ts"]) for call in calls(world, READ)]

    assert len(waiting) == MOST
    assert len(searched) == MOST
    assert caplog.text.count("too many searches of one person wait") == MESSAGES - MOST
    again = next(ts for ts in roots if ts not in searched)
    await world.slack.post(mallory.id, place.id, "hello?", again)
    await world.passes(seconds=60)
    assert len(calls(world, READ)) == MOST + 1
