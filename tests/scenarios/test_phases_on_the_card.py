"""Each state in Coder, and the phase that the card shows for that state."""

import json

from taskwire_sandbox.coder.steps import BuildPlan

from .people import Thread
from .running_tasks import PULL, TITLE, a_task, card, next_list_shows, small_text
from .world import World


async def phase(world: World, thread: Thread) -> str:
    """Return the phase that the card shows."""
    return (await card(world, thread)).partition(f": {TITLE}")[0]


async def test_a_workspace_that_comes_up_is_starting(world: World) -> None:
    """Coder's states pending and initializing are both *Starting* on the card. Coder's message about them is
    not a report."""
    plan = BuildPlan(queue=10, provision=10, connect=10, start=10, app=10)
    world.coder.template.plan = plan
    thread = await world.alice.runs("/task create fix the login redirect")
    shown = {}

    for _ in range(5):
        await world.polls()
        shown[world.task("fix-the-login").status] = await card(world, thread)
        await world.passes(seconds=4)

    assert list(shown) == ["pending", "initializing"]
    assert shown["initializing"] == (
        f"Starting: {TITLE}. Owner: Alice. Template: Tasks on Docker. <{page(world)}>\n"
        "[Stop] [⋯ Open in Coder, Watch, Mute, New like this, Share, Detach, Delete]"
    )


async def test_an_agent_that_says_nothing_is_starting_and_then_waits(world: World) -> None:
    """An agent without a state counts as starting for 30 seconds, and then as idle. After the settle time,
    the agent needs somebody."""
    world.coder.template.is_silent = True
    thread = await world.alice.runs("/task create fix the login redirect")
    await world.polls()

    before = await phase(world, thread)
    await world.passes(seconds=34)
    meanwhile = await phase(world, thread)
    told_meanwhile = thread.new_messages()
    await world.passes(seconds=10)

    assert (before, meanwhile, await phase(world, thread)) == ("Starting", "Starting", "Needs you")
    assert told_meanwhile == []
    assert thread.new_messages() == [
        f"<@{world.alice.id}> The agent stopped and said nothing.\n"
        f"Needs you: {TITLE}. Reply here to go on.\n[Logs]"
    ]


async def test_a_working_agent_is_shown_with_its_report_and_link(world: World) -> None:
    """The card of a working agent has its latest report, the report's age, and the owner. A button opens the
    reported link."""
    thread, task = await a_task(world)
    task.becomes("working", "Opened a draft", PULL)
    await world.polls()

    assert await card(world, thread) == (
        f"Working: {TITLE}. Opened a draft. Owner: Alice. Template: Tasks on Docker. "
        f"<{PULL}> <{page(world)}>\n"
        "[View pull request] [Stop] [⋯ Open in Coder, Follow, Logs, Watch, Mute, New like this, Share, "
        "Detach, Delete]"
    )
    assert small_text(world, thread) == f"Alice · Tasks on Docker · <{PULL}|PR #12> · `{task.name}`"
    assert phase_line(world, thread) == "Working · “Opened a draft” · started {ago}"


async def test_a_report_is_shown_as_the_agent_wrote_it(world: World) -> None:
    """Coder escapes reports for web pages. The card shows the original text, and markup in the text has no
    effect."""
    thread, task = await a_task(world)
    task.becomes("complete", 'I can\'t find "x" & a < b &amp; <!channel> *c*', PULL)
    await world.polls()
    shown = await card(world, thread)
    await world.alice.types(f"/task status {task.name}")
    [told], [status] = thread.new_messages(), world.alice.reads()

    said = 'I can\'t find "x" &amp; a &lt; b &amp; *c*'
    assert [said in text for text in (shown, told, status)] == [True] * 3
    blocks = json.dumps([world.slack.message(thread.channel, thread.ts)["blocks"]])
    assert "&#3" not in blocks


