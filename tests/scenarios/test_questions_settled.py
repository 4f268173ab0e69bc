"""Questions that are settled otherwise than by their buttons lose these, so that nobody presses in vain."""

from taskwire.sandbox.slack import Attachment

from .doubts import in_doubt
from .people import Thread
from .waiting import a_busy_agent
from .world import World

NO_NEED = "No need to decide here any more: {}."


def buttons_left(thread: Thread) -> list[str]:
    """The messages of a thread that still ask something about a reply."""
    return [said for said in thread.all_messages() if "[It arrived]" in said or "[Try again]" in said]


async def test_a_thread_that_is_detached_asks_nothing_any_more(world: World) -> None:
    """The text is given back beside it."""
    thread, _, _ = await in_doubt(world)
    thread.new_messages()

    await world.alice.replies(thread, "!detach")
    await world.passes(seconds=5)

    assert buttons_left(thread) == []
    assert NO_NEED.format("this thread leads to no task any more") in thread.all_messages()
    thread.new_messages()


async def test_what_a_pause_held_and_was_dropped_is_asked_about_no_more(world: World) -> None:
    """One press has decided on all of them."""
    thread, _, _ = await in_doubt(world)
    await world.alice.replies(thread, "!pause")
    await world.passes(seconds=3)
    thread.new_messages()

    await world.alice.clicks(thread, "Drop it")
    await world.passes(seconds=5)

    assert buttons_left(thread) == []
    assert NO_NEED.format("the reply was dropped") in thread.all_messages()
    thread.new_messages()


async def test_a_reply_whose_files_are_changed_is_asked_about_anew(world: World) -> None:
    """The older question was about other files."""
    thread, task = await a_busy_agent(world)
    task.becomes("idle")
    await world.sweeps()
    reply = await world.alice.replies(thread, "see this", (Attachment("a.png", b"\\x89PNG", "image/png"),))
    first = thread.new_messages()

    await world.alice.edits(thread, reply, "see that")
    await world.passes(seconds=5)

    assert [said.count("[Send without them]") for said in first] == [1]
    asked = [said for said in thread.all_messages() if "[Send without them]" in said]
    assert len(asked) == 1
    assert asked[0].count("see that") == 1
    await world.alice.clicks(thread, "Don't send")
    thread.new_messages()


async def test_a_reply_that_a_pause_holds_is_asked_about_no_more_once_it_is_edited(world: World) -> None:
    """What was asked about its files is no question about its new words."""
    thread, task = await a_busy_agent(world)
    task.becomes("idle")
    await world.sweeps()
    reply = await world.alice.replies(thread, "see this", (Attachment("a.png", b"\x89PNG", "image/png"),))
    await world.alice.replies(thread, "!pause")
    await world.passes(seconds=3)

    await world.alice.edits(thread, reply, "see that")
    await world.passes(seconds=5)

    said = thread.all_messages()
    assert [each for each in said if "[Send without them]" in each] == []
    assert NO_NEED.format("the reply was edited") in said
    thread.new_messages()


async def test_what_cannot_be_tried_again_offers_it_no_more(world: World) -> None:
    """Its author has deleted the reply that was not delivered."""
    thread, task = await a_busy_agent(world)
    reply = await world.alice.replies(thread, "use main")
    await world.passes(seconds=24 * 3600 + 31)
    thread.new_messages()

    await world.alice.deletes(thread, reply)
    await world.passes(seconds=5)

    assert buttons_left(thread) == []
    assert task.inputs == []
    assert NO_NEED.format("the reply was deleted") in thread.all_messages()
