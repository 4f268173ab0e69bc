"""Verbs such as `!status` in a task's thread."""

import pytest

from taskwire_sandbox.coder.steps import BuildPlan

from .running_tasks import timeless
from .waiting import a_busy_agent, a_waiting_agent
from .world import CARD_SECONDS, World


async def test_status_shows_the_card_anew(world: World) -> None:
    """A person writes `!status`. The answer shows what a card shows, and the bot reads the task from Coder
    for this answer."""
    thread, task = await a_busy_agent(world)

    await world.alice.replies(thread, "!status")

    assert [said.partition(" <http")[0] for said in world.alice.reads()] == [
        "Working: Fix the login. Owner: Alice. Template: Tasks on Docker."
    ]
    assert task.inputs == []


async def test_status_shows_what_no_look_at_all_tasks_has_shown_yet(world: World) -> None:
    """A task has changed since the last poll, and a person writes `!status`. The answer already shows the
    change."""
    thread, task = await a_busy_agent(world)
    task.pause()

    await world.alice.replies(thread, "!status")

    assert [said.partition(" <http")[0] for said in world.alice.reads()] == [
        "Paused: Fix the login. Owner: Alice. Template: Tasks on Docker."
    ]


async def test_logs_show_what_the_agent_wrote_last(world: World) -> None:
    """The answer to `!logs` shows what the agent wrote last. After `!logs full`, the person gets a file with
    the whole log in direct messages."""
    thread, task = await a_busy_agent(world)
    task.says("I look at the login.")

    await world.alice.replies(thread, "!logs")
    await world.alice.replies(thread, "!logs full")

    assert world.alice.reads() == [
        "What the agent of *Fix the login* wrote last:\nI look at the login.\nI look at the login.\n"
        "[Show to everybody]",
        "The whole log of *Fix the login* is in your direct messages with me.\n[Open the file]",
    ]
    assert thread.new_messages() == []
    assert world.cards() == [f"(file {task.name}.log)"]
    [sent] = world.slack.messages(world.slack.open_direct("alice").id)
    assert [file["name"] for file in sent["files"]] == [f"{task.name}.log"]


async def test_logs_of_a_task_that_is_gone_say_so(world: World) -> None:
    """A person writes `!logs` after the task was deleted. The answer says that the task is gone, and does not
    ask the person to try again."""
    thread, task = await a_busy_agent(world)
    task.delete()

    await world.alice.replies(thread, "!logs")

    assert world.alice.reads() == [
        "*Fix the login* is no longer in Coder. `/task list` shows the tasks you can see."
    ]


async def test_help_lists_what_can_be_said(world: World) -> None:
    """The answer to `!help` lists the verbs of a thread, and names the command that shows all other
    commands."""
    thread, _ = await a_waiting_agent(world)

    await world.alice.replies(thread, "!help")
    (said,) = world.alice.reads()
    assert said.startswith("*In a task's thread*, a plain reply goes to the agent. These do not:\n`!")
    assert said.endswith("Outside threads, `/task help` lists more.")
    assert said.count("/task") == 1


async def test_a_bare_mention_gets_the_help(world: World) -> None:
    """A message in the thread has only the bot's name, so there are no words for the agent. The bot answers
    with the help."""
    thread, task = await a_waiting_agent(world)

    await world.slack.mention(world.alice.id, thread.channel, "", thread.ts)
    await world.settles()

    (said,) = world.alice.reads()
    assert said.startswith("*In a task's thread*, a plain reply goes to the agent.")
    assert task.inputs == []


async def test_pause_and_resume(world: World) -> None:
    """A person writes `!pause`, and later `!resume`. The bot answers the person after each verb. The thread
    gets one line, which the resume edits."""
    thread, task = await a_waiting_agent(world)

    await world.alice.replies(thread, "!pause")
    await world.passes(seconds=5)
    await world.polls()
    paused = (task.status, world.alice.reads(), thread.new_messages())
    await world.slack.mention(world.alice.id, thread.channel, "resume", thread.ts)
    await world.settles()
    await world.passes(seconds=5)
    await world.polls()

    assert paused == (
        "paused",
        ["Pausing *Fix the login*. A reply in its thread resumes it."],
        [
            "Paused by Alice. A reply resumes it.",
        ],
    )
    assert (task.status, world.alice.reads()) == (
        "active",
        ["Resuming *Fix the login*."],
    )
    assert thread.new_messages() == []
    assert "Paused and resumed by Alice." in thread.all_messages()


