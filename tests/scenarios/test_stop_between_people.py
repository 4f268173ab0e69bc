"""In a thread of people, only mentions reach the agent. A bare *stop* of a person who may steer stops the
task even so."""

import pytest

from taskwire_sandbox.coder import SandboxTask

from .people import Thread
from .test_backfill import away, back
from .test_channel_settings import set_channel
from .world import World

PAUSING = "Pausing *Fix it*. A reply in its thread that mentions me resumes it."
PAUSED = "Paused by Alice. A reply that mentions me resumes it."


async def _a_task_among_people(world: World) -> tuple[Thread, SandboxTask]:
    """Let Alice start a task in a discussion with Bob. Return the thread and the task, whose agent works."""
    root = await world.slack.post(world.bob.id, "general", "the login is broken")
    thread = await world.alice.mentions("fix it", root)
    task = world.task("fix-it")
    task.becomes("working", "On it")
    await world.polls()
    return thread, task


async def _is_told(world: World, thread: Thread) -> tuple[list[str], list[str]]:
    """Wait until a pause is told. Return what Alice reads privately, and what the thread says."""
    await world.passes(seconds=5)
    await world.polls()
    return world.alice.reads(), thread.new_messages()


@pytest.mark.parametrize("word", ["stop", "Wait!", "Could you stop it, please?"])
async def test_a_bare_stop_of_the_owner_stops_the_task(world: World, word: str) -> None:
    """Alice writes only *stop* in the discussion, without a mention. The task is paused. The bot does not
    offer to send the word as text, because the agent gets no text without a mention there."""
    thread, task = await _a_task_among_people(world)

    await world.alice.replies(thread, word)
    told = await _is_told(world, thread)

    assert (task.status, task.inputs) == ("paused", [])
    assert told == ([PAUSING], [PAUSED])


async def test_a_bare_stop_there_holds_the_replies_that_wait(world: World) -> None:
    """A reply that mentions the bot waits, and Alice then writes only *stop*. The bot holds the reply, and
    asks only about this reply."""
    thread, task = await _a_task_among_people(world)
    await world.slack.mention(world.alice.id, "general", "use main", thread.ts)
    await world.settles()

    await world.alice.replies(thread, "stop")
    private, said = await _is_told(world, thread)

    assert (task.status, task.inputs, private) == ("paused", [], [])
    assert said == ["Paused by Alice. 1 reply waits.\n[Resume and send] [Drop the reply]"]


async def test_a_stop_with_a_mention_can_still_be_meant_as_text(world: World) -> None:
    """Alice mentions the bot and writes only *stop*. This is a reply to the bot, so the bot offers to send it
    as text."""
    thread, task = await _a_task_among_people(world)

    await world.slack.mention(world.alice.id, "general", "stop", thread.ts)
    await world.settles()
    told = await _is_told(world, thread)

    assert task.status == "paused"
    assert told == ([f"{PAUSING}\n[I meant it as text]"], [PAUSED])


async def test_a_bare_stop_of_a_person_with_a_share_stops_the_task(world: World) -> None:
    """Bob, with whom Alice shares the task, writes only *stop* in the discussion. The task is paused."""
    thread, task = await _a_task_among_people(world)
    await world.alice.replies(thread, f"!share <@{world.bob.id}>")
    world.alice.reads()
    world.bob.hears()

    await world.bob.replies(thread, "stop")
    await _is_told(world, thread)

    assert task.status == "paused"
    assert world.bob.reads() == [PAUSING]


async def test_other_words_and_other_people_stay_unanswered(world: World) -> None:
    """Bob, who may not steer, writes only *stop*. Alice writes other words without a mention. Both stay
    between people: the task goes on, and nobody gets an answer or a receipt."""
    thread, task = await _a_task_among_people(world)

    words = [await world.bob.replies(thread, word) for word in ("stop", "wait", "stop the music")]
    words += [await world.alice.replies(thread, word) for word in ("stop that nonsense", "pause")]
    private, said = await _is_told(world, thread)

    assert (task.status, task.inputs) == ("active", [])
    assert (private, world.bob.reads(), world.bob.hears(), said) == ([], [], [], [])
    assert [thread.receipt(each) for each in words] == [[]] * 5


async def test_a_person_without_an_account_is_not_asked_for_one(personal: World) -> None:
    """Everybody in the channel may steer, if Coder shows them the task. Carol has connected no account and
    writes only *stop* to the others. The task goes on, and the bot does not ask her to connect."""
    carol = personal.person("carol")
    await personal.slack.join(carol.id, "general")
    await set_channel(personal, steerers="Everybody in this channel")
    thread, task = await _a_task_among_people(personal)
    assert len(personal.reader.new_roots()) == 1

    await carol.replies(thread, "stop")
    await _is_told(personal, thread)

    assert task.status == "active"
    assert (carol.reads(), carol.hears()) == ([], [])


async def test_a_bare_stop_there_says_nothing_when_nothing_runs(world: World) -> None:
    """The agent is done, and Alice writes *wait* to Bob. Nothing runs, so the word stays between them."""
    thread, task = await _a_task_among_people(world)
    task.becomes("complete", "Done it")
    await world.polls()
    thread.new_messages()

    await world.alice.replies(thread, "wait")
    told = await _is_told(world, thread)

    assert (task.status, told) == ("active", ([], []))


@pytest.mark.parametrize("is_old", [False, True], ids=["soon", "after hours"])
async def test_a_bare_stop_that_the_bot_missed(world: World, is_old: bool) -> None:
    """Alice and Bob write *stop* in the discussion while the bot is away. Alice's word stops the task when
    the bot comes back. If that is hours later, it stays between people, as Bob's does."""
    thread, task = await _a_task_among_people(world)
    await away(world)

    await world.slack.post(world.bob.id, "general", "stop", thread.ts)
    await world.slack.post(world.alice.id, "general", "stop", thread.ts)
    if is_old:
        world.clock.passes(2 * 3600)
    await back(world)
    told = await _is_told(world, thread)

    assert (task.status, task.inputs) == ("active" if is_old else "paused", [])
    if is_old:
        assert (told[0], told[1][0].startswith(f"<@{world.alice.id}> Stuck: Fix it.")) == ([], True)
    else:
        assert told == ([PAUSING], [PAUSED])
    assert world.bob.reads() == []
