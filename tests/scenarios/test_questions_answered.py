"""A question with buttons says what a person pressed and, later, what happened after that."""

from collections.abc import Awaitable, Callable

import pytest

from taskwire_sandbox.coder import SandboxTask
from taskwire_sandbox.coder.faults import server_error
from taskwire_sandbox.slack import Attachment, CallFault

from .people import Thread
from .reading import shown
from .test_held_replies import held
from .waiting import a_busy_agent, a_waiting_agent, comes_up, takes_all
from .world import World

PICTURE = Attachment("plan.png", b"\x89PNG", "image/png")
NOTES = Attachment("notes.md", b"see line 7", "text/markdown")
REFUSED = server_error("Only http scheme is supported.", 400)
ACTING = ("[Resume]", "[Edit prompt]", "[Retry]", "[Resume and send]", "[Drop", "[Try again]", "[Send")


def said(world: World, thread: Thread) -> list[str]:
    """Return the bot's messages in a thread, each with the text that it has now."""
    messages = world.slack.thread(thread.channel, thread.ts)[1:]
    return [shown(message) for message in messages if message.get("bot_id")]


def offers(thread: Thread) -> list[str]:
    """Return the messages of a thread that have buttons which change something. A button that opens a page or
    shows a log does not count."""
    return [each for each in thread.all_messages() if any(label in each for label in ACTING)]


async def three_let_go(world: World) -> tuple[Thread, SandboxTask]:
    """Let three replies wait a day for a busy agent, until the bot gives them up. Return the thread and the
    task."""
    thread, task = await a_busy_agent(world)
    for text in ("first", "second", "third"):
        await world.alice.replies(thread, text)
    await world.passes(seconds=24 * 3600 + 31)
    thread.new_messages()
    return thread, task


async def presses_resume(world: World, thread: Thread) -> None:
    await world.alice.clicks(thread, "Resume")


async def writes_resume(world: World, thread: Thread) -> None:
    await world.alice.replies(thread, "!resume")


async def types_resume(world: World, thread: Thread) -> None:
    assert thread.ts
    await world.alice.types(f"/task resume {world.task('fix-the-login').name}")


async def resumes_in_coder(world: World, thread: Thread) -> None:
    world.task("fix-the-login").resume()
    await world.polls()
    await world.alice.replies(thread, "!resume")


@pytest.mark.parametrize("resumes", [presses_resume, writes_resume, types_resume, resumes_in_coder])
async def test_however_a_task_is_resumed_nothing_asks_for_it_any_more(
    world: World, resumes: Callable[[World, Thread], Awaitable[None]]
) -> None:
    """A task with held replies is resumed in any way. The question about these replies loses its buttons."""
    thread, _ = await held(world, "first", "second")
    await world.polls()
    await world.passes(seconds=5)
    assert len(offers(thread)) == 1

    await resumes(world, thread)
    await world.passes(seconds=3)

    assert offers(thread) == []
    await comes_up(world)
    await comes_up(world)
    sent = "Resumed. The agent gets the waiting replies."
    line = sent if resumes is resumes_in_coder else "Paused and resumed by Alice."
    assert said(world, thread)[0] == line
    assert world.task("fix-the-login").inputs == ["first", "second"]
    await world.passes(seconds=30)
    thread.new_messages()
    world.alice.reads()


async def test_a_reply_that_resumes_the_task_settles_the_same(world: World) -> None:
    """Another reply resumes the task. The question about the held replies loses its buttons."""
    thread, _ = await held(world, "first")
    await world.polls()
    await world.passes(seconds=5)

    await world.alice.replies(thread, "second")
    await world.passes(seconds=3)

    assert offers(thread) == []
    await comes_up(world)
    await comes_up(world)
    assert world.task("fix-the-login").inputs == ["first", "second"]
    await world.passes(seconds=30)
    thread.new_messages()