async def test_mute_and_unmute_do_not_wait_for_the_agent(world: World) -> None:
    """A reply waits for a busy agent, and a person writes `!mute` and `!unmute`. They concern only Slack, so
    the bot does them at once."""
    thread, _ = await a_busy_agent(world)
    await world.alice.replies(thread, "use main")

    await world.alice.replies(thread, "!mute")
    await world.alice.replies(thread, "!unmute")

    assert world.alice.reads() == [
        "Muted: I call nobody about *Fix the login*, not even its watchers. Its messages still come.\n[Undo]",
        "Unmuted: I call people about *Fix the login* again.",
    ]
    world.task("fix-the-login").becomes("idle")
    await world.passes(seconds=5)


async def test_edit_with_a_text_changes_the_prompt_of_a_paused_task(world: World) -> None:
    """`!edit` with a text changes the prompt of a paused task. Coder allows a new prompt only while a task is
    paused."""
    thread, task = await a_waiting_agent(world)
    task.pause()
    await world.polls()
    thread.new_messages()

    await world.alice.replies(thread, "!edit fix the *logout* & test it")

    assert task.prompt == "fix the *logout* & test it"
    assert world.alice.reads() == [
        "*Fix the login* has a new prompt. The agent reads it when the task is resumed."
    ]


async def test_edit_without_a_text_brings_the_button_that_opens_the_dialog(world: World) -> None:
    """A message cannot open a dialog. So the answer to `!edit` without a text has a button that opens the
    dialog for the prompt."""
    thread, _ = await a_waiting_agent(world)

    await world.alice.replies(thread, "!edit")
    said = thread.new_messages()
    await world.alice.clicks(thread, "Edit prompt")

    assert said == [
        "The prompt of *Fix the login* can change only while the task is paused. Write the new prompt; then "
        "I'll ask whether to stop the task.\n[Edit prompt]"
    ]
    assert world.alice.dialog().startswith("[Edit the prompt]")


async def test_edit_of_a_done_task_does_not_call_it_running(world: World) -> None:
    """A task is done, and its workspace still runs. The answers to `!edit` say when a prompt can change, and
    do not say that the task is running."""
    thread, task = await a_waiting_agent(world)
    task.becomes("complete", "Opened PR #12")
    await world.polls()
    await world.passes(CARD_SECONDS)
    thread.new_messages()

    await world.alice.replies(thread, "!edit")
    await world.alice.replies(thread, "!edit fix the logout")

    when = "The prompt of *Fix the login* can change only while the task is paused."
    assert thread.card().startswith("Done: Fix the login. ")
    assert thread.new_messages() == [
        f"{when} Write the new prompt; then I'll ask whether to stop the task.\n[Edit prompt]"
    ]
    assert world.alice.reads() == [f"{when} Stop the task now?\n[Stop and edit]"]


async def test_delete_brings_the_button_that_asks_once(world: World) -> None:
    """The message `!delete` deletes nothing. The bot's answer has a button that opens a dialog, which asks
    whether to delete the task."""
    thread, task = await a_waiting_agent(world)

    await world.alice.replies(thread, "!delete")
    said = thread.new_messages()
    await world.alice.clicks(thread, "Delete…")

    assert said == [
        (
            "Delete *Fix the login*? Its workspace is deleted too, with everything that was not "
            "pushed.\n[Delete…]"
        )
    ]
    assert world.alice.dialog().startswith("[Delete this task]")
    assert not task.is_deleted


async def test_detach_ends_the_link_and_leaves_the_task(world: World) -> None:
    """A person writes `!detach`. Replies in the thread then reach no agent. The task continues in Coder."""
    thread, task = await a_waiting_agent(world)

    await world.alice.replies(thread, "!detach")

    assert thread.new_messages() == [
        "Detached: replies here no longer reach the agent. The task itself stays as it is.\n[Attach again]"
    ]
    assert task.status == "active"


async def test_what_begins_with_a_bang_and_is_no_verb_is_not_sent(world: World) -> None:
    """A reply begins with `!` and is no verb. Agents run such a line as a shell command. So the bot sends it
    only after the person presses *Send as text*."""
    thread, task = await a_waiting_agent(world)

    reply = await world.alice.replies(thread, "!rm -rf build")
    said, before = thread.new_messages(), task.inputs
    await world.alice.clicks(thread, "Send as text")
    await world.passes(seconds=3.1)

    assert said == ["I don't know `!rm`.\n> !rm -rf build\n[Help] [Send as text]"]
    assert before == []
    assert thread.all_messages()[-1] == "Sent as text.\n> !rm -rf build"
    assert task.inputs == ["!rm -rf build"]
    assert thread.receipt(reply) == ["white_check_mark"]


async def test_a_verb_with_words_that_it_does_not_take_is_asked_about(world: World) -> None:
    """A person writes more words after a verb than it takes. The bot does nothing before the person decides,
    and does not claim that there is no such verb."""
    thread, task = await a_waiting_agent(world)

    await world.alice.replies(thread, "!stop now please")
    await world.alice.replies(thread, "!logs of yesterday")

    assert thread.new_messages() == [
        "`!stop` takes no other words.\n> !stop now please\n[Stop it] [Send as text]",
        "`!logs` works like this: `!logs [full]`.\n> !logs of yesterday\n[Logs] [Send as text]",
    ]
    assert task.inputs == []


