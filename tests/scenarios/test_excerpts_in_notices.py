"""The notice about a stopped agent has an excerpt of what the agent wrote: readable, once, and harmless."""

from taskwire_sandbox.coder.faults import Fault, bad_gateway
from taskwire_sandbox.coder.steps import BuildPlan
from taskwire_sandbox.coder.wire import Response
from taskwire_sandbox.slack import CallFault

from .running_tasks import TITLE, a_task
from .world import World

SECRET = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"


async def test_each_excerpt_begins_where_the_last_one_ended(world: World) -> None:
    """No text is told twice, and the excerpt is part of the notice."""
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

    assert [message.split("\n")[1:] for message in thread.new_messages()] == [
        ["| I read the code.", "| ", "| The bug is in auth.py."],
        ["| I wrote a test."],
        ["| It is fixed."],
    ]


async def test_an_excerpt_is_what_a_person_wants_to_read(world: World) -> None:
    """Padding, boxes and line wraps are removed. Code stays code."""
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
        f"<@{world.alice.id}> Needs you: {TITLE}. The agent is waiting for you. It last reported: "
        "“Which one?”. Reply here to go on.\n"
        "| The redirect loses its query because the handler builds the address from the path alone and never "
        "looks at what came behind the question mark.\n"
        "[Logs]"
    ]


async def test_a_long_excerpt_shows_its_end_and_comes_whole_as_a_file_once(world: World) -> None:
    """The notice shows the end, which matters most. The file is shared once, even if Slack's answer
    is lost."""
    thread, task = await a_task(world)
    task.says("\n\n".join(f"Step {number} is done." for number in range(200)))
    task.becomes("complete", "All done")
    world.slack.faults.add("files.completeUploadExternal", CallFault.DONE_THEN_CUT)

    await world.polls()
    for _ in range(12):
        await world.passes(seconds=10)

    notice, file = thread.new_messages()
    lines = notice.split("\n")
    assert lines[1].endswith("lines are left out above")
    assert lines[-1] == "| Step 199 is done."
    assert file == f"(file {task.name}.log)"
    shared = next(iter(world.slack.backend.files.files.values())).content.decode()
    assert shared.startswith("Step 0 is done.")
    assert shared.rstrip().endswith("Step 199 is done.")


async def test_nothing_that_the_agent_writes_calls_anybody_or_shows_a_secret(world: World) -> None:
    """This holds for the notice, the file, the card and the report."""
    thread, task = await a_task(world)
    own = [world.settings.slack_bot_token, world.settings.coder_session_token]
    secrets = [SECRET, *(token.get_secret_value() for token in own)]
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
    """The task was paused before a poll saw its end. The end is told, but a snapshot's text is not new."""
    thread, task = await a_task(world)
    task.says("I wrote a test.")
    task.becomes("complete", "Tested it")
    task.pause()

    await world.polls()

    assert thread.new_messages() == [
        f"<@{world.alice.id}> Done: {TITLE}. Tested it. Reply here if there is more to do.",
        f"Paused: {TITLE}. The workspace was stopped in Coder. Nothing is lost. Reply here and it goes on.\n"
        "[Resume] [Edit prompt]",
    ]


async def test_what_was_written_before_a_task_got_its_thread_is_not_news_in_it(world: World) -> None:
    """An attached task tells only what its agent writes later."""
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
        f"<@{world.alice.id}> Done: Tidy the docs. Tidied. Reply here if there is more to do.\n| This is new."
    ]


async def test_an_agent_that_does_not_answer_holds_up_no_notice(world: World) -> None:
    """The next notice has what the agent wrote."""
    thread, task = await a_task(world)
    task.says("I read the code.")
    task.becomes("complete", "Found it")
    world.coder.plan_fault("tasks.logs", bad_gateway())
    await world.polls()
    first = thread.new_messages()
    task.says("I wrote a test.")
    task.becomes("complete", "Tested it")
    await world.polls()

    assert first == [f"<@{world.alice.id}> Done: {TITLE}. Found it. Reply here if there is more to do."]
    assert thread.new_messages() == [
        f"<@{world.alice.id}> Done: {TITLE}. Tested it. Reply here if there is more to do.\n"
        "| I read the code.\n"
        "| \n"
        "| I wrote a test."
    ]


async def test_a_log_of_another_kind_breaks_no_notice(world: World) -> None:
    """The notice is posted without an excerpt."""
    thread, task = await a_task(world)
    task.becomes("complete", "Found it")
    world.coder.plan_fault("tasks.logs", Fault("nonsense", answer=Response(200, b"<html>Bad gateway</html>")))
    await world.polls()

    assert thread.new_messages() == [
        f"<@{world.alice.id}> Done: {TITLE}. Found it. Reply here if there is more to do."
    ]


async def test_a_build_log_calls_nobody_and_shows_no_secret_either(world: World) -> None:
    """A template's output is as untrusted as an agent's text."""
    world.coder.template.plan = BuildPlan(error=f"<!channel> {SECRET}", build_log=(f"@here {SECRET}",))
    thread = await world.alice.runs("/task create fix the login redirect")
    await world.polls()
    await world.passes(seconds=301)

    posted = "\n".join(str(call.arguments) for call in world.slack.calls if call.method != "auth.test")
    assert len(thread.new_messages()) == 1
    assert "<!channel" not in posted
    assert "@here" not in posted
    assert SECRET not in posted
