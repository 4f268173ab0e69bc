"""`/task` alone, `/task templates` and `/task help`. The bot answers only the person who asks."""

import pytest

from taskwire.domain.audit import AuditFilter

from .running_tasks import PULL, TITLE, a_task, timeless
from .test_list_tasks import shown_lines
from .test_preferences import address
from .world import CARD_SECONDS, World


async def test_templates_are_listed_with_their_presets(world: World) -> None:
    """`/task templates` lists each template with its presets, and with a button that opens the form with that
    template."""
    presets = [world.coder.new_preset("Small", is_default=True), world.coder.new_preset("Large")]
    world.coder.add_template("big", display_name="Big ones", description="For builds", presets=presets)
    world.coder.add_template("plain", has_ai_task=False)

    await world.alice.types("/task templates")

    assert world.alice.reads() == [
        "Templates for tasks:\n•  big (Presets: Small (default), Large)\n•  tasks-docker\n"
        "Big ones (big): For builds\nPresets: Small (default), Large [Use]\n"
        "Tasks on Docker (tasks-docker) [Use]"
    ]


async def test_a_template_of_the_list_opens_the_form_with_it(world: World) -> None:
    """A person presses a template's button in the list. The form opens with that template, and offers its
    presets."""
    world.coder.add_template("big", presets=[world.coder.new_preset("Small", is_default=True)])
    await world.restarts(template="tasks-docker")
    await world.alice.types("/task templates")
    world.alice.reads()

    await world.alice.presses("Use")

    assert world.alice.dialog().startswith("[New task]\nTemplate: big\nPreset: Small\n")


@pytest.mark.parametrize("line", ["help", "?", "--help"])
async def test_help_comes_in_many_ways(world: World, line: str) -> None:
    """`/task help`, `/task ?` and `/task --help` show the help. It has examples of the verbs, and the buttons
    *New task* and *My tasks*."""
    await world.alice.types(f"/task {line}")

    [answer] = world.alice.reads()
    assert answer.startswith("Each task has a thread, and your replies in it reach its agent. If the thread")
    assert "`/task stop fix-login`  stop its workspace and keep everything; the task is paused\n" in answer
    assert answer.endswith("[New task] [My tasks]")


async def test_task_alone_says_that_nothing_needs_the_person(world: World) -> None:
    """A person types `/task`, and no task needs them. The answer says so, and has buttons that start a task,
    show the list, and show the help."""
    await world.alice.types("/task")
    [answer] = world.alice.reads()
    await world.alice.presses("Help")
    await world.alice.presses("New task")

    assert answer == (
        "Nothing needs you right now.\nYou have no running tasks.\n[New task] [All tasks] [Help]"
    )
    assert world.alice.reads()[0].startswith("Each task has a thread")
    assert world.alice.dialog().startswith("[New task]")


async def test_task_alone_shows_what_needs_the_person_and_what_runs(world: World) -> None:
    """`/task` alone shows which tasks of the person need the person, and which are running. It shows no other
    task. The list also has the finished tasks."""
    for name, state in (("lose", "failed"), ("busy", "working"), ("end", "complete")):
        world.coder.add_task("alice", name, name=name).becomes(state, "So it is")
    world.coder.add_task("bob", "theirs", name="theirs").becomes("working", "On it")

    await world.alice.types("/task")

    assert world.alice.reads() == [
        "Needs you:\n•  Failed: Lose. So it is\nRunning:\n•  Working: Busy. So it is\n"
        "[New task] [All tasks] [Help]"
    ]
    assert shown_lines(world)[0] == ["Lose · Failed · {ago}", "So it is · lose · no thread yet"]


async def test_task_alone_has_the_buttons_of_home(world: World) -> None:
    """Under *Needs you*, `/task` says why a finished task is there, and has the buttons of the Home tab. The
    owner presses *Hide it here*, and the task no longer needs them."""
    thread, task = await a_task(world)
    task.becomes("complete", "Opened the pull request", PULL)
    await world.polls()
    await world.passes(CARD_SECONDS)
    thread.new_messages()

    await world.alice.types("/task")
    overview = world.alice.reads()
    await world.alice.presses("Hide it here")
    seen = world.alice.reads()
    await world.alice.types("/task")

    assert overview == [
        f"Needs you:\n•  Done, a pull request to look at: {TITLE}. Opened the pull request <{PULL}> "
        f"<{address(thread)}>\nNothing is running.\n"
        "[View pull request] [Hide it here] [Open thread] [New task] [All tasks] [Help]"
    ]
    assert seen == [f"*{TITLE}* is no longer listed under *Needs you*."]
    assert world.alice.reads() == [
        "Nothing needs you right now.\nYou have no running tasks.\n[New task] [All tasks] [Help]"
    ]


async def test_task_alone_shows_what_was_last_known(world: World) -> None:
    """A person types `/task` while Coder fails. The answer shows the last known state, and the time of that
    state."""
    thread = await world.alice.runs("/task create fix it")
    await world.polls()
    world.task("fix-it").becomes("working", "On it")
    await world.polls()
    link = world.slack.backend.permalink(thread.channel, thread.ts)

    async with world.coder.outage():
        await world.polls(times=2)
        await world.alice.types("/task")
        [answer] = world.alice.reads()
        await world.bob.types("/task")

    assert timeless(answer) == (
        ":warning: Coder has not answered since <{date_short_pretty} at {time}>. This may be old. "
        f"Nothing needs you right now.\nRunning:\n•  Working: Fix it. On it <{link}>\n"
        "[New task] [All tasks] [Help]"
    )
    assert world.bob.reads() == ["Coder is not answering. Try again in a minute."]
    await world.polls()


