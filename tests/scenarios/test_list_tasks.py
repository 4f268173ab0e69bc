"""`/task list`, `status` and `logs` are queries. The bot answers only the person who asks."""

import json
import re

import pytest

from .running_tasks import PULL, timeless
from .world import World

HEAD = "Tasks"


def titles(answer: str) -> list[str]:
    """Return the lines of a list, without the reports, the links and the buttons."""
    lines = [line for line in answer.split("\n") if line.startswith("•")]
    return [line.split(" <")[0].split(". ")[0] for line in lines]


def shown_lines(world: World) -> list[list[str]]:
    """Return the lines of each task in the newest list, as Slack shows them."""
    blocks = world.slack.ephemerals("alice")[-1].body["blocks"]
    rows = [block["elements"][0]["elements"] for block in blocks if block["type"] == "rich_text"]
    texts = ["".join(str(piece.get("text") or piece.get("format", "")) for piece in row) for row in rows]
    return [text.strip().split("\n") for text in texts if "\n" in text]


async def test_without_tasks_the_list_says_how_to_start(world: World) -> None:
    """The person has no tasks, and the answer says how to start one."""
    await world.alice.types("/task list")

    assert world.alice.reads() == [
        "You have no tasks yet. `/task create PROMPT` creates one, and `/task create` alone opens a form."
    ]


async def test_the_list_shows_what_needs_the_person_first(world: World) -> None:
    """The list has three groups in this order: tasks that need the person, running tasks, paused tasks. Each
    task has two lines and a link to its thread."""
    thread = await world.alice.runs("/task create ask me")
    await world.polls()
    asking = world.task("ask-me")
    asking.becomes("working", "Reading")
    await world.polls()
    asking.becomes("idle", "Which branch?")
    await world.polls()
    await world.passes(seconds=25)
    assert len(thread.new_messages()) == 1
    resting = world.coder.add_task("alice", "rest a little", name="resting")
    resting.becomes("working")
    resting.pause()
    world.coder.add_task("alice", "work hard", name="busy").becomes("working", "On it")

    await world.alice.types("/task list")

    [answer] = world.alice.reads()
    link = world.slack.backend.permalink(thread.channel, thread.ts)
    assert titles(answer) == [
        "•  Needs you: Ask me",
        "•  Working: Work hard",
        "•  Paused: Rest a little",
    ]
    assert answer == (
        f"Tasks:\n•  Needs you: Ask me. Which branch? <{link}>\n•  Working: Work hard. On it\n"
        "•  Paused: Rest a little"
    )
    [about] = [lines for lines in shown_lines(world) if lines[0].startswith("Ask me")]
    assert about == ["Ask me · Needs you · {ago}", f"Which branch? · thread · {asking.name}"]


async def test_what_needs_the_person_is_listed_though_it_was_paused(world: World) -> None:
    """Coder has stopped the idle workspaces. Tasks with an open question, a failure or an unread pull request
    still need the person. The list shows the questions first. The Home tab shows only the tasks with a
    thread."""
    threads = []
    for word in ("ask", "fail", "end", "work"):
        threads.append(await world.alice.runs(f"/task create {word}"))
        await world.passes(seconds=2)
    await world.polls()
    asking, failing, ending, working = (world.task(word) for word in ("ask", "fail", "end", "work"))
    for task in (asking, failing, ending, working):
        task.becomes("working", "Reading")
    await world.polls()
    asking.becomes("idle", "Which branch?")
    failing.becomes("failed", "The build does not pass")
    ending.becomes("complete", "Opened PR #1", PULL)
    await world.polls()
    await world.passes(seconds=25)
    for task in (asking, failing, ending, working):
        task.pause_by_timeout()
        await world.polls()
        await world.passes(seconds=3)
    assert [len(thread.new_messages()) for thread in threads] == [2, 2, 2, 1]
    world.coder.add_task("alice", "tell me", name="loose").becomes("idle", "Which one?")
    world.task("loose").pause_by_timeout()
    world.coder.add_task("alice", "go on", name="at-rest").becomes("complete", "Opened PR #2")
    world.task("at-rest").pause_by_timeout()

    await world.alice.types("/task list needs-me")
    await world.alice.types("/task list")
    await world.alice.types("/task")
    home = await world.alice.opens_home()

    needing, everything, overview = world.alice.reads()
    assert titles(needing) == [
        "•  Paused, its agent still needs you: Tell me",
        "•  Paused, its agent still needs you: Ask",
        "•  Paused, its agent failed: Fail",
        "•  Paused, a pull request to look at: End",
    ]
    assert titles(overview) == titles(needing)
    assert "Nothing is running.\n" in overview
    assert re.findall(r":\w+: (Tell me|Ask|Fail|End|Go on|Work)", home) == ["Ask", "Fail", "End", "Work"]
    assert "\n*Paused or finished lately*\n:double_vertical_bar: Work" in home
    assert titles(everything) == [
        *titles(needing)[:3],
        "•  Paused, its agent was done: Go on",
        "•  Paused, its agent was done: End",
        "•  Paused: Work",
    ]


