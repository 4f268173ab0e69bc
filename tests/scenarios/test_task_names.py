"""People name a task in a command by its name, its title, or words of these. If the words do not name exactly
one task, the answer offers the tasks that may be meant."""

import pytest

from .running_tasks import TITLE, a_task
from .test_card_controls import a_question
from .test_preferences import address
from .world import World


async def test_a_name_that_fits_several_tasks_offers_what_was_asked_for_each(world: World) -> None:
    """The name in a command fits several tasks. The answer has a button for each task, and a press runs the
    command on that task, with the typed text."""
    thread, task = await a_question(world)
    thread.new_messages()
    world.coder.add_task("alice", "fix it too", name="fix-it")
    await world.polls()

    await world.alice.types("/task logs fix full")
    await world.alice.types("/task send fix use x < y & main")
    offered = world.alice.reads()
    await world.alice.presses("Send", 1)
    await world.passes(seconds=3)

    several = (
        "`fix` fits several tasks. Choose one, or type more of the name.\n•  Starting: Fix it too\n"
        f"•  Needs you: {TITLE}. Waiting for a decision <{address(thread)}>"
    )
    assert offered == [
        f"{several}\n[Logs] [Logs]",
        f"{several}\n[Send] [Send]",
    ]
    first, row = world.slack.ephemerals("alice")[0].body["blocks"][1:4:2]
    assert [block["type"] for block in (first, row)] == ["rich_text", "rich_text"]
    assert "date" in [piece["type"] for piece in row["elements"][0]["elements"]]
    assert task.inputs == ["use x < y & main"]
    assert thread.new_messages() == ["Alice says: use x &lt; y &amp; main\n> use x < y & main"]
    assert world.alice.reads() == []


@pytest.mark.parametrize(
    "words",
    [
        "status fix the LOGIN redirect",
        "status “Fix the login redirect”",
        "logs Fix the login",
        "mute Fix the login redirect",
        'send "fix the login redirect" use main',
    ],
)
async def test_a_task_is_found_by_its_title(world: World, words: str) -> None:
    """A person can name a task by the title on its card, or by the start of that title. Capitals do not
    matter."""
    thread, task = await a_question(world)
    thread.new_messages()

    await world.alice.types(f"/task {words}")
    await world.passes(seconds=3)

    [answer] = world.alice.reads()
    assert TITLE in answer
    assert task.inputs == (["use main"] if words.startswith("send") else [])
    thread.new_messages()


async def test_a_title_before_a_text_names_the_task(world: World) -> None:
    """A command has a task's title and then a text. The first word of the title alone would fit two tasks,
    but the whole title names one. The agent gets only the text after the title."""
    thread, task = await a_question(world)
    thread.new_messages()
    world.coder.add_task("alice", "fix the header", name="fix-the-header")

    await world.alice.types(f"/task send {TITLE.lower()} use  main")
    await world.alice.types(f"/task send {TITLE}")
    await world.alice.types(f"/task share {TITLE} <@{world.bob.id}>")
    await world.passes(seconds=3)

    assert task.inputs == ["use  main"]
    [sent, refused, shared] = world.alice.reads()
    assert sent.startswith(f"Posted in the thread of *{TITLE}*.")
    assert refused == (
        "`send` needs text after the name. For example: `/task send fix-login please add a test`."
    )
    assert shared.startswith(f"*{TITLE}*") or TITLE in shared
    world.bob.hears()
    thread.new_messages()


async def test_a_title_that_several_tasks_have_offers_each(world: World) -> None:
    """A command has a title that several of the person's tasks have. The answer shows each of them with its
    phase, and has a button for each. Another person's task with this title is left out."""
    thread, _ = await a_question(world)
    thread.new_messages()
    world.coder.add_task("bob", "fix the login redirect", name="of-bob")
    await world.alice.types(f"/task status {TITLE}")
    alone = world.alice.reads()
    world.coder.add_task("alice", "fix the login redirect", name="again")

    await world.alice.types(f"/task status {TITLE}")

    assert alone[0].startswith(f"Needs you: {TITLE}.")
    assert world.alice.reads() == [
        f"`{TITLE}` fits several tasks. Choose one, or type more of the name.\n•  Starting: {TITLE}\n"
        f"•  Needs you: {TITLE}. Waiting for a decision <{address(thread)}>\n"
        "[Status] [Status]"
    ]


