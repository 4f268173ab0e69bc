"""`/task send|pause|resume|edit|delete|attach|detach NAME`: a person steers a task from any channel, by its
name."""

import pytest

from taskwire_sandbox.coder import faults
from taskwire_sandbox.coder.steps import BuildPlan

from .people import Thread
from .running_tasks import card
from .world import POST_SECONDS, World


async def started(world: World, prompt: str = "fix it") -> Thread:
    """Create a task of Alice whose agent waits. Return its thread."""
    thread = await world.alice.runs(f"/task create {prompt}")
    await world.polls()
    return thread


async def test_send_shows_the_words_in_the_thread_and_then_delivers_them(world: World) -> None:
    """A person uses `/task send`. The bot first shows the words in the thread with the person's name, and
    then sends them. The message in the thread gets the receipt."""
    thread = await started(world)
    task = world.task("fix-it")

    await world.alice.types(f"/task send {task.name} add a <test> &amp; go")

    assert thread.new_messages() == ["Alice says: add a &lt;test&gt; &amp;amp; go\n> add a <test> &amp; go"]
    assert task.inputs == ["add a <test> &amp; go"]
    assert world.alice.reads() == [
        "Posted in the thread of *Fix it*. The reaction there shows when the agent has it."
    ]
    [_, said] = world.slack.thread(thread.channel, thread.ts)
    assert list(world.slack.reactions(thread.channel, said["ts"])) == ["white_check_mark"]


async def test_long_words_are_shown_in_part_and_sent_whole(world: World) -> None:
    """A person sends a long text by command. The message in the thread shows only the beginning, and says so.
    The agent gets the whole text."""
    thread = await started(world)
    words = "word " * 3_999 + "end"

    await world.alice.types(f"/task send {world.task('fix-it').name} {words}")

    [shown] = thread.new_messages()
    assert shown.startswith("Alice says (the beginning; the agent gets all 19,998 characters): word word")
    assert len(shown) < 13_000
    assert world.task("fix-it").inputs == [words]
    assert len(world.alice.reads()) == 1


async def test_pause_and_resume(world: World) -> None:
    """A person pauses and resumes a task by command. The bot answers the person at once. It tells the thread
    when the workspace has stopped or started."""
    thread = await started(world)
    name = world.task("fix-it").name

    await world.alice.types(f"/task pause {name}")
    await world.polls()
    await world.alice.types(f"/task pause {name}")
    await world.alice.types(f"/task resume {name}")
    await world.polls()
    await world.alice.types(f"/task resume {name}")
    await world.passes(POST_SECONDS)

    assert world.task("fix-it").status == "active"
    assert [message.split(".")[0] for message in thread.new_messages()] == [
        "Paused and resumed by Alice",
    ]
    assert world.alice.reads() == [
        "Pausing *Fix it*. A reply in its thread resumes it.",
        "*Fix it* is already paused. A reply in its thread resumes it.",
        "Resuming *Fix it*.",
        "*Fix it* is already running.",
    ]


async def test_a_task_without_a_thread_can_be_steered(world: World) -> None:
    """A person steers a task without a thread by commands. The answers name commands where they usually name
    the thread."""
    task = world.coder.add_task("alice", "fix it", name="loose")

    await world.alice.types("/task pause loose")
    assert task.status == "paused"
    await world.alice.types("/task pause loose")
    await world.alice.types("/task edit loose fix that")
    await world.alice.types("/task resume loose")
    await world.alice.types("/task send loose hello")
    await world.alice.types("/task detach loose")

    assert (task.status, task.prompt) == ("active", "fix that")
    assert world.alice.reads() == [
        "Pausing *Fix it*. `/task resume loose` resumes it.",
        "*Fix it* is already paused. `/task resume loose` resumes it.",
        "*Fix it* has a new prompt. The agent reads it when the task is resumed.",
        "Resuming *Fix it*. `/task status loose` says what it is doing.",
        "`loose` has no thread to show your reply in. Make one first: `/task attach loose`.",
        "`loose` has no thread in Slack. There is nothing to detach.",
    ]


async def test_edit_of_a_running_task_offers_to_pause_it(world: World) -> None:
    """A person edits the prompt of a running task, but Coder allows this only for a paused task. The bot
    offers *Stop and edit*. After the press, the task is paused and has the new prompt."""
    thread = await started(world)
    task = world.task("fix-it")

    await world.alice.types(f"/task edit {task.name} fix that instead")

    assert task.prompt == "fix it"
    assert world.alice.reads() == [
        "The prompt of *Fix it* can change only while the task is paused. Stop the task now?\n[Stop and edit]"
    ]

    await world.alice.presses("Stop and edit")
    await world.passes(seconds=4)
    await world.polls()

    await world.passes(seconds=7)

    assert (task.status, task.prompt) == ("paused", "fix that instead")
    assert world.alice.sees() == "*Fix it* has a new prompt. The agent reads it when the task is resumed."
    assert len(thread.new_messages()) == 1
    assert thread.card().startswith("Paused: Fix that instead. ")
    assert "> " not in thread.card()