async def test_idle_is_what_it_was_until_it_has_held(world: World) -> None:
    """The card keeps showing *Working* while the agent is idle. After the settle time, it shows *Needs
    you*."""
    thread, task = await a_task(world)
    task.becomes("idle", "Which branch?")
    await world.polls()

    before = await phase(world, thread)
    await world.passes(seconds=20)

    assert (before, await phase(world, thread)) == ("Working", "Needs you")
    assert len(thread.new_messages()) == 1


async def test_a_reply_takes_what_was_reported_before_it_off_the_card(world: World) -> None:
    """The agent gets new input and at first repeats its old report. The card does not show this report. It
    shows the next report that is new."""
    thread, task = await a_task(world)
    task.becomes("complete", "Done, and pushed")
    await world.polls()
    await world.passes(seconds=30)
    await world.polls()
    done = await card(world, thread)
    thread.new_messages()

    await world.alice.replies(thread, "and test it")
    task.becomes("working", "Done, and pushed")
    await world.polls()
    working = await card(world, thread)
    task.becomes("working", "Running the tests")
    await world.polls()

    assert done.startswith(f"Done: {TITLE}. Done, and pushed.")
    assert working.startswith(f"Working: {TITLE}. Owner: Alice.")
    assert (await card(world, thread)).startswith(f"Working: {TITLE}. Running the tests.")


async def test_done_and_failed_wait_for_nothing_but_the_cards_pace(world: World) -> None:
    """An agent is done or has failed. The bot does not wait for the settle time: it posts the notice at once.
    The card shows the new phase at its next edit."""
    thread, task = await a_task(world)

    task.becomes("complete", "Opened PR #12", PULL)
    await world.polls()
    told = len(thread.new_messages())
    done = await card(world, thread)
    task.becomes("failed", "The tests do not pass")
    await world.polls()
    told += len(thread.new_messages())

    assert told == 2
    assert done.startswith(f"Done: {TITLE}. Opened PR #12.")
    assert (await card(world, thread)).startswith(f"Failed: {TITLE}. The tests do not pass.")


async def test_an_agent_that_is_cut_off_is_marked_until_it_is_back(world: World) -> None:
    """Coder cannot reach the agent. The card keeps its phase, and says since when the agent is unreachable,
    and what a person can do. When the agent is back, the card no longer says that."""
    thread, task = await a_task(world)
    task.agent_is_unreachable()
    await world.passes(seconds=60)
    await world.polls()

    lost = await card(world, thread)
    task.agent_is_reachable()
    await world.polls()

    assert lost.startswith(
        f"Working, agent not reachable: {TITLE}. Reading the code. Agent not reachable since "
        "<{date_short_pretty} at {time}>. Replies wait. "
    )
    assert lost.endswith(
        "[Retry] [Stop] [⋯ Open in Coder, Follow, Logs, Watch, Mute, New like this, Share, Detach, Delete]"
    )
    assert "not reachable" not in await card(world, thread)


async def test_a_workspace_that_stops_is_pausing_then_paused(world: World) -> None:
    """While a workspace stops, Coder's status is unknown and the card shows *Pausing*. When it has stopped,
    the card shows *Paused*, although the agent's last state is working."""
    thread, task = await a_task(world)
    world.coder.template.plan = BuildPlan(stop=30)
    task.pause()
    await world.polls()

    stopping = task.status, await phase(world, thread)
    await world.passes(seconds=30)
    await world.polls()

    assert stopping == ("unknown", "Pausing")
    assert (task.state, await phase(world, thread)) == ("working", "Paused")
    assert len(thread.new_messages()) == 1


async def test_unknown_otherwise_is_unclear(world: World) -> None:
    """Coder's status of a task is unknown, although its workspace is not stopping. The card shows *Unclear*,
    and the bot posts no notice."""
    thread, task = await a_task(world)
    task.status_is("unknown")
    await world.polls()

    unclear = await card(world, thread)
    task.status_is("active")
    await world.polls()

    assert unclear.startswith(f"Unclear: {TITLE}. Coder does not say what the workspace is doing.")
    assert await phase(world, thread) == "Working"