async def test_tasks_of_a_group_are_in_the_order_of_the_ages_in_their_lines(world: World) -> None:
    """Three agents ask, and the oldest task asks last. The lists and the Home tab show the latest question
    first, because each line shows the age of its question."""
    words = ("first", "second", "third")
    threads = []
    for word in words:
        threads.append(await world.alice.runs(f"/task create {word}"))
        await world.passes(seconds=2)
    await world.polls()
    for word in words:
        world.task(word).becomes("working", "Reading")
    await world.polls()
    for word in ("second", "third", "first"):
        world.task(word).becomes("idle", "Which branch?")
        await world.polls()
        await world.passes(seconds=25)

    await world.alice.types("/task list")
    await world.alice.types("/task")
    home = await world.alice.opens_home()

    asked = [f"•  Needs you: {word}" for word in ("First", "Third", "Second")]
    listed, overview = world.alice.reads()
    assert (titles(listed), titles(overview)) == (asked, asked)
    assert re.findall(r": (First|Second|Third) ·", home) == ["First", "Third", "Second"]
    assert [len(thread.new_messages()) for thread in threads] == [1, 1, 1]


async def test_a_done_task_that_its_person_paused_is_at_rest(world: World) -> None:
    """The owner pauses one of two finished tasks, so they have read its result. The list shows this task as
    paused, after the other finished task."""
    for word in ("first", "second"):
        thread = await world.alice.runs(f"/task create {word}")
        await world.polls()
        world.task(word).becomes("working", "On it")
        await world.polls()
        world.task(word).becomes("complete", "Opened PR #1")
        await world.polls()
        await world.passes(seconds=5)
        await world.polls()
        thread.new_messages()
    await world.alice.types("/task pause second")
    await world.polls()
    await world.passes(seconds=5)
    world.alice.reads()
    thread.new_messages()

    await world.alice.types("/task list")

    assert titles(world.alice.reads()[0]) == ["•  Done: First", "•  Paused: Second"]