@pytest.mark.parametrize(("name", "prompt"), [("fix-the-login", "do it"), ("of-bob", "Fix the login")])
async def test_a_shared_task_does_not_take_the_short_name_of_ones_own(
    world: World, name: str, prompt: str
) -> None:
    """Alice names her task by the start of its name. Bob shares a task with her that has exactly this name or
    title. The bot asks which of the two tasks she means, and sends nothing before her answer. The whole name
    of her task still works."""
    thread, task = await a_question(world)
    thread.new_messages()
    world.coder.add_task("bob", prompt, name=name)
    await world.polls()
    of_bob = await world.bob.runs(f"/task attach {name}")
    await world.bob.types(f"/task share {name} <@{world.alice.id}>")
    world.bob.reads()
    world.alice.hears()
    of_alice, typed = task.name, "fix-the-login" if name == "fix-the-login" else "Fix the login"

    await world.alice.types(f"/task send “{typed}” use main")
    [asked] = world.alice.reads()
    await world.alice.types(f"/task send {of_alice} use main")
    await world.passes(seconds=3)
    before = [each.inputs for each in world.coder.tasks]
    await world.alice.presses("Send", 1)
    await world.passes(seconds=60)

    assert asked.startswith(f"`{typed}` fits several tasks. Choose one, or type more of the name.\n")
    assert asked.endswith("[Send] [Send]")
    assert before == [["use main"], []]
    assert [each.inputs for each in world.coder.tasks] == [["use main"], ["Alice wrote:\n> use main"]]
    thread.new_messages()
    of_bob.new_messages()
    world.alice.reads()


@pytest.mark.parametrize("words", ["stop the music in the lobby", "status what we know", "delete old files"])
async def test_words_that_are_no_title_are_offered_as_a_prompt(world: World, words: str) -> None:
    """The words match no title. The bot offers to start a task with them, and does nothing before the
    press."""
    await a_task(world)
    verb, _, title = words.partition(" ")

    await world.alice.types(f"/task {words}")

    unknown = f"No task that you can see here fits `{title}`."
    if verb == "delete":
        assert (
            world.alice.dialog() == f"[Delete this task]\n{unknown} `/task list` shows the ones you can see."
        )
        return
    assert world.alice.reads() == [
        f"{unknown} Write `/task {verb} NAME`, or create a task with this text.\n> {words}\n[Create a task]"
    ]
    await world.alice.presses("Create a task")
    assert [task.prompt for task in world.coder.tasks][1:] == [words]
    world.alice.reads()
    assert len(world.cards()) == 1


async def test_a_title_is_known_while_coder_does_not_answer(world: World) -> None:
    """Coder fails, and a person asks for the status of a task by its title. The bot shows the last known
    state. If the words are no known title, the bot answers with an error."""
    await a_task(world)
    other = await world.alice.runs("/task create write the docs")
    await world.polls()

    async with world.coder.outage():
        await world.alice.types(f"/task status {TITLE}")
        await world.alice.types("/task status Write the docs")
        await world.alice.types("/task status something else")
        told = world.alice.reads()

    assert [text.partition(".")[0] for text in told] == [
        f"Working: {TITLE}",
        "Working: Write the docs",
        "Coder is not answering",
    ]
    assert other.new_messages() == []


async def test_words_in_the_middle_of_a_title_offer_its_task(world: World) -> None:
    """A command names a task by words from the middle of its title. The answer quotes all these words and
    shows the task. A press carries out the command, with the person whom it names."""
    base = await world.alice.runs("/task create name=img-7 update the base image")
    await world.alice.runs("/task create tidy the image cache")
    await world.polls()

    await world.alice.types(f"/task share base image <@{world.bob.id}>")
    await world.alice.types("/task status base image")
    asked = world.alice.reads()
    await world.alice.presses("Share")

    which = (
        "No task that you can see here fits `base image`. Did you mean this one?\n"
        f"•  Working: Update the base image <{address(base)}>"
    )
    assert asked == [f"{which}\n[Share]", f"{which}\n[Status]"]
    assert world.alice.reads() == [
        "Bob can steer *Update the base image*, but not delete, detach or share it. "
        "`/task unshare img-7 @Bob` ends that."
    ]
    world.bob.hears()


