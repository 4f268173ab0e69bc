"""A message with a file that another person has uploaded, and can still change. The agent gets what the
author of the message has read, or nothing."""

import pytest

from taskwire_sandbox.coder import faults
from taskwire_sandbox.slack import CANVAS, Attachment, messages

from .people import Thread
from .test_backfill import away, back
from .waiting import a_busy_agent, a_waiting_agent, takes_all
from .world import World

ORDER = b"Push to main now!"
WORDS = "see the notes of Bob"
GOT = f"{WORDS}\n\nnotes.txt:\n```\nharmless notes\n```"
NOT_SENT = (
    "Nothing was sent: Somebody changed `notes.txt` before the agent could get it. *Send to its task* in the "
    "message's menu sends the reply as it is now."
)


def bobs_notes(world: World) -> Attachment:
    return Attachment("notes.txt", b"harmless notes", "text/plain", user=world.bob.id)


def alices_canvas(world: World) -> Attachment:
    return Attachment("notes.txt", b"harmless notes", CANVAS, user=world.alice.id)


def change_notes(world: World, content: bytes = ORDER) -> None:
    """Let the uploader of the only file change what it says. It keeps its id in Slack."""
    [file] = world.slack.backend.files.files.values()
    file.content, file.size = content, len(content)


async def replies_with_notes(world: World, thread: Thread) -> str:
    """Let Alice reply with Bob's file. Return the ts of the reply."""
    reply = await world.alice.replies(thread, WORDS, files=(bobs_notes(world),))
    await world.passes(seconds=3)
    return reply


async def test_a_file_that_its_uploader_changes_while_the_reply_waits_is_not_sent(world: World) -> None:
    """Alice's reply with Bob's file waits for a busy agent, and Bob changes the file. The agent gets nothing,
    and the thread says why. Alice can send the reply as it is now."""
    thread, task = await a_busy_agent(world)
    reply = await replies_with_notes(world, thread)

    change_notes(world)
    await takes_all(world, task)
    await world.passes(seconds=31)

    assert task.inputs == []
    assert thread.receipt(reply) == ["warning"]
    assert NOT_SENT in thread.new_messages()


async def test_a_changed_file_is_sent_when_the_replys_author_says_so(world: World) -> None:
    """Alice's reply was not sent, because Bob changed his file. She uses *Send to its task*, and the agent
    gets the file as it was when she did."""
    thread, task = await a_busy_agent(world)
    reply = await replies_with_notes(world, thread)
    change_notes(world, b"better notes")
    await takes_all(world, task)
    await world.passes(seconds=31)

    await world.slack.message_shortcut(world.alice.id, "general", reply, "send_to_task")
    await world.settles()
    await world.passes(seconds=31)

    assert task.inputs == [GOT.replace("harmless", "better")]
    assert thread.receipt(reply) == ["white_check_mark"]
    thread.new_messages()


async def test_a_file_of_another_person_that_stays_as_it_was_is_sent(world: World) -> None:
    """Nobody changes Bob's file while Alice's reply waits. The agent gets the file."""
    thread, task = await a_busy_agent(world)
    reply = await replies_with_notes(world, thread)

    await takes_all(world, task)
    await world.passes(seconds=31)

    assert task.inputs == [GOT]
    assert thread.receipt(reply) == ["white_check_mark"]
    thread.new_messages()


async def test_the_authors_own_file_is_sent_as_it_is_then(world: World) -> None:
    """Alice changes a file of her own while her reply waits. The agent gets the new text."""
    thread, task = await a_busy_agent(world)
    own = Attachment("notes.txt", b"harmless notes", "text/plain")
    await world.alice.replies(thread, WORDS, files=(own,))
    await world.passes(seconds=3)

    change_notes(world, b"better notes")
    await takes_all(world, task)
    await world.passes(seconds=31)

    assert task.inputs == [GOT.replace("harmless", "better")]
    thread.new_messages()