async def test_a_failure_needs_the_person(world: World) -> None:
    """In the list, a failed task comes after the tasks with an open question, and before the working
    tasks."""
    thread = await world.alice.runs("/task create lose it")
    await world.polls()
    world.task("lose-it").becomes("failed", "The build does not pass")
    await world.polls()
    assert len(thread.new_messages()) == 1
    for name, state in (("busy", "working"), ("asks", "idle")):
        world.coder.add_task("alice", name, name=name).becomes(state, "So it is")
    world.coder.add_task("alice", "broken", name="broken").build_fails()
    await world.passes(seconds=301)

    await world.alice.types("/task list needs-me")

    [answer] = world.alice.reads()
    assert titles(answer) == [
        "•  Needs you: Asks",
        "•  Broken: Broken",
        "•  Failed: Lose it",
    ]


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("list", ["busy", "resting", "theirs"]),
        ("list all", ["busy", "resting", "theirs"]),
        ("list mine", ["busy", "resting"]),
        ("list paused", ["resting"]),
        ("list Active", ["busy", "theirs"]),
        ("list working", ["busy", "theirs"]),
        ("list done", []),
        ("list owner=bob", ["theirs"]),
        ("list owner=@bob", ["theirs"]),
        ("list active owner=Alice", ["busy"]),
        ("list --owner=bob paused", []),
        ("list needs me", []),
    ],
)
async def test_the_list_can_be_narrowed(world: World, line: str, shown: list[str]) -> None:
    """The person can filter by owner, by the card's phase and by Coder's status. Case and order do not
    matter."""
    admin = world.person("dora")
    await world.restarts(admins=(admin.id,))
    await world.slack.join(admin.id, "general")
    world.coder.add_task("alice", "busy", name="busy").becomes("working")
    world.coder.add_task("alice", "resting", name="resting").pause()
    world.coder.add_task("bob", "theirs", name="theirs").becomes("working")
    requester = world.alice if "mine" in line else admin

    await requester.types(f"/task {line}")

    answers = requester.reads()
    assert sorted(line.split(": ")[1].split(",")[0].lower() for line in titles(answers[0])) == shown


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("list pasued", "There is no list `pasued`.\n[List paused]"),
        (
            "list nonsense",
            "There is no list `nonsense`. Choose one: mine, all, needs-me, working, done, failed, paused.",
        ),
        ("list page=0", "Not a page: `0`. Write `page=2` for the second."),
        ("list mine owner=bob", "`mine` and `owner=` ask for different tasks. Keep one of the two."),
        ("list ownr=bob", "There is no option `ownr`.\n[Use owner=…]"),
        ("list paused", "No task fits `paused`. `/task list` shows all tasks you can see."),
        ("list needs-me", "Nothing needs you right now. `/task list` shows all tasks you can see."),
        ("list owner=nobody", "No task fits `owner=nobody`. `/task list` shows all tasks you can see."),
        ("lst", "Show your tasks?\n[List]"),
    ],
)
async def test_a_list_of_nothing_says_what_to_do(world: World, line: str, says: str) -> None:
    """A person mistypes a filter, and the answer has the nearest filter or all of them. If no task fits a
    filter, the answer names a list that has more tasks."""
    await world.alice.types(f"/task {line}")

    assert world.alice.reads() == [says]


async def test_a_filter_by_somebody_without_an_account_tells_nothing_of_them(world: World) -> None:
    """Alice lists the tasks of Carol, who has no Coder account. The answer says only that the bot does not
    know Carol's account. It has no e-mail address and no reason."""
    carol = world.person("carol", in_coder=False)

    await world.alice.types(f"/task list owner=<@{carol.id}>")

    assert world.alice.reads() == [
        f"I don't know the Coder account of <@{carol.id}>. Use their Coder name: `owner=NAME`."
    ]


async def test_a_long_list_has_pages(world: World) -> None:
    """A long list has pages, with the latest changes first. A button shows another page in the same
    message."""
    world.coder.add_tasks(23, "alice")

    await world.alice.types("/task list")
    [first] = world.alice.reads()
    await world.alice.presses("Next page")
    second = world.alice.sees()
    await world.alice.presses("Next page")
    third = world.alice.sees()
    await world.alice.presses("Previous page")

    assert (first.split("\n")[0], len(titles(first))) == ("Tasks · page 1 of 3:", 10)
    assert second.endswith("[Previous page] [Next page]")
    assert (third.split("\n")[0], len(titles(third))) == ("Tasks · page 3 of 3:", 3)
    assert world.alice.sees() == second
    assert len({*titles(first), *titles(second), *titles(third)}) == 23