async def test_edit_waits_for_a_workspace_that_stops_slowly(world: World) -> None:
    """A person presses *Stop and edit*, and the workspace stops slowly. The bot tells the person that
    the edit waits. When the workspace has stopped, the bot changes the prompt."""
    world.coder.template.plan = BuildPlan(stop=10)
    thread = await started(world)
    task = world.task("fix-it")
    await world.alice.types(f"/task edit {task.name} fix that")
    [asked] = world.alice.reads()
    await world.alice.presses("Stop and edit")
    waits = world.alice.sees()

    for _ in range(5):
        await world.passes(seconds=4)
    await world.polls()

    assert (task.status, task.prompt) == ("paused", "fix that")
    assert [said.split(".")[0] for said in (asked, waits, world.alice.sees())] == [
        "The prompt of *Fix it* can change only while the task is paused",
        "The workspace of *Fix it* is starting or stopping",
        "*Fix it* has a new prompt",
    ]
    assert [message.split(".")[0] for message in thread.new_messages()][1:] == ["Paused by Alice"]


async def test_delete_asks_once_in_a_dialog(world: World) -> None:
    """`/task delete` opens a dialog, which names the task and what will be lost. Nothing happens before the
    person submits it."""
    thread = await started(world)
    task = world.task("fix-it")

    await world.alice.types(f"/task delete {task.name}")

    assert world.alice.dialog() == (
        "[Delete this task]\nDelete Fix it?\nThis is lost:\n"
        "•  Its workspace and every file in it.\n"
        "•  What its agent wrote in Coder.\n"
        "Pushed commits and the thread stay. Deleting cannot be undone; stopping keeps everything.\n[Delete]"
    )
    assert task.status == "active"

    await world.alice.submits()

    assert task.is_deleted
    assert [message.split(".")[0] for message in thread.new_messages()] == ["Gone: Fix it"]
    assert (await card(world, thread)).startswith("Gone: Fix it.")
    assert world.alice.reads() == ["*Fix it* is deleted."]


async def test_delete_from_elsewhere_is_answered_there(world: World) -> None:
    """A person deletes a task from another channel, where they do not see its thread. The bot answers
    privately in that channel."""
    thread = await started(world)
    world.slack.add_channel("random", ["alice"])
    await world.alice.types(f"/task delete {world.task('fix-it').name}", "random")

    await world.alice.submits()

    assert world.alice.reads() == ["*Fix it* is deleted."]
    assert len(thread.new_messages()) == 1


async def test_a_task_that_vanishes_while_its_dialog_is_open(world: World) -> None:
    """A task vanishes while a person has its dialog of *Delete* open. The person submits the dialog, and the
    answer says that the task is gone."""
    task = world.coder.add_task("alice", "fix it", name="loose")
    await world.alice.types("/task delete loose")
    task.delete()

    await world.alice.submits()

    assert world.alice.reads() == [
        "There is no such task that you can see here. It may have been deleted. `/task list` shows the "
        "ones you can see."
    ]


async def test_a_task_without_a_thread_can_be_deleted(world: World) -> None:
    """A person deletes a task without a thread. The bot answers where the person typed the command."""
    task = world.coder.add_task("alice", "fix it", name="loose")
    await world.alice.types("/task delete loose")

    await world.alice.submits()

    assert task.is_deleted
    assert world.alice.reads() == ["*Fix it* is deleted."]


@pytest.mark.parametrize("verb", ["status", "logs", "pause", "resume", "attach", "detach", "edit", "send"])
async def test_a_task_that_is_not_there(world: World, verb: str) -> None:
    """A command names a task that does not exist. The answer shows the task with a similar name, and a button
    for the verb if the verb would do something. The bot does nothing before the press."""
    world.coder.add_task("alice", "fix it", name="fix-login")
    text = " some words" if verb in ("edit", "send") else ""

    await world.alice.types(f"/task {verb} fix-lgoin{text}")

    words = "\n> some words" if text else ""
    label = {"pause": "Stop", "edit": "Replace prompt"}.get(verb, verb.capitalize())
    offer = f" Did you mean this one?\n•  Starting: Fix it{words}\n[{label}]"
    # A task that starts cannot be resumed, and a task without a thread cannot be detached.
    instead = f"\n`{verb}` doesn't work for this one now:\n•  Starting: Fix it"
    assert world.alice.reads() == [
        "There is no task `fix-lgoin` that you can see here."
        f"{instead if verb in ('resume', 'detach') else offer}"
    ]


async def test_delete_of_a_task_that_is_not_there_says_so_in_the_dialog(world: World) -> None:
    """A person types `/task delete` for a task that does not exist. The bot opens the dialog before it knows
    this. So the dialog says that there is no such task, and has no button to submit."""
    await world.alice.types("/task delete nothing")

    assert world.alice.dialog() == (
        "[Delete this task]\n"
        "There is no task `nothing` that you can see here. `/task list` shows the ones you can see."
    )


