"""A command that is nearly right does nothing. The answer has a button that does what the person probably
meant."""

import asyncio

import pytest

from .people import buttons
from .reading import shown
from .running_tasks import TITLE, a_task
from .test_card_controls import a_question
from .world import World

DECIDED = "Somebody already decided this."


async def test_a_slip_is_put_right_by_one_press(world: World) -> None:
    """A person mistypes a command, and presses the button of the bot's question. The question then shows the
    corrected command, and the answer to that command follows."""
    thread, task = await a_task(world)

    await world.alice.types(f"/task stpo {task.name}")
    offered, before = world.alice.reads(), task.status
    await world.alice.presses("Stop")

    assert offered == [f"Stop *{task.name}*?\n[Stop]"]
    assert before == "active"
    assert world.alice.reads() == [f"Pausing *{TITLE}*. A reply in its thread resumes it."]
    assert shown(world.slack.ephemerals("alice")[0].body) == f"Understood as `/task stop {task.name}`."
    await world.polls()
    thread.new_messages()


async def test_a_misspelt_create_starts_the_task_after_a_press(world: World) -> None:
    """A person mistypes `create`, and presses the button of the bot's question. The task gets the whole
    prompt, however long it is, and the options."""
    prompt = f"fix it\n{'and that ' * 1_000}"

    await world.alice.types(f"/task craete name=fix-it {prompt}")
    before = list(world.coder.tasks)
    await world.alice.presses("Create")

    assert before == []
    assert [(task.name, task.prompt) for task in world.coder.tasks] == [("fix-it", prompt.strip())]
    asked = world.alice.sees()
    assert asked.startswith("You chose *Create*:\n> fix it\n> and that")
    assert len(world.cards()) == 1
    world.alice.reads()


@pytest.mark.parametrize(
    ("typed", "asked"),
    [
        ("log fix", "Show the log of *fix*?\n[Logs fix] [Create a task]"),
        ("show Fix the login", "Show the status of *Fix the login*?\n[Status Fix the login] [Create a task]"),
        ("retry Fix the login", "Resume *Fix the login*?\n[Resume Fix the login] [Create a task]"),
        ("retry fix", "Resume *fix*?\n[Resume fix] [Create a task]"),
        ("start fix", "Resume *fix*?\n[Resume fix] [Create a task]"),
        ("restart fix", "Resume *fix*?\n[Resume fix] [Create a task]"),
        ("rerun Fix the login", "Resume *Fix the login*?\n[Resume Fix the login] [Create a task]"),
        ("kill fix", "Stop *fix*?\n[Stop fix] [Create a task]"),
        ("abort fix", "Stop *fix*?\n[Stop fix] [Create a task]"),
        ("halt fix", "Stop *fix*?\n[Stop fix] [Create a task]"),
        ("rm fix", "Delete *fix*?\n[Delete… fix] [Create a task]"),
        ("remove fix", "Delete *fix*?\n[Delete… fix] [Create a task]"),
        ("destroy fix", "Delete *fix*?\n[Delete… fix] [Create a task]"),
        (
            "umute Fix the login",
            "I don't know `umute`.\n[Mute Fix the login] [Unmute Fix the login] [Create a task]",
        ),
    ],
)
async def test_a_word_for_a_verb_before_a_task_offers_the_verb(world: World, typed: str, asked: str) -> None:
    """A person types a word such as `log`, which is no verb, before the name or title of a task. The bot does
    not open the form. It offers the verb that the person probably meant."""
    world.coder.add_task("alice", "Fix the login", name="fix").becomes("working", "On it")

    await world.alice.types(f"/task {typed}")

    assert world.alice.reads() == [asked]
    assert len(world.coder.tasks) == 1


async def test_a_log_that_was_meant_is_shown_in_place(world: World) -> None:
    """A person types `/task show` with a task's title, and presses *Status* on the bot's question. The task's
    status replaces the question."""
    world.coder.add_task("alice", "Fix the login", name="fix").becomes("working", "On it")
    await world.alice.types("/task show Fix the login")
    world.alice.reads()

    await world.alice.presses("Status Fix the login")

    assert world.alice.sees().startswith("Working: Fix the login. On it. Owner: alice.")


@pytest.mark.parametrize(
    "typed", ["show the login page", "log errors", "remove mes", "start fix and deploy it"]
)
async def test_a_word_for_a_verb_before_other_words_opens_the_form(world: World, typed: str) -> None:
    """A person types `log` or `show` before words that name no task. The words are a prompt, so the form
    opens."""
    world.coder.add_task("alice", "Fix the login", name="fix").becomes("working", "On it")

    await world.alice.types(f"/task {typed}")

    assert typed in world.alice.dialog()
    assert world.alice.reads() == []