async def test_a_page_beyond_the_last_is_the_last(world: World) -> None:
    """A person asks for page 9 of a list with two pages, perhaps because tasks have vanished. The bot shows
    the last page."""
    world.coder.add_tasks(12, "alice")

    await world.alice.types("/task list page=9")

    assert world.alice.reads()[0].startswith("Tasks · page 2 of 2:")


async def test_status_shows_the_card_as_it_is_now(world: World) -> None:
    """`/task status` shows what the card shows now. The bot reads the task from Coder again for this. The
    answer links to the thread."""
    thread = await world.alice.runs("/task create fix it")
    await world.polls()
    task = world.task("fix-it")
    task.status_is("error")

    await world.alice.types(f"/task status {task.name}")

    [answer] = world.alice.reads()
    assert "Agent not reachable since" in answer
    assert "not reachable" not in thread.card()
    assert answer.endswith(
        ">\n[Open thread] [Retry] [⋯ Open in Coder, Follow, Logs, Mute, New like this, Share, Detach, Delete]"
    )


async def test_status_of_a_task_without_a_thread_says_how_to_get_one(world: World) -> None:
    """A person asks for the status of a task that has no thread. The answer names `/task attach`. Its buttons
    only open pages, because such a task has no queue for jobs."""
    task = world.coder.add_task("alice", "fix it", name="loose")
    task.becomes("complete", "Opened PR #1", "https://example.com/a/b/pull/1")

    await world.alice.types("/task status loose")

    assert world.alice.reads() == [
        "Done: Fix it. Opened PR #1. Owner: alice. Template: Tasks on Docker. It has no thread. "
        "`/task attach loose` gives it one in the channel where you type it. "
        "<https://example.com/a/b/pull/1> "
        f"<{world.coder.url}/tasks/alice/{task.id}>\n[View pull request (example.com)] [Open in Coder]"
    ]


@pytest.mark.parametrize(
    "name",
    ["fix-login", "fix-lo", "alice/fix-login", "@alice/fix-login", "FIX-LOGIN", "“fix-login”", "ID", "URL"],
)
async def test_a_task_is_named_in_any_way(world: World, name: str) -> None:
    """In a command, a person can name a task by its name, by the start of its name, or by owner/name. Its id
    and a link to its page work too."""
    task = world.coder.add_task("alice", "fix it", name="fix-login")
    typed = {"ID": task.id, "URL": f"{world.coder.url}/tasks/alice/{task.id}"}.get(name, name)

    await world.alice.types(f"/task status {typed}")

    assert "Fix it. " in world.alice.reads()[0]


async def test_a_beginning_that_fits_several_lists_them(world: World) -> None:
    """A person types the start of a task's name, and several names begin so. The answer lists all these
    tasks."""
    world.coder.add_task("alice", "one", name="fix-login")
    world.coder.add_task("alice", "two", name="fix-logout")

    await world.alice.types("/task status fix")
    await world.alice.types("/task status fix-lgoin")
    await world.alice.types("/task status nothing-like-it")
    await world.alice.types("/task status fix_login")
    await world.alice.types("/task status")

    assert world.alice.reads() == [
        "`fix` fits several tasks. Choose one, or type more of the name.\n•  Starting: Two\n"
        "•  Starting: One\n[Status] [Status]",
        "There is no task `fix-lgoin` that you can see here. Did you mean this one?\n•  Starting: One\n"
        "[Status]",
        (
            "There is no task `nothing-like-it` that you can see here. `/task list` shows the ones you "
            "can see."
        ),
        "Not a task's name: `fix_login`. Give its name or title, `owner/name`, its id, or a link to it in "
        "Coder; `/task list` shows them.",
        "Show the status of which task?\n•  Starting: Two\n•  Starting: One\n[Status] [Status]",
    ]