async def test_the_person_who_restarted_a_workspace_is_named_although_it_already_runs(
    world: World,
) -> None:
    """Alice presses *Resume*, and the workspace already runs when the bot edits the notice of the pause. The
    notice still says that Alice started the workspace again."""
    thread, task = await a_waiting_agent(world)
    reply = await world.alice.replies(thread, "use main")
    task.pause()
    await world.polls()
    world.slack.faults.add("chat.postMessage", CallFault.SERVER_ERROR)
    await world.alice.edits(thread, reply, "use dev")

    await world.alice.clicks(thread, "Resume")
    await world.polls()
    await world.passes(seconds=90)
    await world.polls()
    await world.passes(seconds=5)

    assert (task.status, said(world, thread)[0]) == (
        "active",
        "Paused: Fix the login. The workspace was stopped in Coder. Retried by Alice.",
    )
    thread.new_messages()
    world.alice.reads()


async def test_resume_and_send_that_is_refused_leaves_the_question_open(world: World) -> None:
    """Coder refuses a resume after *Resume and send*. The question keeps its buttons, so that the person can
    press again."""
    thread, _ = await held(world, "first")
    question = thread.new_messages()
    world.coder.plan_fault("tasks.resume", server_error("No capacity.", 400))

    await world.alice.clicks(thread, "Resume and send")
    refused, left = world.alice.reads(), thread.all_messages()
    await world.alice.clicks(thread, "Resume and send")
    await world.passes(seconds=3)

    assert refused == ["I could not resume *Fix the login*. Coder said: No capacity."]
    assert question[0] in left
    assert "Resumed. The agent gets the waiting replies." in thread.all_messages()
    await comes_up(world)
    thread.new_messages()
    world.alice.reads()


async def test_what_a_pause_held_is_asked_about_no_more_when_its_authors_take_it_back(world: World) -> None:
    """The authors delete their held replies. The question about these replies loses its buttons."""
    thread, (first, second) = await held(world, "first", "second")

    await world.alice.deletes(thread, first)
    meanwhile = offers(thread)
    await world.alice.deletes(thread, second)

    assert len(meanwhile) == 1
    assert offers(thread) == []
    assert "Closed: nothing waits any more." in thread.all_messages()
    thread.new_messages()


async def test_a_second_question_about_what_a_pause_holds_takes_the_place_of_the_first(world: World) -> None:
    """After a second pause, the bot asks again about held replies. The first question loses its buttons."""
    thread, _ = await held(world, "first", "second")

    await world.alice.replies(thread, "!pause")
    await world.passes(seconds=3)

    assert len(offers(thread)) == 1
    assert said(world, thread)[0] == "I asked again below."
    await world.alice.clicks(thread, "Drop them")
    thread.new_messages()


async def test_sent_again_is_said_when_the_agent_has_it(world: World) -> None:
    """A person presses *Try again*. The bot's message first says that the bot sends the reply. It says *Sent
    again* only when the agent has it."""
    thread, task = await a_waiting_agent(world)
    world.coder.plan_fault("tasks.send", REFUSED)
    await world.alice.replies(thread, "use main")
    task.becomes("working")
    await world.polls()
    thread.new_messages()

    await world.alice.clicks(thread, "Try again")
    meanwhile = said(world, thread)
    await takes_all(world, task)
    await world.passes(seconds=31)

    assert meanwhile == [
        ("Sending it again.\n> use main"),
    ]
    assert said(world, thread)[0] == "Sent again.\n> use main"
    assert task.inputs == ["use main"]
    thread.new_messages()


async def test_sent_again_is_not_said_of_what_was_refused_again(world: World) -> None:
    """A person presses *Try again*, and Coder refuses the reply again. The first message says that it was not
    sent, and a new message has *Try again*."""
    thread, _ = await a_waiting_agent(world)
    world.coder.plan_fault("tasks.send", REFUSED, times=2)
    await world.alice.replies(thread, "use main")

    await world.alice.clicks(thread, "Try again")
    await world.passes(seconds=3)

    first, second = said(world, thread)
    assert first == ("Tried again, but not sent. The reason is below.\n> use main")
    assert second == (
        "This reply was not delivered. Coder said: Only http scheme is supported.\n> use main\n[Try again]"
    )
    thread.new_messages()


