"""A prompt or a reply that is too long, with its files and the messages of the thread, does nothing."""

from taskwire.domain.ids import TaskId
from taskwire_sandbox.slack import Attachment

from .test_pass_on import PASSED
from .waiting import a_waiting_agent
from .world import World

REFUSED = (
    "That is too long: an agent gets at most 150,000 characters at once, text files included. Nothing was "
    "done. Leave something out, or post a link to it."
)
NOT_DELIVERED = (
    "This reply was not delivered. It is too long: an agent gets at most 150,000 characters at once, text "
    "files included. Leave something out, or post a link to it."
)
# Slack and Taskwire take each of these files alone.
LONG = Attachment("long.txt", b"<" * 99_000, "text/plain")
SHORTER = Attachment("shorter.txt", b"<" * 50_000, "text/plain")


def _mention(world: World, words: str) -> str:
    return f"<@{world.slack.bot_user_id}> {words}"


async def test_a_mention_with_too_many_files_creates_nothing(world: World) -> None:
    """Each file of a mention is short enough, but all together are too long. No task and no card is made, and
    the bot stops reading files as soon as they are too long. With one of these files, the task is created."""
    files = tuple(Attachment(f"f{number}.txt", LONG.content, "text/plain") for number in range(10))

    await world.slack.post(world.bob.id, "general", _mention(world, "look at this"), files=files)
    await world.settles()
    refused, created = world.bob.reads(), list(world.coder.tasks)
    downloads = sum(file.downloads for file in world.slack.backend.files.files.values())
    ts = await world.slack.post(world.bob.id, "general", _mention(world, "look at this"), files=(LONG,))
    await world.settles()

    assert (refused, created, downloads) == ([REFUSED], [], 2)
    assert world.cards() == []
    assert [len(task.prompt) for task in world.coder.tasks] == [
        len("look at this\n\nlong.txt:\n```\n\n```") + 99_000
    ]
    world.bob.finds_card(world.slack.workspace.channel("general").id, ts)


async def test_the_thread_counts_too(world: World) -> None:
    """The files of a mention fit, but not together with the thread that the agent is to get."""
    root = await world.slack.post(world.bob.id, "general", "the login is broken " * 100)
    files = (LONG, SHORTER)

    await world.slack.post(
        world.bob.id, "general", _mention(world, "with thread: fix it"), thread_ts=root, files=files
    )
    await world.settles()
    refused, created = world.bob.reads(), list(world.coder.tasks)
    await world.slack.post(world.bob.id, "general", _mention(world, "fix it"), thread_ts=root, files=files)
    await world.settles()

    assert (refused, created) == ([REFUSED], [])
    assert len(world.coder.tasks) == 1
    world.bob.finds_card(world.slack.workspace.channel("general").id, root)


async def test_a_direct_message_that_is_too_long_is_not_offered(world: World) -> None:
    """A direct message with files is too long. The bot refuses it before it offers a task, so there is
    nothing to create or to change."""
    await world.slack.post(world.alice.id, world.alice.direct(), "look at this", files=(LONG, LONG))
    await world.settles()

    assert world.reader.new_roots() + world.alice.reads() == [REFUSED]
    assert world.coder.tasks == []


async def test_a_reaction_to_a_long_message_creates_nothing(world: World) -> None:
    """Alice puts the reaction on a message with files that are too long together."""
    ts = await world.slack.post(world.bob.id, "general", "look at this", files=(LONG, LONG))

    await world.slack.react(world.alice.id, "general", ts, "robot_face")
    await world.settles()

    assert world.alice.reads() == [REFUSED]
    assert world.coder.tasks == []


async def test_a_command_or_a_form_that_is_too_long_creates_nothing(world: World) -> None:
    """Slack's own limits are lower now. If they grow, a command and a form are refused as well."""
    await world.alice.types(f"/task create {'x' * 150_001}")

    assert world.alice.reads() == [REFUSED]
    assert world.coder.tasks == []


async def test_a_new_prompt_that_is_too_long_changes_nothing(world: World) -> None:
    """The new prompt of a paused task is too long. The task keeps its prompt."""
    task = world.coder.add_task("alice", "fix it", name="loose")
    await world.alice.types("/task pause loose")
    world.alice.reads()

    await world.alice.types(f"/task edit loose {'x' * 150_001}")

    assert (world.alice.reads(), task.prompt) == ([REFUSED], "fix it")


async def test_a_reply_with_too_many_files_is_not_delivered(world: World) -> None:
    """A reply has files that are too long together. The agent gets nothing of it, and the next reply goes
    on."""
    thread, task = await a_waiting_agent(world)

    long = await world.alice.replies(thread, "look at this", (LONG, LONG))
    await world.passes(seconds=3.1)
    refused = thread.new_messages()
    await world.alice.replies(thread, "or rather this", (LONG,))

    assert (refused, thread.receipt(long)) == ([NOT_DELIVERED], ["warning"])
    assert [text[:14] for text in task.inputs] == ["or rather this"]


async def test_a_message_that_is_too_long_is_not_sent_to_its_task(world: World) -> None:
    """Alice uses *Send to its task* on her own message, whose files are too long together."""
    thread, task = await a_waiting_agent(world)
    ts = await world.slack.post(world.alice.id, "general", "!aside look", thread.ts, files=(LONG, LONG))
    await world.settles()

    await world.slack.message_shortcut(world.alice.id, "general", ts, "send_to_task")
    await world.settles()
    await world.passes(seconds=3.1)

    assert (task.inputs, thread.receipt(ts)) == ([], ["warning"])
    assert thread.new_messages() == [NOT_DELIVERED]


async def test_a_reply_that_is_too_long_cannot_be_passed_on(world: World) -> None:
    """Alice passes Bob's reply on, but its files, which nobody can edit, are too long together."""
    thread, task = await a_waiting_agent(world)
    fixed = Attachment("long.csv", LONG.content, "text/csv")
    reply = await world.bob.replies(thread, "look at this", (fixed, fixed))
    await world.bob.presses("Ask Alice to pass it on")
    world.bob.reads(), world.alice.reads()

    await world.alice.presses("Pass it on")
    await world.passes(seconds=3.1)

    assert world.alice.sees() == PASSED
    assert (task.inputs, thread.receipt(reply)) == ([], ["warning"])
    assert thread.new_messages() == [NOT_DELIVERED]


async def test_redis_keeps_only_the_beginning_of_a_prompt(world: World) -> None:
    """A task has a long prompt, and a thread as context. As soon as Coder has the task, the bot keeps only
    the beginning of the prompt. *New like this* still shows the whole prompt, because Coder has it."""
    root = await world.slack.post(world.alice.id, "general", "the login is broken")
    words = "fix it, line by line: " + "word " * 590 + "end"
    thread = await world.alice.mentions(_mention(world, f"with thread: {words}"), root)
    (task,) = world.coder.tasks
    link = await world.bot.parts.deps.links.find_by_task(TaskId(task.id))

    assert link is not None
    assert (len(link.record.prompt), len(link.record.context)) == (2_000, 1)
    await world.alice.clicks(thread, "New like this")
    assert "word end" in world.alice.dialog()