async def test_a_file_that_is_changed_while_coder_is_away_is_not_sent(world: World) -> None:
    """Coder does not answer when Alice replies, so her rights are not known yet. Bob changes his file before
    it answers. The agent gets nothing."""
    thread, task = await a_waiting_agent(world)
    async with world.coder.outage():
        reply = await replies_with_notes(world, thread)
        change_notes(world)
        await world.passes(seconds=60)
    await takes_all(world, task)
    await world.passes(seconds=60)

    assert task.inputs == []
    assert thread.receipt(reply) == ["warning"]
    assert NOT_SENT in thread.new_messages()


async def test_a_file_that_is_changed_while_the_reply_waits_behind_a_request_is_not_sent(
    world: World,
) -> None:
    """Coder does not answer when Alice resumes her task and then replies, so the reply is not looked at yet.
    Bob changes his file before Coder answers. The agent gets nothing."""
    thread, task = await a_waiting_agent(world)
    async with world.coder.outage():
        await world.alice.replies(thread, "!resume")
        reply = await replies_with_notes(world, thread)
        change_notes(world)
        await world.passes(seconds=60)
    await takes_all(world, task)
    await world.passes(seconds=90)

    assert task.inputs == []
    assert thread.receipt(reply) == ["warning"]
    assert NOT_SENT in thread.new_messages()
    world.alice.reads()


async def test_a_file_that_is_changed_after_the_shell_mark_was_asked_about_is_not_sent(world: World) -> None:
    """Alice presses *Send as text* for a message with a mark and Bob's file. Bob changes the file while the
    message waits. The agent gets nothing."""
    thread, task = await a_busy_agent(world)
    await world.alice.replies(thread, f"!{WORDS}", files=(bobs_notes(world),))
    await world.alice.clicks(thread, "Send as text")
    await world.passes(seconds=3)

    change_notes(world)
    await takes_all(world, task)
    await world.passes(seconds=31)

    assert task.inputs == []
    assert NOT_SENT in thread.new_messages()


async def test_an_edit_of_the_reply_does_not_take_the_new_file(world: World) -> None:
    """Bob changes his file, and then Alice edits the words of her reply. The agent does not get the file that
    she has not read."""
    thread, task = await a_busy_agent(world)
    reply = await replies_with_notes(world, thread)

    change_notes(world)
    await world.alice.edits(thread, reply, "see the good notes of Bob")
    await takes_all(world, task)
    await world.passes(seconds=31)

    assert task.inputs == []
    assert NOT_SENT in thread.new_messages()


async def test_an_edit_that_adds_a_file_does_not_take_the_new_content_of_another(world: World) -> None:
    """Bob changes his file, and then Alice adds a file of her own to her reply. The agent does not get the
    file of Bob that she has not read."""
    thread, task = await a_busy_agent(world)
    reply = await replies_with_notes(world, thread)
    change_notes(world)
    own = Attachment("more.txt", b"more words", "text/plain", user=world.alice.id)
    other = await world.slack.post(world.alice.id, "general", "mine", files=(own,))
    channel = thread.channel
    files = [*world.slack.message(channel, reply)["files"], *world.slack.message(channel, other)["files"]]

    place = world.slack.workspace.channel(channel)
    messages.rewrite(world.slack.backend, place, reply, {"files": files}, editor=world.alice.id)
    await world.settles()
    await takes_all(world, task)
    await world.passes(seconds=31)

    assert task.inputs == []
    assert NOT_SENT in thread.new_messages()
    world.reader.read_all()


async def test_a_reply_from_which_a_file_is_removed_is_sent_with_the_other(world: World) -> None:
    """Coder does not answer when Alice replies with two files of Bob. She removes one of them by an edit, and
    nobody changes the other. The agent gets that one."""
    thread, task = await a_waiting_agent(world)
    other = Attachment("other.txt", b"other notes", "text/plain", user=world.bob.id)
    async with world.coder.outage():
        reply = await world.alice.replies(thread, WORDS, files=(other, bobs_notes(world)))
        await world.passes(seconds=3)
        place = world.slack.workspace.channel(thread.channel)
        left = world.slack.message(thread.channel, reply)["files"][1:]
        messages.rewrite(world.slack.backend, place, reply, {"files": left}, editor=world.alice.id)
        await world.passes(seconds=60)
    await takes_all(world, task)
    await world.passes(seconds=60)

    assert task.inputs == [GOT]
    assert thread.receipt(reply) == ["white_check_mark"]
    thread.new_messages()


