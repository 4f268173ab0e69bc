"""The notice about an agent that has stopped shows an excerpt of the agent's text: readable, once, and
harmless."""

from typing import cast

from taskwire.agent.log import MOST_WITH_STEPS
from taskwire.state.retention import STEPS
from taskwire_sandbox.coder.faults import Fault, bad_gateway
from taskwire_sandbox.coder.steps import BuildPlan
from taskwire_sandbox.coder.wire import Response
from taskwire_sandbox.slack import CallFault
from taskwire_sandbox.slack.errors import Json

from .running_tasks import TITLE, a_task
from .world import World

SECRET = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"


async def test_each_excerpt_begins_where_the_last_one_ended(world: World) -> None:
    """The agent stops several times, and each notice has an excerpt. An excerpt has only the text that the
    agent wrote after the previous excerpt."""
    thread, task = await a_task(world)
    task.says("I read the code.")
    task.says("The bug is in auth.py.")
    task.becomes("complete", "Found it")
    await world.polls()
    task.says("I wrote a test.")
    task.becomes("complete", "Tested it")
    await world.polls()
    await world.alice.replies(thread, "and now fix it")
    await world.passes(seconds=3)
    task.says("It is fixed.")
    task.becomes("complete", "Fixed it")
    await world.polls()

    done = f"Done: {TITLE}. Reply here if there is more to do."
    assert thread.new_messages() == [
        f"<@{world.alice.id}> I read the code.\n{done}\nThe bug is in auth.py.",
        f"<@{world.alice.id}> I wrote a test.\n{done}",
        f"<@{world.alice.id}> It is fixed.\n{done}",
    ]


async def test_an_excerpt_is_what_a_person_wants_to_read(world: World) -> None:
    """The agent's terminal adds padding and line wraps to its text. The excerpt in the notice has the text
    without them."""
    thread, task = await a_task(world)
    task.says(
        "The redirect loses its query because the handler builds the address from the path alone and "
        "never looks at what came behind the question mark.",
        has_terminal_format=True,
    )
    task.becomes("idle", "Which one?")
    await world.polls()
    await world.passes(seconds=20)

    assert thread.new_messages() == [
        f"<@{world.alice.id}> The redirect loses its query because the handler builds the address from the "
        "path alone and never looks at what came behind the question mark.\n"
        f"Needs you: {TITLE}. Reply here to go on."
    ]


async def test_a_long_answer_shows_its_beginning_and_comes_whole_as_a_file_once(world: World) -> None:
    """The notice shows the beginning of a long answer, up to the end of a paragraph. The bot also shares the
    whole answer as a file. It shares one file, even if Slack's answer to the upload is lost."""
    thread, task = await a_task(world)
    task.says("\n\n".join(f"Module {number} is read, and nothing in it is wrong." for number in range(200)))
    task.becomes("complete", "All done")
    world.slack.faults.add("files.completeUploadExternal", CallFault.DONE_THEN_CUT)

    await world.polls()
    for _ in range(12):
        await world.passes(seconds=10)

    notice, file = thread.new_messages()
    assert notice.startswith(
        f"<@{world.alice.id}> Module 0 is read, and nothing in it is wrong.\nDone: {TITLE}. "
        "Reply here if there is more to do.\nModule 1 is read, and nothing in it is wrong.\n"
    )
    assert notice.endswith("\nModule 61 is read, and nothing in it is wrong.")
    assert file == f"(file {task.name}.md)"
    shared = next(iter(world.slack.backend.files.files.values())).content.decode()
    assert shared.startswith("Module 0 is read")
    assert shared.rstrip().endswith("Module 199 is read, and nothing in it is wrong.")


async def test_the_end_of_an_output_without_an_answer_comes_whole_as_a_file(world: World) -> None:
    """The agent wrote 200 lines of output and no answer. The notice has the agent's report and the last of
    these lines. A file has the whole output."""
    thread, task = await a_task(world)
    task.says("\n".join(f"INFO step {number} is done" for number in range(200)))
    task.becomes("complete", "All done")

    await world.polls()

    notice, file = thread.new_messages()
    lines = notice.split("\n")
    assert lines[:2] == [
        f"<@{world.alice.id}> All done.",
        f"Done: {TITLE}. Reply here if there is more to do.",
    ]
    assert lines[2] == "| … 142 lines are left out above"
    assert lines[-1] == "| INFO step 199 is done"
    assert file == f"(file {task.name}.log)"


async def test_nothing_that_the_agent_writes_calls_anybody_or_shows_a_secret(world: World) -> None:
    """An agent writes mentions and secrets. The notice, the file, the card and the report mention nobody and
    show no secret."""
    thread, task = await a_task(world)
    secrets = [SECRET, world.settings.slack_bot_token.get_secret_value(), world.settings.service_token]
    live = f"<!channel> <@{world.bob.id}> @here <!subteam^S0123456>"
    task.says(f"{live}\n\n" + "\n\n".join(f"token: {secret}" for secret in secrets))
    task.says("\n\n".join(f"Line {number} <!everyone> {SECRET}" for number in range(100)))
    task.becomes("complete", f"Look <!channel> {SECRET}")
    await world.polls()
    await world.passes(seconds=10)

    posted = "\n".join(str(call.arguments) for call in world.slack.calls if call.method != "auth.test")
    files = [file.content.decode() for file in world.slack.backend.files.files.values()]
    thread.new_messages()
    assert len(files) == 1
    for text in (posted, *files):
        assert not [secret for secret in secrets if secret in text]
        assert "<!channel" not in text
        assert "<!everyone" not in text
        assert f"<@{world.bob.id}>" not in text
        assert "<!subteam" not in text