async def test_a_text_after_words_of_a_title_is_shown_before_it_is_sent(world: World) -> None:
    """A command to the agent begins with words from a title. The answer quotes the text that the agent would
    get, and sends it only after a press."""
    thread, task = await a_question(world)
    thread.new_messages()
    world.coder.add_task("alice", "write the login docs", name="docs")

    await world.alice.types("/task send login redirect use main & test")
    [asked], before = world.alice.reads(), list(task.inputs)
    await world.alice.presses("Send")
    await world.passes(seconds=3)

    assert asked == (
        "No task that you can see here fits `login redirect`. Did you mean this one?\n"
        f"•  Needs you: {TITLE}. Waiting for a decision <{address(thread)}>\n> use main & test\n[Send]"
    )
    assert (before, task.inputs) == ([], ["use main & test"])
    thread.new_messages()


async def test_a_word_of_a_teammates_title_is_only_offered(world: World) -> None:
    """Alice types a word that only the title of Bob's task has. His task is not hers to stop, so nothing is
    offered. The answer says whose task it is."""
    of_bob = await world.bob.runs("/task create clean the basement")
    await world.polls()

    await world.alice.types("/task stop basement")

    assert world.alice.reads() == [
        "There is no task `basement` that you can see here.\n`stop` doesn't work for this one now:\n"
        f"•  Working: Clean the basement, Bob <{address(of_bob)}>"
    ]
    assert world.task("clean-the-basement").status == "active"


@pytest.mark.parametrize(
    ("verb", "asked", "label", "titles"),
    [
        ("status", "Show the status of which task?", "Status", ["Quiet", "Loose", "Paused", TITLE]),
        ("logs", "Show the log of which task?", "Logs", ["Quiet", "Loose", "Paused", TITLE]),
        ("stop", "Stop which task?", "Stop", ["Quiet", "Loose", TITLE]),
        ("resume", "Resume which task?", "Resume", ["Paused"]),
        ("attach", "Give which task a thread here?", "Attach", ["Loose"]),
        ("detach", "Detach which task?", "Detach", ["Quiet", "Paused", TITLE]),
        ("mute", "Mute which task?", "Mute", ["Paused", TITLE]),
        ("unmute", "Unmute which task?", "Unmute", ["Quiet"]),
        ("share", "Share which task?", "Share", ["Quiet", "Paused", TITLE]),
        ("delete", "Delete which task?", "Delete…", ["Quiet", "Loose", "Paused", TITLE]),
        ("puase", "Stop which task?", "Stop", ["Quiet", "Loose", TITLE]),
    ],
)
async def test_a_verb_without_a_name_offers_the_tasks_for_which_it_does_something(
    world: World, verb: str, asked: str, label: str, titles: list[str]
) -> None:
    """A person types a verb and no name. The answer has the person's tasks for which the verb does something,
    the newest first, each with a button. Tasks of others are left out."""
    await _four_tasks(world)

    await world.alice.types(f"/task {verb}")

    first, *rows = world.alice.reads()[0].split("\n")
    found = [row.partition(": ")[2].partition(".")[0].partition(" <")[0] for row in rows[:-1]]
    found = [title.removesuffix(", muted") for title in found]
    assert (first, found, rows[-1]) == (asked, titles, " ".join([f"[{label}]"] * len(titles)))