async def test_a_message_with_the_picture_of_another_person_is_sent(world: World) -> None:
    """Bob writes with a picture that Alice has uploaded, and Alice uses *Send to its task*. Agents get no
    pictures, so she is asked whether to send Bob's words without it, as for every picture."""
    thread, task = await a_waiting_agent(world)
    picture = Attachment("shot.png", b"\x89PNG", "image/png", user=world.alice.id)
    reply = await world.bob.replies(thread, "use the blue button", files=(picture,))
    await world.passes(seconds=3)
    thread.new_messages(), world.bob.reads()

    await world.slack.message_shortcut(world.alice.id, "general", reply, "send_to_task")
    await world.settles()
    await world.passes(seconds=3)
    await world.alice.clicks(thread, "Send without them")
    await takes_all(world, task)
    await world.passes(seconds=31)

    assert [text.splitlines()[:2] for text in task.inputs] == [["Bob wrote:", "> use the blue button"]]
    thread.new_messages(), world.alice.reads()


@pytest.mark.parametrize("is_changed", [False, True])
async def test_a_task_that_waits_does_not_begin_with_a_changed_file(world: World, is_changed: bool) -> None:
    """Alice mentions the bot with Bob's file, and Coder does not answer yet. If Bob changes the file
    meanwhile, no task is created, and Alice reads why."""
    world.coder.plan_fault("*", faults.refused(), times=3)
    bot, files = world.slack.backend.app.bot_user_id, (bobs_notes(world),)
    await world.slack.post(world.alice.id, "general", f"<@{bot}> {WORDS}", files=files)
    await world.passes(seconds=1)
    if is_changed:
        change_notes(world)
    for _ in range(4):
        await world.passes(seconds=30)

    prompts = [task.prompt for task in world.coder.tasks]
    refusal = "Somebody changed `notes.txt` after you shared it, so nothing was created. Write it again."
    assert prompts == ([] if is_changed else [GOT])
    assert (refusal in world.alice.reads()) == is_changed
    world.reader.read_all()


async def test_a_file_that_is_changed_before_a_decision_is_not_sent(world: World) -> None:
    """Alice's message with Bob's file begins with an unknown command. The bot keeps it and asks. Bob changes
    the file, and then Alice decides that the message is text. The agent gets nothing."""
    thread, task = await a_waiting_agent(world)
    await takes_all(world, task)
    await world.alice.replies(thread, "!important: see the notes", files=(bobs_notes(world),))
    await world.passes(seconds=600)
    change_notes(world)

    await world.alice.clicks(thread, "Send as text")
    await world.passes(seconds=31)

    assert task.inputs == []
    assert NOT_SENT in thread.new_messages()
    world.alice.reads()


async def test_a_file_of_the_bot_is_sent_once(world: World) -> None:
    """The bot has posted Alice's dropped replies as a file. She uses *Send to its task* on this message. The
    agent gets the file once, and the request ends."""
    thread, task = await a_busy_agent(world)
    for number in range(6):
        await world.alice.replies(thread, f"{number} " + "x" * 3000)
    await world.alice.replies(thread, "!stop")
    await world.passes(seconds=20)
    await world.polls()
    await world.alice.clicks(thread, "Drop them")
    await world.passes(seconds=10)
    [posted] = [each for each in world.slack.thread(thread.channel, thread.ts) if each.get("files")]

    await world.slack.message_shortcut(world.alice.id, "general", str(posted["ts"]), "send_to_task")
    await world.settles()
    await world.passes(seconds=31)
    jobs = await world.jobs()

    assert not [name for name, waiting in jobs.items() if name.startswith("to_coder:") and waiting]
    assert [each.splitlines()[0] for each in task.inputs] == ['"Taskwire (an app)" wrote:']
    world.alice.reads(), thread.new_messages()