async def test_what_was_left_out_is_named(world: World) -> None:
    """A reply has a picture. After *Send without them*, the bot says that the picture was left out."""
    thread, task = await a_waiting_agent(world)
    await world.alice.replies(thread, "look", (PICTURE, NOTES))
    asked = thread.new_messages()

    await world.alice.clicks(thread, "Send without them")
    await world.passes(seconds=3)

    assert asked == [
        "The agent can get only text files of up to 100 kB, so not this file: `plan.png`. Send the reply "
        "without it? Later replies wait.\n"
        "> look\n"
        "[Send without them] [Don't send]"
    ]
    assert said(world, thread) == ["Sent without `plan.png`.\n> look"]
    assert task.inputs == ["look\n\nnotes.md:\n```\nsee line 7\n```"]


async def test_several_replies_are_sent_again_when_the_last_has_arrived(world: World) -> None:
    """A person presses *Try again* for several replies. The bot sends them in order. After the last reply,
    the question says that all were sent."""
    thread, task = await three_let_go(world)

    await world.alice.clicks(thread, "Try again")
    [meanwhile] = [each for each in said(world, thread) if "> first" in each]
    await takes_all(world, task)
    for _ in range(3):
        await world.passes(seconds=31)

    assert meanwhile.startswith("Sending all 3 again.")
    [after] = [each for each in said(world, thread) if "> first" in each]
    assert after.startswith("Sent all 3 again.")
    assert task.inputs == ["first", "second", "third"]
    thread.new_messages()


async def test_of_several_replies_that_are_sent_again_one_may_be_refused(world: World) -> None:
    """A person presses *Try again* for three replies, and Coder refuses one of them. The bot's message then
    says "2 of 3". A new message offers *Try again* for the refused reply."""
    thread, task = await three_let_go(world)

    world.coder.plan_fault("tasks.send", REFUSED)
    await world.alice.clicks(thread, "Try again")
    await takes_all(world, task)
    for _ in range(3):
        await world.passes(seconds=31)
    [together, alone] = [each for each in said(world, thread) if "> first" in each]
    await world.alice.clicks(thread, "Try again")
    await world.passes(seconds=31)

    assert together.startswith("Sent 2 of 3. The reactions show which.\n> first")
    assert alone == (
        "This reply was not delivered. Coder said: Only http scheme is supported.\n> first\n[Try again]"
    )
    assert "Sent again.\n> first" in said(world, thread)
    assert task.inputs == ["second", "third", "first"]
    thread.new_messages()


async def test_replies_that_are_dropped_on_their_way_are_not_called_sent(world: World) -> None:
    """*Try again* sends three replies, and the agent gets the first. Alice then pauses the task and drops the
    other two. The bot's message says "Sent 1 of 3"."""
    thread, task = await three_let_go(world)
    await world.alice.clicks(thread, "Try again")
    task.becomes("idle")
    await world.polls()
    await world.passes(seconds=31)

    await world.alice.replies(thread, "!pause")
    await world.passes(seconds=3)
    await world.alice.clicks(thread, "Drop them")
    await world.passes(seconds=3)

    [together] = [each for each in said(world, thread) if "> first" in each]
    assert together.startswith("Sent 1 of 3. The reactions show which.\n> first")
    assert task.inputs == ["first"]
    await world.polls()
    thread.new_messages()