async def test_the_form_opens_though_coder_cannot_say_which_tasks_exist(world: World) -> None:
    """A person types `/task log fix`, which may be a mistyped verb or a prompt. While Coder is away, the bot
    cannot look for a task of that name, so it opens the form."""
    world.coder.add_task("alice", "Fix the login", name="fix").becomes("working", "On it")
    await world.coder.go_down()

    await world.alice.types("/task log fix")

    assert world.alice.dialog().startswith("[New task]")
    assert world.alice.reads() == []


async def test_the_first_of_two_presses_counts(world: World) -> None:
    """The bot's question about a mistyped command has two buttons, and a person presses one. A second press
    of either button does nothing more."""
    _, task = await a_task(world)
    await world.alice.types(f"/task umute {task.name}")
    assert world.alice.reads() == [f"I don't know `umute`.\n[Mute {task.name}] [Unmute {task.name}]"]
    told = world.slack.ephemerals("alice")[-1]
    pressed = [buttons(told.body, f"{verb} {task.name}")[0] for verb in ("Mute", "Mute", "Unmute")]

    presses = [
        world.slack.click("alice", told.channel, told.ts, button["action_id"], button["value"])
        for button in pressed
    ]
    await asyncio.gather(*presses)
    await world.settles()

    said = world.alice.reads()
    [done] = [each for each in said if each != DECIDED]
    assert len(said) == 3
    assert done.partition(". ")[0] in (
        f"Muted: I call nobody about *{TITLE}*, not even its watchers",
        f"Unmuted: I call people about *{TITLE}* again.",
    )


async def test_a_name_that_coder_refuses_is_offered_in_a_form_that_it_takes(world: World) -> None:
    """A command has a name that Coder does not accept. The answer has a button with a similar name that Coder
    accepts. Nothing is created before the press."""
    await world.alice.types("/task create name=“My Fix!!” fix the login & more")
    offered = world.alice.reads()
    await world.alice.presses("Use it")

    assert offered == ["Names look like `my-fix`.\n[Use it]"]
    assert world.task("my-fix").prompt == "fix the login & more"
    assert len(world.cards()) == 1
    world.alice.reads()


@pytest.mark.parametrize(
    ("label", "template", "prompt"),
    [("Use template=…", "big", "fix it"), ("Use it as text", "tasks-docker", "tmplate=big fix it")],
)
async def test_an_unknown_option_is_an_option_or_text(
    world: World, label: str, template: str, prompt: str
) -> None:
    """A command contains `tmplate=big`, which may be a mistyped option or a part of the prompt. The bot asks,
    and has a button for each meaning."""
    world.coder.add_template("big")
    await world.restarts(template="tasks-docker")
    await world.alice.types("/task create tmplate=big fix it")
    offered, before = world.alice.reads(), list(world.coder.tasks)

    await world.alice.presses(label)

    assert offered == ["There is no option `tmplate`.\n[Use template=…] [Use it as text]"]
    assert before == []
    [task] = world.coder.tasks
    assert (task.row.version.template.name, task.prompt) == (template, prompt)
    assert len(world.cards()) == 1
    world.alice.reads()


async def test_two_slips_are_put_right_one_after_the_other(world: World) -> None:
    """A command has two mistakes. A person presses the button that corrects the first. The bot then asks
    about the second mistake, in place of its first question."""
    await world.alice.types("/task create tmplate=tasks-docker name=My_Fix fix it")
    await world.alice.presses("Use template=…")

    assert world.alice.sees() == "Names look like `my-fix`.\n[Use it]"
    await world.alice.presses("Use it")

    assert world.task("my-fix").prompt == "fix it"
    assert len(world.cards()) == 1
    world.alice.reads()


async def test_a_question_that_was_meant_is_answered_in_place(world: World) -> None:
    """A person types `/task staus` and presses the button for `status`. The answer replaces the bot's
    question, so there is one message."""
    world.coder.add_task("alice", "fix it", name="fix").becomes("working", "On it")

    await world.alice.types("/task staus fix")
    assert world.alice.reads() == ["Show the status of *fix*?\n[Status]"]
    await world.alice.presses("Status")

    assert world.alice.sees().startswith("Working: Fix it. On it. Owner: alice.")
    assert world.alice.reads() == []


async def test_a_misspelt_delete_opens_its_dialog(world: World) -> None:
    """A person mistypes `delete`, and presses the button of the bot's question. The dialog of `/task delete`
    opens, which asks once whether to delete the task."""
    thread, task = await a_task(world)

    await world.alice.types(f"/task delte {task.name}")
    await world.alice.presses("Delete…")

    assert world.alice.dialog().startswith("[Delete this task]\nDelete Fix the login redirect?")
    assert world.alice.reads() == [f"Understood as `/task delete {task.name}`."]
    assert task.status == "active"
    assert thread.new_messages() == []


