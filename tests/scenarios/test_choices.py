"""An agent offers choices at the end of its answer. Each choice is a button that sends the choice as a
person's reply."""

import asyncio

import pytest

from taskwire_sandbox.coder import SandboxTask
from taskwire_sandbox.slack import CallFault

from .people import Thread
from .running_tasks import TITLE, a_task
from .world import CARD_SECONDS, World

ASKED = """\
⏺ Both branches have the bug.

  Which one shall I mend?

  1. main, where *all* work goes
  2. release-2
"""


OFFERED = (
    "The agent did not get your choice: you can't steer this task.\n> 2. release-2\n[Ask Alice to pass it on]"
)


async def an_asking_agent(world: World) -> tuple[Thread, SandboxTask]:
    """Let an agent ask which of two branches to mend, and wait until the question is posted. Return the
    thread and the task."""
    thread, task = await a_task(world)
    task.says(ASKED)
    task.becomes("idle", "Which branch?")
    await world.polls()
    await world.passes(seconds=20)
    return thread, task


def notice(world: World, became: str, buttons: str = "") -> str:
    return "\n".join(
        [
            f"<@{world.alice.id}> Which one shall I mend?",
            f"Needs you: {TITLE}. {became}",
            "Both branches have the bug.",
            "1. main, where all work goes",
            "2. release-2",
            *([buttons] if buttons else []),
        ]
    )


async def test_a_choice_is_pressed_and_sent_as_the_persons_reply(world: World) -> None:
    """A person presses a choice. The bot posts the choice in the thread, with the person's name and a
    receipt. The notice loses its buttons."""
    thread, task = await an_asking_agent(world)
    offered = thread.new_messages()

    await world.alice.clicks(thread, "2. release-2")
    await world.passes(seconds=3)

    assert offered == [
        notice(world, "Choose, or reply here.", "[1. main, where all work goes] [2. release-2]")
    ]
    assert task.inputs == ["2. release-2"]
    assert thread.new_messages() == ["Alice chose: 2. release-2\n> 2. release-2"]
    words = thread.last_message()
    assert thread.receipt(words) == ["white_check_mark"]
    assert thread.all_messages()[0] == notice(world, "Answered by Alice.")
    assert world.alice.reads() == []


async def test_the_dialog_of_answer_offers_the_choices_too(world: World) -> None:
    """Alice chooses in the dialog of *Answer* and adds a sentence. The agent gets both in one input, first
    the choice and then the sentence."""
    thread, task = await an_asking_agent(world)
    thread.new_messages()
    await world.alice.opens_home()
    await world.alice.presses_in_home("Answer")
    dialog = world.alice.dialog()

    empty = await world.alice.submits(prompt=" ")
    await world.alice.submits(choice="1", prompt="!important: only the hotfix")
    await world.passes(seconds=3)

    words = "2. release-2\n!important: only the hotfix"
    assert dialog == (
        "[Answer]\n"
        f"{TITLE}\n"
        "Which one shall I mend?\n"
        "Both branches have the bug.\n"
        "Choose: ( ) 1. main, where all work goes ( ) 2. release-2\n"
        "Your reply: \n"
        "[Send]"
    )
    assert empty == {"form.prompt": "Choose one, or write your reply."}
    assert task.inputs == [words]
    assert thread.new_messages() == [
        "Alice chose: 2. release-2 !important: only the hotfix\n> 2. release-2\n> !important: only the hotfix"
    ]
    assert thread.all_messages()[0] == notice(world, "Answered by Alice.")
    assert world.alice.home().startswith(
        f"Posted in the thread of *{TITLE}*. The reaction there shows when the agent has it.\n"
    )


async def test_a_choice_in_the_dialog_may_be_too_late(world: World) -> None:
    """Alice opens the dialog of *Answer*. Before she submits it, somebody presses a choice. The agent gets
    only that choice. The bot tells Alice that the question was answered, and shows her the text that she
    wrote."""
    thread, task = await an_asking_agent(world)
    await world.passes(CARD_SECONDS)
    await world.alice.clicks(thread, "Answer")

    await world.alice.clicks(thread, "2. release-2")
    await world.alice.submits(choice="0", prompt="all of it")
    await world.passes(seconds=3)

    assert task.inputs == ["2. release-2"]
    assert thread.all_messages()[0] == notice(world, "Answered by Alice.")
    assert world.alice.reads() == ["This was already answered, so your reply was not sent:\n| all of it"]
    assert len(thread.new_messages()) == 2