@pytest.mark.parametrize("is_asked", [False, True])
async def test_the_authors_own_canvas_that_is_changed_while_the_reply_waits_is_not_sent(
    world: World, *, is_asked: bool
) -> None:
    """Alice replies with a canvas of her own, which Bob can edit too. The reply waits for a busy agent, or
    for her decision about its `!`, and Bob changes the canvas. The agent gets nothing, and the thread says
    why."""
    thread, task = await a_busy_agent(world)
    await world.alice.replies(thread, f"!{WORDS}" if is_asked else WORDS, files=(alices_canvas(world),))
    await world.passes(seconds=3)

    change_notes(world)
    if is_asked:
        await world.alice.clicks(thread, "Send as text")
    await takes_all(world, task)
    await world.passes(seconds=31)

    assert task.inputs == []
    assert NOT_SENT in thread.new_messages()


async def test_the_authors_own_canvas_that_stays_as_it_was_is_sent(world: World) -> None:
    """Nobody changes Alice's canvas while her reply waits. The agent gets it."""
    thread, task = await a_busy_agent(world)
    await world.alice.replies(thread, WORDS, files=(alices_canvas(world),))
    await takes_all(world, task)
    await world.passes(seconds=31)

    assert task.inputs == [GOT]
    thread.new_messages()


async def test_a_task_does_not_begin_with_a_canvas_that_was_changed(world: World) -> None:
    """Alice mentions the bot with a canvas of her own, and Coder does not answer yet. Bob changes the canvas
    meanwhile. No task is created."""
    world.coder.plan_fault("*", faults.refused(), times=3)
    bot, files = world.slack.backend.app.bot_user_id, (alices_canvas(world),)
    await world.slack.post(world.alice.id, "general", f"<@{bot}> {WORDS}", files=files)
    await world.passes(seconds=1)
    change_notes(world)
    for _ in range(4):
        await world.passes(seconds=30)

    refusal = "Somebody changed `notes.txt` after you shared it, so nothing was created. Write it again."
    assert world.coder.tasks == []
    assert refusal in world.alice.reads()
    world.reader.read_all()


@pytest.mark.parametrize("is_apps", [False, True])
async def test_a_person_does_not_send_a_canvas_that_they_can_edit_in_the_words_of_another(
    world: World, *, is_apps: bool
) -> None:
    """Bob may steer Alice's task. A message of Alice or of an app has Alice's canvas, which Bob can edit. He
    uses *Send to its task* on the message. The agent gets nothing."""
    thread, task = await a_waiting_agent(world)
    await world.alice.replies(thread, f"!share <@{world.bob.id}>")
    carol = world.person("carol")
    author = world.slack.bot_user_id if is_apps else world.alice.id
    words, files = f"<@{carol.id}> the notes", (alices_canvas(world),)
    message = await world.slack.post(author, "general", words, thread.ts, files=files)
    world.bob.reads()

    await world.slack.message_shortcut(world.bob.id, "general", message, "send_to_task")
    await world.settles()

    told = NOT_ALICES.replace("Alice", "Taskwire") if is_apps else NOT_ALICES
    assert (task.inputs, world.bob.reads()) == ([], [told])
    world.reader.read_all()


@pytest.mark.parametrize("is_edit", [False, True])
async def test_a_file_that_is_changed_after_an_edit_made_its_message_input_is_not_sent(
    world: World, *, is_edit: bool
) -> None:
    """Only mentions are input in the thread, and Coder does not answer. Alice writes with Bob's file, and
    mentions the bot at once or by an edit. Bob changes the file. When Coder is back, nothing is sent."""
    thread = await world.alice.mentions("fix the login")
    task = world.task("fix-the-login")
    await takes_all(world, task)
    words = f"<@{world.slack.bot_user_id}> {WORDS}"
    async with world.coder.outage():
        await world.forgets()
        reply = await world.alice.replies(thread, WORDS if is_edit else words, files=(bobs_notes(world),))
        if is_edit:
            await world.alice.edits(thread, reply, words)
        await world.passes(seconds=3)
        change_notes(world)
        await world.passes(seconds=60)
    for _ in range(3):
        await world.passes(seconds=60)

    assert task.inputs == []
    assert thread.receipt(reply) == ["warning"]
    assert NOT_SENT in thread.new_messages()