async def test_a_misspelt_create_without_a_prompt_opens_the_form(world: World) -> None:
    """A person mistypes `create` without a prompt. A press of the bot's button opens the form that `/task
    create` opens."""
    await world.alice.types("/task craete")
    assert world.alice.reads() == ["Open the form for a new task?\n[New task]"]
    await world.alice.presses("New task")

    assert world.alice.dialog().startswith("[New task]\nTemplate: Tasks on Docker")
    assert world.alice.sees() == "Understood as `/task create`."


async def test_a_colleague_cannot_press_the_offer_of_another(world: World) -> None:
    """The bot offers Alice a corrected command. Bob sends an invented press of her button, and the bot does
    not run the command."""
    _, task = await a_task(world)
    await world.alice.types(f"/task stpo {task.name}")
    value = buttons(world.slack.ephemerals("alice")[-1].body, "Stop")[0]["value"]

    await world.bob.presses_made_up("command.run.0", value)
    await world.alice.presses_made_up("command.run.9", value)
    await world.alice.presses_made_up("command.run", "made up")

    expired = "This button is too old. Write your request again."
    assert world.bob.reads() == [expired]
    assert world.alice.reads() == [f"Stop *{task.name}*?\n[Stop]", expired, expired]
    assert task.status == "active"


async def test_a_slip_in_a_direct_message_has_the_same_button(world: World) -> None:
    """In a direct message, commands need no `/task`. A person mistypes such a command. The bot's answer has
    the same button as in a channel."""
    await world.alice.runs("/task create fix it")

    await world.alice.writes_directly("puase fix-it")
    assert world.alice.reads() == ["Stop *fix-it*?\n[Stop]"]
    await world.alice.presses("Stop")

    assert world.alice.reads() == ["Pausing *Fix it*. A reply in its thread resumes it."]


async def test_a_mention_with_a_wrong_name_starts_its_task_in_the_thread(world: World) -> None:
    """A mention of the bot gives the new task a name that Coder does not accept. The bot offers a similar
    name. After a press of that button, the card is in the thread of the mention."""
    channel = world.slack.workspace.channel("general").id
    root = await world.slack.post("bob", "general", "the login is broken")
    await world.slack.mention("alice", "general", "name=“My Fix” fix it", root)
    await world.settles()
    assert world.alice.reads() == ["Names look like `my-fix`.\n[Use it]"]

    await world.alice.presses("Use it")

    thread = world.alice.finds_card(channel, root)
    assert thread.card().startswith("Starting: Fix it.")
    assert world.task("my-fix").prompt == "fix it"
    world.alice.reads()


@pytest.mark.parametrize(
    ("typed", "label", "dialog"),
    [
        ("!delte", "Delete…", "[Delete this task]\nDelete Fix the login redirect?"),
        ("!eidt", "Edit prompt", "[Edit the prompt]\nFix the login redirect"),
    ],
)
async def test_a_near_verb_of_a_thread_with_a_dialog_settles(
    world: World, typed: str, label: str, dialog: str
) -> None:
    """Alice mistypes a verb in a thread, and the verb needs a dialog. When she presses the button of the
    bot's question, the dialog opens and the question loses its buttons."""
    thread, task = await a_question(world)
    thread.new_messages()
    await world.alice.replies(thread, typed)
    asked = world.alice.reads()

    await world.alice.presses(label)

    assert asked == [f"I don't know `{typed}`.\n[{label}] [Send as text]"]
    assert world.alice.dialog().startswith(dialog)
    verb = {"Delete…": "delete", "Edit prompt": "edit"}[label]
    assert world.alice.sees() == f"Understood as `!{verb}`."
    assert (task.inputs, thread.new_messages()) == ([], [])


@pytest.mark.parametrize(
    ("typed", "label", "verb"),
    [
        ("!puase", "Stop it", "stop"),
        ("!mtue", "Mute it", "mute"),
        ("!detahc", "Detach it", "detach"),
        ("!stauts", "Status", "status"),
        ("!hlep", "Help", "help"),
    ],
)
async def test_a_near_verb_of_a_thread_is_done_by_its_button(
    world: World, typed: str, label: str, verb: str
) -> None:
    """A person mistypes a verb in a thread, and presses the button of the bot's question. The question then
    shows the corrected verb and has no buttons."""
    thread, task = await a_question(world)
    thread.new_messages()
    await world.alice.replies(thread, typed)
    asked = world.alice.reads()

    await world.alice.presses(label)
    await world.polls()
    await world.passes(seconds=5)

    assert asked == [f"I don't know `{typed}`.\n[{label}] [Send as text]"]
    assert shown(world.slack.ephemerals("alice")[0].body) == f"Understood as `!{verb}`."
    assert (task.status == "paused") == (verb == "stop")
    assert task.inputs == []
    thread.new_messages()
    world.alice.reads()