async def test_a_newer_reply_that_cannot_resume_the_task_has_not_resumed_it(world: World) -> None:
    """A person replies to a paused task with a held reply, and Coder refuses to resume the task. A message of
    the bot says that both replies were not delivered, and has *Try again*."""
    thread, _ = await held(world, "first")
    thread.new_messages()
    world.coder.plan_fault("tasks.resume", server_error("No capacity.", 400))

    await world.alice.replies(thread, "second")
    await world.passes(seconds=3)

    assert [each for each in thread.all_messages() if each not in ("first", "second", "!pause")] == [
        "The agent gets the waiting replies, then the new reply.",
        "These 2 replies were not delivered: I could not resume the task. Coder said: No capacity.\n"
        "> first\n"
        "> second\n"
        "[Try again]",
    ]
    assert world.task("fix-the-login").inputs == []
    await world.polls()
    thread.new_messages()


async def test_a_reply_that_goes_as_it_is_says_so_once_it_has_gone(world: World) -> None:
    """Alice presses *Send as text*. The question says "Sent" only after the agent has the reply."""
    thread, task = await a_busy_agent(world)
    await world.alice.replies(thread, "!make test")
    thread.new_messages()

    await world.alice.clicks(thread, "Send as text")
    meanwhile = said(world, thread)
    await takes_all(world, task)
    await world.passes(seconds=31)

    assert meanwhile == [("Sending it as text.\n> !make test")]
    assert said(world, thread)[0] == "Sent as text.\n> !make test"
    assert task.inputs == ["!make test"]
    thread.new_messages()


async def test_a_verb_that_was_none_is_asked_about_no_more_when_its_message_is_deleted(world: World) -> None:
    """The author deletes a message with a mistyped verb. The bot deletes its question about that verb."""
    thread, _ = await a_waiting_agent(world)
    slip = await world.alice.replies(thread, "!stauts please")

    await world.alice.deletes(thread, slip)
    await world.passes(seconds=3)

    assert offers(thread) == []
    thread.new_messages()


@pytest.mark.parametrize("verb", ["!delete", "!edit"])
async def test_a_button_that_opens_a_dialog_goes_with_the_task(world: World, verb: str) -> None:
    """A thread has messages with buttons, and its task is deleted. All these messages lose their buttons and
    say that the thread has no task any more."""
    thread, task = await a_waiting_agent(world)
    await world.alice.replies(thread, verb)
    await world.alice.replies(thread, "!make test")

    task.delete()
    await world.polls(times=3)
    await world.passes(seconds=5)

    ended = "Closed: this thread has no task any more"
    assert said(world, thread)[0] == f"{ended}."
    assert said(world, thread)[1] == f"{ended}, and this reply was not sent.\n> !make test"
    assert offers(thread) == []
    thread.new_messages()


async def test_the_button_for_a_new_prompt_goes_when_there_is_one(world: World) -> None:
    """A message offers the dialog for a new prompt. A person changes the prompt by `!edit` instead, and the
    message loses its button."""
    thread, task = await a_waiting_agent(world)
    task.pause()
    await world.polls()
    await world.alice.replies(thread, "!edit")
    thread.new_messages()

    await world.alice.replies(thread, "!edit fix the logout")
    await world.passes(seconds=3)

    assert said(world, thread)[-1] == "The prompt was edited."
    assert world.alice.reads() == [
        "*Fix the login* has a new prompt. The agent reads it when the task is resumed."
    ]


async def test_a_workspace_that_is_broken_is_retried_and_gets_what_could_not_be_sent(world: World) -> None:
    """A workspace is broken, and a reply could not be sent. One press restarts the workspace and sends the
    reply. The notice and the question both say what happened."""
    thread, task = await a_waiting_agent(world)
    task.build_fails()
    await world.polls()
    await world.passes(seconds=301)
    thread.new_messages()
    await world.alice.replies(thread, "use main")
    asked = thread.new_messages()

    await world.alice.clicks(thread, "Retry and send")
    for _ in range(4):
        await world.passes(seconds=5)
        await world.polls()

    assert asked == ["This reply was not delivered: the workspace is broken.\n> use main\n[Retry and send]"]
    assert offers(thread) == []
    assert "Sent again.\n> use main" in thread.all_messages()
    assert task.inputs == ["use main"]
    thread.new_messages()
    world.alice.reads()