async def test_a_snapshot_is_no_news(world: World) -> None:
    """A task ends and is paused before the next poll. Coder then has only the log that it saved at the pause.
    The notice of the end has no excerpt of this saved log."""
    thread, task = await a_task(world)
    task.says("I wrote a test.")
    task.becomes("complete", "Tested it")
    task.pause()

    await world.polls()

    assert thread.new_messages() == [
        f"<@{world.alice.id}> Tested it.\nDone: {TITLE}. Reply here if there is more to do.",
        f"Paused: {TITLE}. The workspace was stopped in Coder. Nothing is lost: a reply resumes it.\n"
        "[Resume] [Edit prompt]",
    ]


async def test_what_was_written_before_a_task_got_its_thread_is_not_news_in_it(world: World) -> None:
    """A task with an old log is attached to a new thread. The excerpts in this thread have only text that the
    agent writes later."""
    task = world.coder.add_task("alice", "tidy the docs")
    await world.passes(seconds=60)
    task.says("All of this is old.")
    task.becomes("working", "Tidying")
    thread = await world.alice.runs(f"/task attach {task.name}")
    await world.polls()
    task.says("This is new.")
    task.becomes("complete", "Tidied")
    await world.polls()

    assert thread.new_messages() == [
        f"<@{world.alice.id}> This is new.\nDone: Tidy the docs. Reply here if there is more to do."
    ]


async def test_an_agent_that_does_not_answer_holds_up_no_notice(world: World) -> None:
    """The bot cannot read the agent's log, so it posts the notice without an excerpt. The next notice has the
    text that was missing."""
    thread, task = await a_task(world)
    task.says("I read the code.")
    task.becomes("complete", "Found it")
    world.coder.plan_fault("tasks.logs", bad_gateway())
    await world.polls()
    first = thread.new_messages()
    task.says("I wrote a test.")
    task.becomes("complete", "Tested it")
    await world.polls()

    assert first == [f"<@{world.alice.id}> Found it.\nDone: {TITLE}. Reply here if there is more to do."]
    assert thread.new_messages() == [
        f"<@{world.alice.id}> I read the code.\nDone: {TITLE}. Reply here if there is more to do.\n"
        "I wrote a test."
    ]


async def test_a_log_of_another_kind_breaks_no_notice(world: World) -> None:
    """Coder answers with a page that is no log. The bot posts the notice without an excerpt."""
    thread, task = await a_task(world)
    task.becomes("complete", "Found it")
    world.coder.plan_fault("tasks.logs", Fault("nonsense", answer=Response(200, b"<html>Bad gateway</html>")))
    await world.polls()

    assert thread.new_messages() == [
        f"<@{world.alice.id}> Found it.\nDone: {TITLE}. Reply here if there is more to do."
    ]


async def test_a_build_log_calls_nobody_and_shows_no_secret_either(world: World) -> None:
    """A template's build writes a mention and a secret. The notice mentions nobody and masks the secret."""
    world.coder.template.plan = BuildPlan(error=f"<!channel> {SECRET}", build_log=(f"@here {SECRET}",))
    thread = await world.alice.runs("/task create fix the login redirect")
    await world.polls()
    await world.passes(seconds=301)

    posted = "\n".join(str(call.arguments) for call in world.slack.calls if call.method != "auth.test")
    assert len(thread.new_messages()) == 1
    assert "<!channel" not in posted
    assert "@here" not in posted
    assert SECRET not in posted


TURN = """\
⏺ I'll look at the handler first.

⏺ Read(src/auth.py)
  ⎿  Read 120 lines

⏺ Bash(pytest -q)
  ⎿  127 passed in 6.38s

⏺ The redirect keeps its query now:

  - `login()` reads **next** first
  - see [the docs](https://docs.example.com/next) :fire:

  Shall I open a pull request?
"""


async def test_a_question_comes_first_then_the_answer_then_one_line_for_the_steps(world: World) -> None:
    """A notice shows the agent's question, then the rest of its answer, then one line about its steps. In the
    answer, a link shows its address, and no text becomes an emoji."""
    thread, task = await a_task(world)
    task.says(TURN)
    task.becomes("idle", "Fixed the redirect")
    await world.polls()
    await world.passes(seconds=20)

    assert thread.new_messages() == [
        f"<@{world.alice.id}> Shall I open a pull request?\n"
        f"Needs you: {TITLE}. Reply here to go on.\n"
        "The redirect keeps its query now:\n"
        "• login() reads next first\n"
        "• see the docs (https://docs.example.com/next) :\u2060fire:\n"
        "2 steps · 127 tests passed [Show steps]"
    ]


