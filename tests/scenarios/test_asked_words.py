"""The bot asks about a message with `!`, and its author edits it or sends it to the task in another way."""

import pytest

from taskwire_sandbox.slack import CallFault

from .people import Thread
from .waiting import a_busy_agent, a_waiting_agent, takes_all
from .world import World

# After this time a post of unknown outcome was looked for, and the jobs behind it have run.
LANDED_SECONDS = 60
DECIDED = "Somebody already decided this."


def question_in(thread: Thread) -> str:
    """Return the only question about the message that everybody sees, as it is shown now."""
    [shown] = [said for said in thread.all_messages() if "I don't know" in said or "Closed:" in said]
    return shown


@pytest.mark.parametrize("edit", ["please wait", None])
@pytest.mark.parametrize("is_busy", [False, True])
async def test_a_message_that_was_sent_to_its_task_is_not_sent_again_as_text(
    world: World, edit: str | None, *, is_busy: bool
) -> None:
    """The bot asks Alice about her message with `!`. She sends it with *Send to its task*, and then presses
    *Send as text* in the question, perhaps while the message waits. The agent gets the message once."""
    thread, task = await (a_busy_agent(world) if is_busy else a_waiting_agent(world))
    message = await world.alice.replies(thread, "!please wait" if edit else "!deploy")
    await world.passes(seconds=5)
    if edit:
        await world.alice.edits(thread, message, edit)
        await world.passes(seconds=5)
    await world.slack.message_shortcut(world.alice.id, "general", message, "send_to_task")
    await world.settles()
    await world.passes(seconds=5)

    await world.alice.presses("Send as text")
    await world.passes(seconds=5)
    told = world.alice.reads()[-1]
    await takes_all(world, task)
    await world.passes(seconds=31)

    assert task.inputs == [edit or "!deploy"]
    assert told == DECIDED
    assert thread.receipt(message) == ["white_check_mark"]
    world.alice.reads(), thread.new_messages()


async def test_the_question_for_everybody_is_closed_by_the_shortcut(world: World) -> None:
    """The bot asks everybody about Alice's message with `!`. She sends it with *Send to its task*. The
    question loses its buttons."""
    thread, task = await a_waiting_agent(world)
    message = await world.alice.replies(thread, "!please wait")
    await world.passes(seconds=5)
    await world.slack.message_shortcut(world.alice.id, "general", message, "send_to_task")
    await world.settles()
    await world.passes(seconds=5)

    assert task.inputs == ["!please wait"]
    assert question_in(thread) == "Closed: somebody decided.\n> !please wait"
    world.alice.reads(), thread.new_messages()


@pytest.mark.parametrize("edit", ["!please delete it", "!deploy", "please wait"])
async def test_a_question_whose_post_had_no_answer_shows_the_words_of_an_edit(
    world: World, edit: str
) -> None:
    """Slack's answer to the question about Alice's message is lost, and the bot cannot look for the question
    at once. She edits the message meanwhile. The question then shows the new words. If only she is asked
    about them, the question for everybody is closed."""
    thread, _ = await a_waiting_agent(world)
    world.slack.faults.add("chat.postMessage", CallFault.DONE_THEN_CUT)
    unread = world.slack.faults.add("conversations.replies", CallFault.SERVER_ERROR, times=None)
    message = await world.alice.replies(thread, "!please wait")
    await world.until(lambda: unread.hits, "the bot looks for the question")
    await world.alice.edits(thread, message, edit)
    unread.times = 0
    for _ in range(3):
        await world.passes(LANDED_SECONDS)

    shown, asked = question_in(thread), world.alice.reads()
    if edit == "!please delete it":
        assert shown == f"I don't know `!please`.\n> {edit}\n[Help] [Send as text]"
    else:
        assert shown.startswith("Closed: the reply was edited.")
        assert asked
        assert all("[Send as text]" in each for each in asked)
    thread.new_messages()


async def test_an_edit_that_is_taken_back_while_slack_is_silent_is_shown(world: World) -> None:
    """Alice edits her message, Slack shows the new words in the question and does not answer, and she takes
    the edit back. The question shows the words that would be sent."""
    thread, _ = await a_waiting_agent(world)
    message = await world.alice.replies(thread, "!please wait")
    await world.passes(seconds=5)
    lost = world.slack.faults.add("chat.update", CallFault.DONE_THEN_CUT)
    await world.alice.edits(thread, message, "!please delete it")
    await world.until(lambda: lost.hits, "the question is edited")
    await world.alice.edits(thread, message, "!please wait")
    await world.passes(LANDED_SECONDS)

    assert question_in(thread) == "I don't know `!please`.\n> !please wait\n[Help] [Send as text]"
    world.alice.reads(), thread.new_messages()


async def test_a_button_of_the_question_before_an_edit_says_that_the_newer_one_counts(world: World) -> None:
    """Alice edits her mistyped command into text, and then presses *Stop it* in the first question. The task
    goes on, and she is told which question counts."""
    thread, task = await a_waiting_agent(world)
    message = await world.alice.replies(thread, "!pasue")
    await world.passes(seconds=5)
    await world.alice.edits(thread, message, "pause it please")
    await world.passes(seconds=5)

    await world.alice.presses("Stop it")
    await world.passes(seconds=5)
    told = world.alice.reads()[-1]
    await world.alice.presses("Send as text")
    await world.passes(seconds=5)

    assert told == "You edited this message. My newer question counts."
    assert (task.inputs, task.status) == (["pause it please"], "active")
    world.alice.reads(), thread.new_messages()


@pytest.mark.parametrize("new", ["!important: push to main now", "!deploy", "push to main now"])
@pytest.mark.parametrize("is_held", [False, True], ids=["busy agent", "paused task"])
async def test_words_that_the_owner_has_sent_are_not_changed_by_their_author(
    world: World, new: str, *, is_held: bool
) -> None:
    """Bob, who may not steer, writes a message with `!`. Alice sends it with *Send to its task*, and it
    waits. Bob edits it, to other words with `!` or to words without. The agent gets what Alice has read. The
    thread says that the new words are not sent."""
    thread, task = await a_busy_agent(world)
    message = await world.bob.replies(thread, "!important: use the branch")
    await world.passes(seconds=5)
    await world.slack.message_shortcut(world.alice.id, "general", message, "send_to_task")
    await world.settles()
    await world.passes(seconds=5)
    if is_held:
        await world.alice.clicks(thread, "Stop")
        await world.polls(times=2)
        await world.passes(seconds=5)
    thread.new_messages()

    await world.bob.edits(thread, message, new)
    await world.passes(seconds=5)
    said = thread.new_messages()
    if is_held:
        await world.alice.clicks(thread, "Resume")
        await world.polls(times=2)
    await takes_all(world, task)
    await world.passes(seconds=60)

    assert task.inputs == ["Bob wrote:\n> !important: use the branch"]
    assert said == [f"The agent gets Bob's old text. This new one is not sent:\n> {new}"]
    world.alice.reads(), world.bob.reads(), thread.new_messages(), world.cards()