async def test_a_slip_of_the_hand_offers_the_nearest_verb(world: World) -> None:
    """A person mistypes `!pause`. The bot offers to stop the task or to send the text, and does neither
    before the person decides."""
    thread, task = await a_waiting_agent(world)

    await world.alice.replies(thread, "!puase")

    assert world.alice.reads() == ["I don't know `!puase`.\n[Stop it] [Send as text]"]
    assert thread.new_messages() == []
    assert (task.inputs, task.status) == ([], "active")


@pytest.mark.parametrize("words", ["pause the music", "status", "delete the old test", "edit it"])
async def test_words_without_the_mark_are_input(world: World, words: str) -> None:
    """A reply is or begins with the name of a verb, but has no `!`. The agent gets it."""
    thread, task = await a_waiting_agent(world)

    await world.alice.replies(thread, words)

    assert task.inputs == [words]


@pytest.mark.parametrize("where", ["thread", "channel"])
async def test_a_log_that_was_kept_at_a_pause_is_not_shown_as_the_present_one(
    world: World, where: str
) -> None:
    """Just after a resume, Coder still answers with the log from before the pause. The bot's answer says that
    the log is that old."""
    thread, task = await a_waiting_agent(world)
    task.says("I look at it.")
    await world.alice.replies(thread, "!pause")
    await world.coder.catch_up()
    await world.polls()
    world.coder.template.plan = BuildPlan(provision=3600)
    await world.alice.replies(thread, "!resume")
    world.alice.reads()

    for how in ("", " full"):
        if where == "thread":
            await world.alice.replies(thread, f"!logs{how}")
        else:
            await world.alice.types(f"/task logs {task.name}{how}")
        await world.passes(seconds=5)

    button = "\n[Show to everybody]" if where == "thread" else ""
    assert [timeless(told) for told in world.alice.reads()] == [
        "What the agent of *Fix the login* wrote last, up to the pause <{ago}>:\n"
        f"I look at it.\nI look at it.{button}",
        "The log of *Fix the login*, up to the pause <{ago}>, is in your direct messages "
        "with me.\n[Open the file]",
    ]
    assert world.cards() == [f"(file {task.name}.log)"]
    thread.new_messages()


async def test_a_stranger_cannot_steer_with_verbs(world: World) -> None:
    """Bob may not steer the task. The bot refuses his verbs privately, and nothing happens."""
    thread, task = await a_waiting_agent(world)

    for verb in ("!pause", "!detach", "!delete", "!foo", "!edit do mine"):
        await world.bob.replies(thread, verb)

    assert (task.status, task.inputs, thread.new_messages()) == ("active", [], [])
    owners, let_me = (
        "Ask Alice, or a Taskwire administrator.",
        "Alice can let you, with `!share @Bob` in its thread.",
    )
    assert world.bob.reads() == [
        f"*Fix the login* belongs to Alice, so you can't {act}"
        for act in (
            f"stop it. {let_me} Or write `stop` there and ask Alice to pass it on.",
            f"detach it. {owners}",
            f"delete it. {owners}",
            "reply to its agent yourself. If you write in its thread, you can ask Alice to pass your reply "
            "on.",
            f"edit its prompt. {let_me}",
        )
    ]


async def test_a_question_is_answered_at_once_when_coder_is_away(world: World) -> None:
    """Coder is away. `!status` shows the last known state at once. `!logs` is answered at once with an
    error."""
    thread, _ = await a_waiting_agent(world)

    async with world.coder.outage():
        await world.alice.replies(thread, "!logs")
        await world.alice.replies(thread, "!status")

    log, status = world.alice.reads()
    assert log == AWAY
    assert timeless(status).partition(" <http")[0] == LAST_KNOWN


LAST_KNOWN = (
    "Working: Fix the login. :warning: Coder has not answered since <{date_short_pretty} at {time}>. "
    "This may be old. Replies wait. Owner: Alice. Template: Tasks on Docker."
)
AWAY = "Coder is not answering. Try again in a minute."


async def test_a_question_is_answered_at_once_though_nobody_knows_who_asks(world: World) -> None:
    """Coder is away, so the bot cannot check a person's rights. It still shows the last known state after
    `!status`. It answers other queries with an error, at once."""
    thread, _ = await a_waiting_agent(world)
    await world.forgets()

    async with world.coder.outage():
        for verb in ("!logs", "!status", "!help", "!logs full", "!delete"):
            await world.alice.replies(thread, verb)
        said = world.alice.reads()

    assert timeless(said.pop(1)).partition(" <http")[0] == LAST_KNOWN
    assert said == [AWAY] * 4
    assert thread.new_messages() == []