async def test_a_long_choice_has_a_short_button_and_is_sent_whole(world: World) -> None:
    """A choice is longer than one line of a phone, so the label of its button is cut. The agent's answer, the
    notice and the thread show the whole choice."""
    keep = "Keep the old column and copy each value in the background while the site is up"
    drop = "Drop the old column at once and accept two minutes of downtime on Saturday night"
    thread, task = await a_task(world)
    task.says(f"⏺ Which one do you prefer?\n\n  1. {keep}\n  2. {drop}\n")
    task.becomes("idle", "Which one?")
    await world.polls()
    await world.passes(seconds=20)
    offered = thread.new_messages()

    await world.alice.clicks(thread, "2. Drop the old column at once…")
    await world.passes(seconds=3)

    asked = f"<@{world.alice.id}> Which one do you prefer?\nNeeds you: {TITLE}."
    assert offered == [
        f"{asked} Choose, or reply here.\n1. {keep}\n2. {drop}\n"
        "[1. Keep the old column and copy…] [2. Drop the old column at once…]"
    ]
    assert task.inputs == [f"2. {drop}"]
    assert thread.all_messages()[0] == f"{asked} Answered by Alice.\n1. {keep}\n2. {drop}"
    assert thread.new_messages() == [f"Alice chose: 2. {drop}\n> 2. {drop}"]


async def test_the_first_of_two_presses_counts(world: World) -> None:
    """Alice presses two choices of one question at the same time. The agent gets the choice of the first
    press. The second press is answered with a note that the question was already answered."""
    await world.restarts(admins=(world.bob.id,))
    thread, task = await an_asking_agent(world)
    thread.new_messages()

    await world.alice.clicks_at_once(thread, "1. main, where all work goes", "2. release-2")
    await world.passes(seconds=3)

    assert len(task.inputs) == 1
    assert len(thread.new_messages()) == 1
    assert world.alice.reads() == ["This was already answered."]


async def test_a_choice_is_pressed_while_its_question_is_being_posted(world: World) -> None:
    """Slack shows a question before the bot gets Slack's answer to the post. In this time, Alice presses two
    choices. Only the first press counts."""
    thread, task = await an_asking_agent(world)
    await world.alice.clicks(thread, "1. main, where all work goes")
    await world.passes(seconds=3)
    thread.new_messages()
    task.becomes("working", "Mending main")
    await world.polls()
    task.says(ASKED)
    task.becomes("idle", "Which branch now?")
    await world.polls()
    late = world.slack.faults.add("chat.postMessage", CallFault.DONE_THEN_LATE, seconds=1.5)
    passing = asyncio.create_task(world.passes(seconds=20))
    await world.until(lambda: late.hits, "the question is posted")

    await world.alice.clicks_at_once(thread, "2. release-2", "1. main, where all work goes")
    await passing
    await world.passes(seconds=3)

    assert len(task.inputs) == 2
    question, words = thread.new_messages()
    chosen = task.inputs[1]
    assert question.splitlines()[1] == f"Needs you: {TITLE}. Answered by Alice."
    assert words == f"Alice chose: {chosen}\n> {chosen}"
    assert world.alice.reads() == ["This was already answered."]


async def test_a_reply_answers_as_well_as_a_button(world: World) -> None:
    """A person answers the question by a reply. The notice then loses its buttons."""
    thread, task = await an_asking_agent(world)
    thread.new_messages()

    await world.alice.replies(thread, "both of them")
    await world.passes(seconds=3)

    assert task.inputs == ["both of them"]
    assert thread.all_messages()[0] == notice(world, "Answered by Alice.")


async def test_a_person_who_may_not_steer_cannot_choose(world: World) -> None:
    """Bob may not steer, and the bot refuses his press of a choice. Then Alice chooses. When Bob asks Alice
    to pass his choice on, the bot tells him that the question is already answered."""
    thread, task = await an_asking_agent(world)
    thread.new_messages()

    await world.bob.clicks(thread, "2. release-2")
    refused = world.bob.reads()
    await world.alice.clicks(thread, "1. main, where all work goes")
    await world.passes(seconds=3)

    await world.bob.presses("Ask Alice to pass it on")

    assert refused == [OFFERED]
    assert world.bob.sees() == "This was already answered."
    assert task.inputs == ["1. main, where all work goes"]
    words = "1. main, where all work goes"
    assert thread.new_messages() == [f"Alice chose: {words}\n> {words}"]


async def test_the_owner_passes_a_teammates_choice_on(world: World) -> None:
    """Bob may not steer, and asks the owner, Alice, to pass his choice on. Alice does so. The agent gets the
    choice once, with Bob's name, and the question closes."""
    thread, task = await an_asking_agent(world)
    thread.new_messages()

    await world.bob.clicks(thread, "2. release-2")
    offered = world.bob.reads()
    await world.bob.presses("Ask Alice to pass it on")
    asked, was_asked = world.alice.reads(), world.bob.sees()
    await world.bob.clicks(thread, "2. release-2")
    again, open_still = world.bob.reads(), thread.all_messages()[0]
    await world.alice.presses("Pass it on")
    await world.passes(seconds=3)

    assert (offered, was_asked, again) == ([OFFERED], "Alice was asked to pass it on.", [was_asked])
    assert asked == [
        f"Bob asks you to pass this on to the agent of *{TITLE}*:\n> 2. release-2\n"
        "[Pass it on] [Always let Bob steer this] [Not now]"
    ]
    assert open_still == notice(
        world, "Choose, or reply here.", "[1. main, where all work goes] [2. release-2]"
    )
    assert world.alice.sees() == "Passed on. The reaction in the thread shows when the agent has it."
    assert task.inputs == ["Bob wrote:\n> 2. release-2"]
    assert thread.all_messages()[0] == notice(world, "Answered by Bob, passed on by Alice.")
    assert thread.new_messages() == ["Bob chose: 2. release-2\n> 2. release-2"]
    assert thread.receipt(thread.last_message()) == ["white_check_mark"]