async def test_help_for_one_verb_has_an_example(world: World) -> None:
    """`/task help send` explains the verb `send` with an example. For a mistyped verb, the help offers a verb
    with a similar name."""
    await world.alice.types("/task help send")
    await world.alice.types("/task help snd")
    await world.alice.types("/task create --help")

    send, slip, create = world.alice.reads()
    assert send == (
        "`/task send NAME TEXT`\nTell its agent something, as a reply in its thread does.\n\n"
        "For example: `/task send fix-login please add a test`"
    )
    assert slip == "There is no command `snd`.\n[Help with send]"
    assert create.startswith("`/task create [options] PROMPT`\n")


async def test_an_administrator_asks_what_is_wrong(world: World) -> None:
    """An administrator types `/task doctor`. The bot runs the checks of `taskwire doctor` and answers with
    the results. It refuses people who are no administrators."""
    await world.restarts(admins=(world.bob.id,))

    await world.bob.types("/task doctor")
    await world.alice.types("/task doctor")

    assert world.alice.reads() == ["Only Taskwire administrators can run the doctor. Ask one of them."]
    (said,) = world.bob.reads()
    assert (
        ":x: *Persistence*: The store does not write down what it is given: its restart would lose threads "
        "and work. Set appendonly yes in its configuration.\n"
    ) in said
    right = said.rpartition("\n")[2].removeprefix(":white_check_mark: OK: ").removesuffix(".").split(", ")
    assert {"Slack bot token", "Slack scopes", "Coder", "Coder token", "Templates", "Store"} <= {*right}
    assert [secret for secret in world.settings.secrets() if secret in said] == []
    entries = [stored.entry async for stored in world.bot.parts.deps.audit.read(AuditFilter())]
    assert [(each.verb, each.outcome) for each in entries] == [("doctor", "done"), ("doctor", "refused")]


async def test_a_word_for_a_list_offers_the_list(world: World) -> None:
    """A person types `mine` or `running`, which are no verbs. The bot does not open the form. It offers a
    button that shows the person's tasks or the running tasks."""
    world.coder.add_task("alice", "Fix the login", name="fix").becomes("working", "On it")

    await world.alice.types("/task mine")
    await world.alice.types("/task running tasks")
    asked = world.alice.reads()
    await world.alice.presses("Running tasks")

    assert asked == ["Show your tasks?\n[My tasks]", "Show the running tasks?\n[Running tasks]"]
    assert "Fix the login" in world.alice.sees()
    world.alice.reads()


async def test_a_task_that_waits_for_coder_is_listed(world: World) -> None:
    """Coder is away, so a task cannot be created. `/task` and the open Home tab show meanwhile that it waits.
    When Coder is back, they show the task in place of this line."""
    await world.alice.opens_home()
    async with world.coder.outage():
        await world.polls(times=2)
        await world.alice.types("/task create fix it")
        await world.passes(seconds=2)
        await world.passes(seconds=CARD_SECONDS)
        home = world.alice.home()
        await world.alice.types("/task")
    _, overview = world.alice.reads()
    await world.passes(seconds=16)
    await world.passes(seconds=CARD_SECONDS)

    line = "*fix it* waits for Coder. I'll try again."
    assert f"*Running*\n{line}\n" in home
    assert f"Nothing needs you right now.\nRunning:\n{line}\n" in overview
    assert line not in world.alice.home()
    assert "· Starting ·" in world.alice.home()
    assert len(world.cards()) == 1


@pytest.mark.parametrize("how", ["a command", "a mention", "a reaction"])
async def test_each_way_to_ask_for_a_task_is_listed_while_it_waits(world: World, how: str) -> None:
    """Coder is away, so a task cannot be created. `/task` and `/task list` say that it waits, however the
    person has asked for it. The text of a message with a reaction is not known yet."""
    text, channel = "fix it", world.slack.workspace.channel("general").id
    ts = await world.slack.post(world.alice.id, channel, text)
    async with world.coder.outage():
        await world.polls(times=2)
        match how:
            case "a command":
                await world.alice.types(f"/task create {text}")
            case "a mention":
                ts = await world.slack.mention(world.alice.id, channel, text)
            case _:
                await world.slack.react(world.alice.id, channel, ts, "robot_face")
        await world.passes(seconds=2)
        world.alice.reads()
        answers = []
        for command in ("/task", "/task list", "/task list mine", "/task list needs-me", "/task list failed"):
            await world.alice.types(command)
            answers += world.alice.reads()
    await world.passes(seconds=16)
    await world.passes(seconds=CARD_SECONDS)

    name = "A new task" if how == "a reaction" else "*fix it*"
    line = f"{name} waits for Coder. I'll try again."
    assert [line in answer.split("\n") for answer in answers] == [True, True, True, False, False]
    assert [task.prompt.partition("\n")[0] for task in world.coder.tasks] == ["fix it"]
    if how == "a command":
        assert len(world.cards()) == 1
    else:
        world.alice.finds_card(channel, ts)