async def test_attach_gives_a_task_a_thread(world: World) -> None:
    """A person attaches a task without a thread. The new card shows the present state at once. Replies in its
    thread reach the agent."""
    task = world.coder.add_task("alice", "fix it", name="loose")
    task.becomes("working", "On it")

    thread = await world.alice.runs("/task attach loose")

    assert thread.card().startswith("Working: Fix it. On it.")
    await world.polls()
    task.becomes("idle")
    await world.alice.replies(thread, "use main")
    assert task.inputs == ["use main"]


async def test_a_task_keeps_the_title_of_its_edited_prompt_in_a_new_thread(world: World) -> None:
    """A task with an edited prompt gets a new thread. The card keeps the title of the edited prompt, although
    Coder's own title comes from the first prompt."""
    thread = await started(world)
    task = world.task("fix-it")
    await world.alice.types(f"/task pause {task.name}")
    await world.alice.types(f"/task edit {task.name} write the docs")
    await world.alice.types(f"/task detach {task.name}")
    # A channel gets at most one post a second.
    await world.passes(seconds=5)
    thread.new_messages()

    again = await world.alice.runs(f"/task attach {task.name}")

    assert again.card().startswith("Paused: Write the docs.")
    world.alice.reads()


async def test_a_task_has_one_thread(world: World) -> None:
    """A person attaches a task that has a thread. The bot answers with a link to this thread, and posts no
    card."""
    thread = await started(world)
    where = world.slack.backend.permalink(thread.channel, thread.ts)

    await world.alice.types(f"/task attach {world.task('fix-it').name}")

    assert world.alice.reads() == [f"*Fix it* already has a thread: <{where}>"]


async def test_attach_where_the_bot_is_not(world: World) -> None:
    """The bot refuses to attach a task in a channel without the bot. When the bot is in that channel,
    `attach` works."""
    world.coder.add_task("alice", "fix it", name="loose")
    world.slack.add_channel("random", ["alice"], with_bot=False)
    random = world.slack.workspace.channel("random")

    await world.alice.types("/task attach loose", "random")

    assert world.alice.reads() == [
        f"I'm not in <#{random.id}>, so the task got no thread. Invite me with `/invite @Taskwire`, then "
        "try again."
    ]
    random.members.append(world.slack.bot_user_id)
    thread = await world.alice.runs("/task attach loose", "random")
    assert "Fix it." in thread.card()


async def test_detach_ends_the_thread_and_leaves_the_task_alone(world: World) -> None:
    """A person detaches a task from its thread. The thread and the card say so, and the task goes on. It can
    get another thread."""
    thread = await started(world)
    task = world.task("fix-it")

    await world.alice.types(f"/task detach {task.name}")

    assert thread.new_messages() == [
        "Detached: replies here no longer reach the agent. The task itself stays as it is.\n[Attach again]"
    ]
    assert (await card(world, thread)).startswith("Detached: Fix it.")
    assert task.status == "active"
    assert len(world.alice.reads()) == 1

    again = await world.alice.runs(f"/task attach {task.name}")
    assert again.ts != thread.ts


async def test_the_card_of_a_thread_that_was_left_leads_to_the_new_one(world: World) -> None:
    """A task was detached and then attached in a new thread. The old card links to the new thread. So does
    the bot's answer to a reply in the old thread."""
    thread = await started(world)
    task = world.task("fix-it")
    await world.alice.types(f"/task detach {task.name}")
    assert len(thread.new_messages()) == len(world.alice.reads()) == 1
    await world.passes(seconds=4)

    again = await world.alice.runs(f"/task attach {task.name}")
    await world.alice.replies(thread, "use main")
    where = world.slack.backend.permalink(again.channel, again.ts)

    assert (await card(world, thread)).startswith(f"Moved: Fix it. The task has a <{where}|new thread>.")
    assert thread.new_messages() == [f"Not delivered: this task now has <{where}|another thread>."]
    assert task.inputs == []


async def test_what_coder_refuses_is_said_in_its_words(world: World) -> None:
    """Coder refuses to pause a task. The bot shows the person Coder's own sentence, and logs no error."""
    await started(world)
    name = world.task("fix-it").name
    world.coder.plan_fault(
        "tasks.pause", faults.server_error("You do not have permission to stop this workspace.", 403)
    )

    await world.alice.types(f"/task pause {name}")

    assert world.alice.reads() == [
        "I could not stop *Fix it*. Coder said: You do not have permission to stop this workspace."
    ]


async def test_a_task_that_goes_between_asking_and_doing(world: World) -> None:
    """A person types `/task pause`, and the task is deleted before the bot runs the command. The bot tells
    the person that the task is gone, and logs no error."""
    thread = await started(world)
    task = world.task("fix-it")
    world.coder.plan_fault("tasks.get", faults.server_error("Resource not found", 404), skips=1)

    await world.alice.types(f"/task pause {task.name}")

    assert world.alice.reads() == [
        "*Fix it* is no longer in Coder. `/task list` shows the tasks you can see."
    ]
    assert thread.new_messages() == []