async def test_an_error_is_what_it_was_until_it_has_outlasted_the_start(world: World) -> None:
    """A workspace has an error while it may still be starting. Only after five minutes does the card show
    *Broken*."""
    thread, task = await a_task(world)
    task.status_is("error")
    await world.polls()

    early = await card(world, thread)
    await world.passes(seconds=300)

    assert early.startswith(
        f"Working, agent not reachable: {TITLE}. Reading the code. Agent not reachable since "
        "<{date_short_pretty} at {time}>. If this lasts, I'll post in the thread at <{time}>. "
    )
    assert early.endswith(
        "[Retry] [⋯ Open in Coder, Follow, Logs, Watch, Mute, New like this, Share, Detach, Delete]"
    )
    assert await phase(world, thread) == "Broken"
    assert len(thread.new_messages()) == 1


async def test_a_word_that_nobody_knows_is_shown_as_it_is(world: World) -> None:
    """A newer Coder sends an unknown status. The card shows the word, and the bot still polls other tasks."""
    thread, task = await a_task(world)
    other = await world.alice.runs("/task create tidy the docs")
    await world.polls()
    world.task("tidy-the-docs").becomes("complete", "Tidied")
    await next_list_shows(world, task, status="hibernating")

    await world.polls()

    assert (await card(world, thread)).startswith(f"Coder calls it “hibernating”: {TITLE}. Owner: Alice.")
    assert len(other.new_messages()) == 1


def page(world: World) -> str:
    """Return the address of the task's page in Coder."""
    return f"{world.coder.url}/tasks/alice/{world.task('fix-the-login').id}"


def phase_line(world: World, thread: Thread) -> str:
    """Return the line of the card that shows the phase."""
    blocks = world.slack.message(thread.channel, thread.ts)["blocks"]
    (line,) = next(block for block in blocks if block["block_id"] == "phase")["elements"]
    pieces = [str(piece.get("text", piece.get("format", ""))) for piece in line["elements"]]
    return "".join(pieces).strip()


async def test_an_attached_task_that_is_done_is_shown_as_done(world: World) -> None:
    """The task was done and then reported idle. The bot reads the task's history, so the card does not show a
    question."""
    task = world.coder.add_task("alice", "fix the login redirect")
    await world.passes(seconds=60)
    task.becomes("complete", "Opened PR #12", PULL)
    await world.passes(seconds=600)

    thread = await world.alice.runs(f"/task attach {task.name}")
    posted = [call.arguments for call in world.slack.calls if call.method == "chat.postMessage"]
    at_once = (thread.card().partition(":")[0], small_text(world, thread))
    await world.polls()
    await world.passes(seconds=60)

    assert (task.state, await phase(world, thread)) == ("idle", "Done")
    assert thread.new_messages() == []
    assert [str(each["text"]).partition(":")[0] for each in posted] == ["Done"]
    assert at_once == ("Done", small_text(world, thread))
    assert phase_line(world, thread) == "Done · “Opened PR #12”"


async def test_the_status_of_a_task_without_a_thread_that_is_done(world: World) -> None:
    """The task was done and then reported idle. For `/task status`, the bot reads the task's history and
    answers *Done*."""
    task = world.coder.add_task("alice", "fix the login redirect")
    task.becomes("complete", "Opened PR #12", PULL)
    await world.passes(seconds=600)

    await world.alice.types(f"/task status {task.name}")

    [answer] = world.alice.reads()
    assert (task.state, answer.partition(":")[0]) == ("idle", "Done")


async def test_an_attached_task_that_has_just_fallen_still_needs_somebody_when_that_has_settled(
    world: World,
) -> None:
    """The agent became idle just before the task was attached. After the settle time, the card shows *Needs
    you*. The bot posts no notice, so it mentions nobody."""
    task = world.coder.add_task("alice", "fix the login redirect")
    await world.passes(seconds=60)
    task.becomes("working", "Reading the code")
    task.becomes("idle", "Which branch?")

    thread = await world.alice.runs(f"/task attach {task.name}")
    await world.polls()
    await world.passes(seconds=30)

    assert await phase(world, thread) == "Needs you"
    assert thread.new_messages() == []