async def test_a_reply_that_is_passed_on_answers_in_its_authors_name(world: World) -> None:
    """Bob may not steer, and Alice passes his reply on. The question names Bob, whose words answered it."""
    thread, task = await an_asking_agent(world)
    thread.new_messages()

    await world.bob.replies(thread, "both of them")
    world.bob.reads()
    await world.bob.presses("Ask Alice to pass it on")
    world.alice.reads()
    await world.alice.presses("Pass it on")
    await world.passes(seconds=3)

    assert task.inputs == ["Bob wrote:\n> both of them"]
    assert thread.all_messages()[0] == notice(world, "Answered by Bob.")


async def test_choices_close_when_the_agent_goes_on_by_itself(world: World) -> None:
    """An agent that asked a question works again without an answer. The notice of the question says that, and
    loses its buttons."""
    thread, task = await an_asking_agent(world)
    thread.new_messages()

    task.becomes("working", "Mending main")
    await world.polls()
    await world.passes(seconds=3)

    assert thread.all_messages() == [notice(world, "The agent went on without an answer.")]


async def test_a_newer_question_closes_the_one_above(world: World) -> None:
    """An agent asks a second question. The choices of the first question can no longer be pressed."""
    thread, task = await an_asking_agent(world)
    thread.new_messages()
    old = thread.button("2. release-2")

    task.says("\n⏺ Or which test?\n\n  1. fast\n  2. slow")
    task.becomes("complete", "Which test?")
    await world.polls()
    await world.passes(seconds=3)
    await world.alice.presses_made_up(old[1], old[2])

    assert thread.all_messages() == [
        notice(world, "I asked again below."),
        f"<@{world.alice.id}> Or which test?\nDone: {TITLE}. Choose, or reply here.\n1. fast\n2. slow\n"
        "[1. fast] [2. slow]",
    ]
    assert world.alice.reads() == ["This was already answered."]
    assert task.inputs == []
    thread.new_messages()


async def test_a_thread_without_its_task_offers_nothing_any_more(world: World) -> None:
    """A task with an open question is deleted. The notice of the question loses its buttons."""
    thread, task = await an_asking_agent(world)

    task.delete()
    await world.polls(times=3)
    await world.passes(seconds=5)

    assert thread.all_messages()[0] == notice(world, "Closed: this thread has no task any more.")
    thread.new_messages()


async def test_the_choice_of_a_paused_task_resumes_it(world: World) -> None:
    """A person presses a choice while the task is paused. The task resumes, and the agent gets the choice."""
    thread, task = await an_asking_agent(world)
    task.pause()
    await world.polls()
    thread.new_messages()

    await world.alice.clicks(thread, "2. release-2")
    for _ in range(6):
        await world.passes(seconds=10)
        await world.polls()

    assert task.inputs == ["2. release-2"]
    thread.new_messages()


@pytest.mark.parametrize("value", ["1", "x", "0:99", ":", "0:-1"])
async def test_a_made_up_choice_is_no_choice(world: World, value: str) -> None:
    """An invented press of a choice sends nothing to the agent."""
    thread, task = await an_asking_agent(world)
    thread.new_messages()
    _, action, real = thread.button("2. release-2")

    await world.alice.presses_made_up(action, f"{real.partition(' ')[0]} {value}")

    assert world.alice.reads() == ["This was already answered."]
    assert task.inputs == []


async def test_the_choices_of_a_long_answer_are_offered(world: World) -> None:
    """An agent's answer is too long for one message. The notice shows the beginning of the answer and its
    choices. A file has the whole answer."""
    thread, task = await a_task(world)
    body = "\n\n".join(f"Module {number} is read, and nothing in it is wrong." for number in range(200))
    task.says(f"{body}\n\nWhich one shall I mend?\n\n1. main\n2. release-2")
    task.becomes("complete", "All read")
    await world.polls()
    await world.passes(seconds=10)

    told, file = thread.new_messages()
    lines = told.split("\n")
    assert lines[:3] == [
        f"<@{world.alice.id}> Which one shall I mend?",
        f"Done: {TITLE}. Choose, or reply here.",
        "Module 0 is read, and nothing in it is wrong.",
    ]
    assert lines[-3:] == ["1. main", "2. release-2", "[1. main] [2. release-2]"]
    assert file == f"(file {task.name}.md)"