async def test_what_is_no_verb_waits_for_coder_and_keeps_no_question_waiting(world: World) -> None:
    """Coder is away, so the bot cannot check whether Alice may send `!foo`, and this message waits. The bot
    answers her later queries at once."""
    thread, task = await a_waiting_agent(world)
    await world.forgets()

    async with world.coder.outage():
        await world.alice.replies(thread, "!foo")
        for verb in ("!status", "!logs"):
            await world.alice.replies(thread, verb)
        at_once = world.alice.reads()
        await world.passes(seconds=60)
        later = world.alice.reads()
    await world.passes(seconds=30)

    assert timeless(at_once[0]).partition(" <http")[0] == LAST_KNOWN
    assert at_once[1:] == [AWAY]
    assert later == [
        "Coder is not answering, so answering you in the thread of *Fix the login* has to wait. I'll try "
        "for an hour; no need to repeat it."
    ]
    assert world.alice.reads()[-1] == "I don't know `!foo`.\n[Help] [Send as text]"
    assert task.inputs == []
    thread.new_messages()


@pytest.mark.parametrize("is_deleted", [False, True])
async def test_a_single_word_after_a_bang_may_still_be_meant_as_text(world: World, is_deleted: bool) -> None:
    """The bot asks about a message such as `!foo`. The button *Send as text* sends the message, if its author
    has not deleted it."""
    thread, task = await a_waiting_agent(world)
    reply = await world.alice.replies(thread, "!important")
    asked = world.alice.reads()
    if is_deleted:
        await world.alice.deletes(thread, reply)

    await world.alice.presses("Send as text")
    await world.passes(seconds=3.1)

    assert asked == ["I don't know `!important`.\n[Help] [Send as text]"]
    assert task.inputs == ([] if is_deleted else ["!important"])
    too_old = "Too old: I no longer have the text. Write it again if you still want to send it."
    assert world.alice.sees() == (too_old if is_deleted else "Sending it as text.")
    thread.new_messages()


async def test_what_cannot_be_shown_to_everybody_now_says_so(world: World) -> None:
    """A person presses *Show to everybody* on a private answer while Coder is away. The bot answers with an
    error at once, and shows nothing in the thread."""
    thread, _ = await a_waiting_agent(world)
    await world.alice.replies(thread, "!status")
    world.alice.reads()
    await world.ages(6)

    async with world.coder.outage():
        await world.alice.presses("Show to everybody")
        said = world.alice.reads()

    assert said == [AWAY]
    assert thread.new_messages() == []


async def test_an_administrator_needs_no_coder_for_what_needs_none(world: World) -> None:
    """Coder is away, and an administrator writes verbs that need no Coder. `!help`, `!mute` and `!detach`
    work."""
    world.settings = world.settings.model_copy(update={"admins": (world.bob.id,)})
    await world.restarts()
    thread, task = await a_waiting_agent(world)
    await world.forgets()

    async with world.coder.outage():
        for verb in ("!help", "!mute", "!unmute", "!detach"):
            await world.bob.replies(thread, verb)
        said = [each.replace(task.name, "NAME") for each in world.bob.reads()]

    assert said[0].startswith("*In a task's thread*, a plain reply goes to the agent.")
    assert said[1:] == [
        "Muted: I call nobody about *Fix the login*, not even its watchers. Its messages still come.\n[Undo]",
        "Unmuted: I call people about *Fix the login* again.",
    ]
    assert [each.partition(" (")[0] for each in world.alice.hears()] == ["Bob muted *Fix the login*"]
    assert [each.replace(task.name, "NAME") for each in thread.new_messages()] == [
        "Detached: replies here no longer reach the agent. The task itself stays as it is.\n[Attach again]"
    ]


async def test_logs_of_an_agent_that_cannot_be_reached(world: World) -> None:
    """An agent is unreachable, and a person writes `!logs`. Coder would try for half a minute to reach it.
    The bot answers at once that the agent is unreachable."""
    thread, task = await a_busy_agent(world)
    task.becomes("working", "Reading the code")
    task.agent_is_unreachable()
    await world.passes(seconds=60)
    await world.polls()

    await world.alice.replies(thread, "!logs")

    assert [timeless(said) for said in world.alice.reads()] == [
        "The agent of *Fix the login* has not been reachable since <{date_short_pretty} at {time}>, so I "
        "can't read its log. Its last report was <{ago}>: “Reading the code”. Try again when the agent is "
        "back, or press *Retry* on the task's card."
    ]
    assert not [seen for seen in list(world.coder.requests)[-5:] if seen.route == "tasks.logs"]