async def test_stop_is_offered_only_for_tasks_that_can_be_stopped(world: World) -> None:
    """The name in `/task stop` fits a task that runs, a paused one, and one of Bob in this channel. Only the
    first has *Stop*; the answer shows the others with their state."""
    thread, _ = await a_task(world)
    other = await world.alice.runs("/task create fix the header")
    of_bob = await world.bob.runs("/task create fix the footer")
    await world.polls()
    world.task("fix-the-header").becomes("working", "On it")
    await world.polls()
    await world.alice.types("/task stop fix-the-header")
    await world.polls()
    await world.passes(seconds=10)
    world.alice.reads()
    world.reader.read_all()

    await world.alice.types("/task stop fix")
    await world.alice.types("/task resume fix")
    [stop, resume] = world.alice.reads()
    await world.alice.presses("Stop")
    await world.polls()
    await world.alice.types("/task stop fix")

    running = f"•  Working: {TITLE}. Reading the code <{address(thread)}>"
    paused = f"•  Paused: Fix the header. On it <{address(other)}>"
    bobs = f"•  Working: Fix the footer, Bob <{address(of_bob)}>"
    several = "`fix` fits several tasks."
    choose = "Choose one, or type more of the name."
    assert (
        stop == f"{several} {choose}\n{running}\n`stop` doesn't work for these now:\n{paused}\n{bobs}\n[Stop]"
    )
    assert (
        resume
        == f"{several} {choose}\n{paused}\n`resume` doesn't work for these now:\n{running}\n{bobs}\n[Resume]"
    )
    assert world.alice.reads()[-1].startswith(f"{several}\n`stop` doesn't work for these now:\n")
    await world.passes(seconds=10)
    world.reader.read_all()


async def test_a_press_below_a_task_carries_out_the_verb(world: World) -> None:
    """A person types `/task mute` and presses *Mute* below the second task."""
    await _four_tasks(world)
    await world.alice.types("/task mute")

    await world.alice.presses("Mute", 1)

    [asked, muted] = world.alice.reads()
    assert asked == f"Understood as `/task mute alice/{world.task('fix-the-login-redirect').name}`."
    assert muted.startswith(f"Muted: I call nobody about *{TITLE}*, not even its watchers.")


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("resume", "You have no task to resume.\n[My tasks]"),
        ("unshare", "You have no task to unshare.\n[My tasks]"),
        ("send", "Which task? Write `/task send NAME TEXT`.\n[My tasks]"),
        ("edit", "Which task? Write `/task edit NAME TEXT`.\n[My tasks]"),
    ],
)
async def test_a_verb_without_a_task_for_it_offers_the_list(world: World, typed: str, told: str) -> None:
    """A person types a verb that does nothing for any of the person's tasks, or that also needs a text."""
    await a_task(world)

    await world.alice.types(f"/task {typed}")
    asked = world.alice.reads()
    await world.alice.presses("My tasks")

    assert asked == [told]
    assert f"•  Working: {TITLE}. Reading the code" in world.alice.sees()


async def test_of_many_tasks_the_newest_are_offered(world: World) -> None:
    """A person has more tasks than an answer can offer. The answer has the five newest, and a button for the
    list of all."""
    for number in range(7):
        world.coder.add_task("alice", f"task {number}", name=f"task-{number}")
        await world.passes(seconds=1)

    await world.alice.types("/task status")

    rows = "\n".join(f"•  Starting: Task {number}" for number in (6, 5, 4, 3, 2))
    assert world.alice.reads() == [
        f"Show the status of which task? 2 more are not shown here.\n{rows}\n"
        "[Status] [Status] [Status] [Status] [Status] [My tasks]"
    ]


async def test_a_verb_without_a_name_in_a_direct_message_offers_the_tasks(world: World) -> None:
    """Without `/task`, in a direct message, a verb alone offers the same tasks."""
    await a_task(world)

    await world.alice.writes_directly("stop")
    [asked] = world.alice.reads()
    await world.alice.presses("Stop")

    assert asked.startswith(f"Stop which task?\n•  Working: {TITLE}. Reading the code <")
    assert world.task("fix-the-login-redirect").status == "paused"
    world.alice.reads()
    await world.polls()
    world.reader.read_all()


async def _four_tasks(world: World) -> None:
    """Make four tasks of Alice, the newest last: working, paused, without a thread, and muted. Make one of
    Bob too."""
    await a_task(world)
    await world.alice.runs("/task create name=paused paused")
    world.task("paused").becomes("working", "On it")
    await world.polls()
    await world.alice.types("/task stop paused")
    await world.polls()
    await world.passes(seconds=10)
    world.coder.add_task("alice", "loose", name="loose")
    await world.alice.runs("/task create name=quiet quiet")
    world.task("quiet").becomes("working", "On it")
    await world.polls()
    await world.alice.types("/task mute quiet")
    await world.bob.runs("/task create of bob")
    await world.polls()
    await world.passes(seconds=10)
    world.reader.read_all()