async def test_the_steps_are_shown_to_the_person_who_asks(world: World) -> None:
    """A person presses *Show steps* on a notice. The bot shows them what the agent did in that turn, even
    after the task was deleted."""
    thread, task = await a_task(world)
    task.says(TURN)
    task.becomes("complete", "Fixed the redirect")
    await world.polls()
    task.delete()
    await world.polls()

    await world.alice.clicks(thread, "Show steps")

    assert world.alice.reads() == [
        f"What the agent of *{TITLE}* did:\n"
        "| I'll look at the handler first.\n"
        "| \n"
        "| ▸ Read(src/auth.py)\n"
        "|   ↳ Read 120 lines\n"
        "| \n"
        "| ▸ Bash(pytest -q)\n"
        "|   ↳ 127 passed in 6.38s"
    ]
    thread.new_messages()


def small_print(world: World) -> list[str]:
    """Return the texts without markup in the newest message that only Alice sees."""
    blocks = cast("list[Json]", world.slack.ephemerals(world.alice.id)[-1].body["blocks"])
    texts = [block.get("text") for block in blocks if block["type"] == "section"]
    texts += [piece for block in blocks if block["type"] == "context" for piece in block["elements"]]
    return [str(text["text"]) for text in texts if isinstance(text, dict)]


async def test_many_steps_end_with_the_newest_and_come_as_a_file(world: World) -> None:
    """A person presses *Show steps*, and the steps are too long for a message. The bot shows the last ones in
    their order, and sends all of them as a file."""
    thread, task = await a_task(world)
    calls = "\n\n".join(f"⏺ Read(src/module_{number:03}.py)\n  ⎿  Read 60 lines" for number in range(150))
    task.says(f"{calls}\n\n⏺ I read them all.")
    task.becomes("complete", "Read them")
    await world.polls()

    await world.alice.clicks(thread, "Show steps")

    first, *shown, last = world.alice.sees().split("\n")
    heads = [line for line in shown if line.startswith("| ▸ ")]
    assert first == f"What the agent of *{TITLE}* did last ({len(heads)} of 150 steps):"
    assert heads == [f"| ▸ Read(src/module_{number:03}.py)" for number in range(150 - len(heads), 150)]
    assert (shown[0], shown[-1], last) == ("| …", "|   ↳ Read 60 lines", "[Open the file]")
    assert small_print(world)[1:] == ["All steps are in your direct messages with me."]
    world.alice.reads()
    assert world.cards() == [f"(file {task.name}-steps.txt)"]
    assert thread.new_messages() == [
        f"<@{world.alice.id}> I read them all.\nDone: {TITLE}. Reply here if there is more to do.\n"
        "150 steps [Show steps]"
    ]


async def test_the_steps_of_the_newest_notices_are_kept(world: World) -> None:
    """An agent ends one turn after the other. The steps of the newest ten notices are stored, and no more."""
    thread, task = await a_task(world)
    for number in range(MOST_WITH_STEPS + 3):
        task.becomes("working", "Next")
        await world.polls()
        task.says(f"⏺ Read(src/module_{number}.py)\n  ⎿  Read 60 lines\n\n⏺ Part {number} is ready.")
        task.becomes("complete", f"Part {number}")
        await world.polls()
        await world.passes(seconds=31)
    thread.new_messages()

    pattern = world.keys.named("notes", STEPS, "*")
    kept = [key async for key in world.connections.commands.scan_iter(pattern)]
    await world.alice.clicks(thread, "Show steps")

    assert len(kept) == MOST_WITH_STEPS
    assert "Read(src/module_12.py)" in world.alice.reads()[0]


async def test_steps_that_are_no_longer_kept_say_so(world: World) -> None:
    """A person presses *Show steps* on an old notice, and the bot no longer has the steps. The bot answers
    that they are too old, and how to get the log."""
    thread, task = await a_task(world)
    task.says(TURN)
    task.becomes("complete", "Fixed the redirect")
    await world.polls()
    thread.new_messages()
    _, action, value = thread.button("Show steps")

    await world.alice.presses_made_up(action, f"{value.partition(' ')[0]} forgotten")

    assert world.alice.reads() == ["These steps are too old to show. `!logs full` sends you the whole log."]


async def test_the_logs_show_the_last_of_many_steps(world: World) -> None:
    """A person asks for the logs of a task with many steps. The answer shows the last steps in their order,
    and says how many there are."""
    thread, task = await a_task(world)
    calls = "\n\n".join(f"⏺ Read(src/module_{number:03}.py)\n  ⎿  Read 60 lines" for number in range(150))
    task.says(f"{calls}\n\n⏺ I read them all.")

    await world.alice.replies(thread, "!logs")

    heads = [line for line in world.alice.sees().split("\n") if line.startswith("| ▸ ")]
    assert heads == [f"| ▸ Read(src/module_{number:03}.py)" for number in range(150 - len(heads), 150)]
    assert 10 < len(heads) < 150
    assert f"The last {len(heads)} of 150 steps" in small_print(world)
    world.alice.reads()