async def test_logs_show_what_the_agent_wrote_last(world: World) -> None:
    """`/task logs` shows the text that the agent wrote last. If the agent has written nothing yet, the answer
    says so."""
    task = world.coder.add_task("alice", "fix it", name="fix")
    await world.alice.types("/task logs fix")
    task.becomes("working", "On it")
    task.says("I have read the code.\n\nNow I write a test.")

    await world.alice.types("/task logs fix")

    assert world.alice.reads() == [
        "The agent of *Fix it* has written nothing yet.",
        "What the agent of *Fix it* wrote last:\nI have read the code. Now I write a test.\n"
        "I have read the code.\nNow I write a test.",
    ]


async def test_the_whole_log_comes_as_a_file_in_direct_messages(world: World) -> None:
    """A person asks for the whole log. The bot sends a file by direct message, because Slack cannot show a
    file to only one person of a channel."""
    task = world.coder.add_task("alice", "fix it", name="fix")
    task.becomes("working", "On it")
    task.says("\n\n".join(f"Line {number} of what I did." for number in range(400)))

    await world.alice.types("/task logs fix full")

    assert world.alice.reads() == [
        "The whole log of *Fix it* is in your direct messages with me.\n[Open the file]",
    ]
    [shared] = world.slack.messages(world.slack.open_direct("alice").id)
    assert [file["name"] for file in shared["files"]] == ["fix.log"]
    assert world.cards() == ["(file fix.log)"]


async def test_logs_that_cannot_be_read_now_are_said_so(world: World) -> None:
    """A person asks for a log that cannot be read now. The answer says why, and when to try again."""
    world.coder.add_task("alice", "fix it", name="broken").status_is("error")
    lost = world.coder.add_task("alice", "fix that", name="lost")
    lost.becomes("working", "Reading <the> code")
    lost.agent_is_unreachable()
    await world.passes(seconds=60)

    await world.alice.types("/task logs broken")
    await world.alice.types("/task logs lost")

    assert [timeless(said) for said in world.alice.reads()] == [
        "Coder shows no log of *Fix it* now. Try again when the task runs or is paused.",
        "The agent of *Fix that* is not reachable, so I can't read its log. Its last report was <{ago}>: "
        "“Reading code”. Try again when the agent is back, or press *Retry* on the task's card.",
    ]
    assert [seen.path for seen in world.coder.requests if seen.route == "tasks.logs"] == [
        f"/api/v2/tasks/me/{world.task('broken').id}/logs"
    ]


async def test_a_task_that_is_attached_late_has_needed_somebody_since_it_said_so(world: World) -> None:
    """An agent asks a question, and its task is attached ten minutes later. The list shows the time of the
    question, not the time of `/task attach`."""
    task = world.coder.add_task("alice", "fix it", name="fix")
    task.becomes("idle", "Which branch?")
    said_at = int(world.clock.time())
    await world.passes(seconds=600)
    await world.alice.runs("/task attach fix")
    await world.polls()
    await world.passes(seconds=25)
    await world.polls()

    await world.alice.types("/task list")

    world.alice.reads()
    shown = json.dumps(world.slack.ephemerals("alice")[-1].body)
    (since,) = re.findall(r'"timestamp": (\d+)', shown)
    assert abs(int(since) - said_at) <= 1


async def test_a_log_of_more_than_a_million_characters_comes_whole(world: World) -> None:
    """A log has more than a million characters. The file with the whole log leaves nothing out."""
    task = world.coder.add_task("alice", "fix it", name="fix")
    task.becomes("working", "On it")
    calls = "\n\n".join(f"⏺ Read(src/module_{number}.py)\n  ⎿  {'long ' * 30}" for number in range(7_000))
    task.says(f"{calls}\n\n⏺ All read.")

    await world.alice.types("/task logs fix full")

    assert world.alice.reads() == [
        "The whole log of *Fix it* is in your direct messages with me.\n[Open the file]",
    ]
    [file] = world.slack.backend.files.files.values()
    text = file.content.decode()
    assert len(text) > 1_000_000
    assert text.count("Read(src/module_") == 7_000
    assert text.endswith("⏺ All read.")
    assert world.cards() == ["(file fix.log)"]