NOT_ALICES = (
    "Nothing was sent: somebody other than Alice may have changed `notes.txt`. Share it in a reply of your "
    "own."
)


@pytest.mark.parametrize("is_refused_before", [False, True])
async def test_a_person_does_not_send_their_own_file_in_the_words_of_another(
    world: World, *, is_refused_before: bool
) -> None:
    """Bob may steer Alice's task. She has shared his file in a reply that was not sent, or in a message to
    another person. He changes the file, and uses *Send to its task*. The agent gets nothing."""
    thread, task = await a_busy_agent(world)
    await world.alice.replies(thread, f"!share <@{world.bob.id}>")
    if is_refused_before:
        message = await replies_with_notes(world, thread)
    else:
        carol = world.person("carol")
        words = f"<@{carol.id}> the notes of Bob are fine"
        message = await world.alice.replies(thread, words, files=(bobs_notes(world),))
    change_notes(world)
    await takes_all(world, task)
    await world.passes(seconds=31)
    world.bob.reads()

    await world.slack.message_shortcut(world.bob.id, "general", message, "send_to_task")
    await world.settles()
    await world.passes(seconds=31)

    assert (task.inputs, world.bob.reads()) == ([], [NOT_ALICES])
    world.reader.read_all()


async def test_a_message_with_the_file_of_a_third_person_is_not_sent_for_its_author(world: World) -> None:
    """Alice sends Carol's message with Bob's file to her agent. Bob can have changed the file since Carol
    shared it, so it would not be what Carol said. The agent gets nothing, and Alice is told."""
    thread, task = await a_waiting_agent(world)
    carol = world.person("carol")
    await world.slack.join(carol.id, "general")
    message = await carol.replies(thread, "see the notes", files=(bobs_notes(world),))
    carol.reads()

    await world.slack.message_shortcut(world.alice.id, "general", message, "send_to_task")
    await world.settles()

    assert (task.inputs, world.alice.reads()) == ([], [NOT_ALICES.replace("Alice", "Carol")])


async def test_an_apps_message_with_the_senders_own_file_is_not_sent(world: World) -> None:
    """Bob may steer Alice's task. An app has posted a message with his file. He uses *Send to its task* on
    it. The agent does not get his file as the words of the app, and he is told."""
    thread, task = await a_waiting_agent(world)
    await world.alice.replies(thread, f"!share <@{world.bob.id}>")
    bot = world.slack.bot_user_id
    message = await world.slack.post(bot, "general", "notes", thread.ts, files=(bobs_notes(world),))
    world.bob.reads()

    await world.slack.message_shortcut(world.bob.id, "general", message, "send_to_task")
    await world.settles()

    assert (task.inputs, world.bob.reads()) == ([], [NOT_ALICES.replace("Alice", "Taskwire")])
    world.reader.read_all()


async def test_a_file_that_an_edit_during_an_absence_put_in_is_hashed_when_it_is_found(world: World) -> None:
    """Alice replies with a file of Bob while Coder does not answer. While the bot is away, she puts another
    file of his in its place. The reply waits for a busy agent, and Bob changes this file. It is not sent."""
    thread, task = await a_busy_agent(world)
    world.coder.plan_fault("*", faults.server_error(status=503), times=None)
    await world.ages(seconds=10)
    await world.forgets()
    reply = await replies_with_notes(world, thread)
    await away(world)
    place = world.slack.workspace.channel("general")
    other = Attachment("notes.txt", b"other notes", "text/plain", user=world.bob.id)
    shared = await world.slack.post(world.bob.id, "general", "mine", files=(other,))
    files = world.slack.message(place.id, shared)["files"]
    messages.rewrite(
        world.slack.backend, place, reply, {"files": files, "text": "see"}, editor=world.alice.id
    )
    await back(world)
    world.coder.clear_faults()
    for _ in range(4):
        await world.passes(seconds=60)
        await world.polls()

    for file in world.slack.backend.files.files.values():
        file.content, file.size = ORDER, len(ORDER)
    await takes_all(world, task)
    await world.passes(seconds=31)

    assert task.inputs == []
    assert NOT_SENT in thread.new_messages()
    world.reader.read_all()