async def test_private_questions_lose_their_buttons_too(world: World) -> None:
    """A person presses a button of a private question. The answer replaces the question, so no button is
    left."""
    thread = await world.alice.runs("/task create fix it")
    await world.passes(seconds=3)
    await world.alice.types("/task create fix it")
    another = world.alice.reads()
    await world.alice.presses("Create another")
    created = world.alice.sees()
    task = min(world.coder.tasks, key=lambda each: each.row.created_at)
    await world.alice.types(f"/task edit {task.name} fix that instead")
    edit = world.alice.reads()
    await world.alice.presses("Stop and edit")
    await world.passes(seconds=4)

    assert another[0].endswith("[Create another]")
    assert created == ("Creating another one.\n> fix it")
    assert edit[0].endswith("[Stop and edit]")
    assert world.alice.sees() == ("*Fix it* has a new prompt. The agent reads it when the task is resumed.")
    assert world.alice.reads() == []
    assert len(world.cards()) == 1
    await world.polls()
    await world.passes(seconds=5)
    assert len(thread.new_messages()) == 1


async def test_a_person_who_waits_behind_an_edit_is_told_where_they_asked(world: World) -> None:
    """Alice's edit of the prompt waits because Coder fails, and Bob's request waits behind it. The bot says
    that both must wait: to Alice, by replacing its question to her; to Bob, in a private message."""
    await world.restarts(admins=(world.bob.id,))
    thread, task = await a_waiting_agent(world)
    await world.alice.types(f"/task edit {task.name} fix that instead")
    world.alice.reads()
    world.coder.plan_fault("*", server_error(), times=None)
    await world.alice.presses("Stop and edit")
    await world.bob.clicks(thread, "Mute")
    await world.passes(seconds=2)
    await world.passes(seconds=4)
    waits = (
        "Coder is not answering, so {} *Fix the login* has to wait. I'll try for an hour; no need to "
        "repeat it."
    )
    by_bob, by_alice, in_place = world.bob.reads(), world.alice.reads(), world.alice.sees()

    world.coder.clear_faults()
    for _ in range(3):
        await world.passes(seconds=16)

    assert by_bob == [waits.format("muting")]
    assert (by_alice, in_place) == ([], waits.format("editing the prompt of"))
    assert world.alice.sees().startswith("*Fix the login* has a new prompt.")
    assert [each.partition(" (")[0] for each in world.alice.hears()] == ["Bob muted *Fix that instead*"]
    world.bob.reads()
    thread.new_messages()


async def test_an_edit_that_is_refused_takes_the_buttons_from_its_question(world: World) -> None:
    """A person presses *Stop and edit* so late that the bot no longer has the new prompt. "This button
    has expired" replaces the question."""
    thread, task = await a_waiting_agent(world)
    await world.alice.types(f"/task edit {task.name} fix that instead")
    world.alice.reads()
    await world.forgets()

    await world.alice.presses("Stop and edit")
    await world.passes(seconds=4)

    assert world.alice.sees() == "This button is too old. Write your request again."
    assert world.alice.reads() == []
    await world.polls()
    thread.new_messages()


async def test_a_press_on_what_is_no_longer_known_is_said_where_it_was_pressed(world: World) -> None:
    """A reply was not delivered, and the bot no longer has its text. After a press of *Try again*, the bot's
    message says this and has no button."""
    thread, _ = await a_waiting_agent(world)
    world.coder.plan_fault("tasks.send", REFUSED)
    await world.alice.replies(thread, "use main")
    thread.new_messages()
    await world.forgets()

    await world.alice.clicks(thread, "Try again")

    assert said(world, thread) == [
        "Too old: I no longer have the text. Write it again if you still want to send it.\n> use main"
    ]
