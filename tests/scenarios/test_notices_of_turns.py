"""Notices of a turn's end. They mention a person once each turn, at the right moment, and never for a state
that soon passes."""

import pytest

from taskwire_sandbox.coder import SandboxTask
from taskwire_sandbox.coder.faults import server_error
from taskwire_sandbox.coder.steps import INSTANT, BuildPlan
from taskwire_sandbox.slack import CallFault

from .running_tasks import PULL, TITLE, a_task, card
from .world import POST_SECONDS, World


async def test_an_end_is_not_undone_by_the_idle_that_follows_it(world: World) -> None:
    """An agent reports that it is done, and two seconds later that it is idle. Idle alone would mean a
    question. The card still shows the task as done."""
    thread, task = await a_task(world)
    task.becomes("complete", "Opened PR #12", PULL)
    await world.polls()

    await world.passes(seconds=3)
    await world.polls()
    await world.passes(seconds=600)

    assert task.state == "idle"
    assert (await card(world, thread)).startswith(f"Done: {TITLE}. Opened PR #12.")
    assert thread.new_messages() == [
        f"<@{world.alice.id}> Opened PR #12.\nDone: {TITLE}. Reply here if there is more to do. <{PULL}>\n"
        "[View pull request]"
    ]


@pytest.mark.parametrize(
    ("state", "notice", "listed"),
    [
        ("complete", f"Done: {TITLE}. Reply here if there is more to do.", "Paused"),
        (
            "failed",
            f"Failed: {TITLE}. Reply here to tell the agent how to go on.\n[Logs]",
            "Paused, its agent failed",
        ),
    ],
)
async def test_an_end_is_not_undone_by_an_idle_that_is_first_seen_with_a_pause(
    world: World, state: str, notice: str, listed: str
) -> None:
    """An agent reports its end and then idle, and a person pauses the task before the next poll. The bot does
    not take the idle report for a question. The list shows the end."""
    thread, task = await a_task(world)
    task.becomes(state, "I tried it")
    await world.polls()
    await world.passes(seconds=3)
    reported = task.state

    await world.alice.types(f"/task pause {task.name}")
    await world.passes(seconds=5)
    await world.polls()
    await world.alice.types("/task list")

    link = world.slack.backend.permalink(thread.channel, thread.ts)
    _, tasks = world.alice.reads()
    assert (reported, task.status) == ("idle", "paused")
    assert tasks == f"Tasks:\n•  {listed}: {TITLE}. I tried it <{link}>"
    assert thread.new_messages() == [
        f"<@{world.alice.id}> I tried it.\n{notice}",
        "Paused by Alice. A reply resumes it.",
    ]


async def test_an_end_that_no_list_showed_is_found_in_the_history(world: World) -> None:
    """An agent reports its end, and two seconds later something else, so no poll has seen the end. The bot
    reads the agent's history once, and finds the end there."""
    thread, task = await a_task(world)
    task.becomes("complete", "Opened PR #12", PULL)
    await world.passes(seconds=3)
    before = len(world.coder.requests)

    await world.polls(times=3)
    await world.passes(seconds=600)

    asked = [request.route for request in world.coder.requests[before:]]
    assert task.state == "idle"
    assert asked.count("agents.get") == 1, asked
    assert (await card(world, thread)).startswith(f"Done: {TITLE}. Opened PR #12.")
    assert thread.new_messages() == [
        f"<@{world.alice.id}> Opened PR #12.\nDone: {TITLE}. Reply here if there is more to do. <{PULL}>\n"
        "[View pull request]"
    ]


async def test_an_end_before_a_pause_is_told_before_it_though_nobody_saw_the_agent(world: World) -> None:
    """A task failed and was paused between two polls. Coder's list still has the agent's last report. So the
    bot posts the failure first and then the pause."""
    thread = await world.alice.runs("/task create fix the login redirect")
    task = world.task("fix-the-login-redirect")
    task.becomes("failed", "No access to the repository")
    await world.passes(seconds=1)
    task.pause()

    await world.polls(times=3)

    assert (task.status, task.state) == ("paused", "failed")
    assert thread.new_messages() == [
        f"<@{world.alice.id}> No access to the repository.\n"
        f"Failed: {TITLE}. Reply here to tell the agent how to go on.\n"
        "[Logs]",
        f"Paused: {TITLE}. The workspace was stopped in Coder. Nothing is lost: a reply resumes it.\n"
        "[Resume] [Edit prompt]",
    ]


async def test_an_end_after_a_resume_is_told_after_the_pause_that_is_read_late(world: World) -> None:
    """A task is paused, resumed and done while Coder fails. The bot posts the notices in the order of the
    events."""
    world.coder.template.plan = BuildPlan(connect=10)
    thread = await world.alice.runs("/task create fix the login redirect")
    task = world.task("fix-the-login-redirect")
    task.pause()
    world.coder.template.plan = INSTANT
    fails = world.coder.plan_fault("workspaces.get", server_error())
    await world.polls()
    task.resume()
    task.becomes("complete", "Opened PR #12")

    await world.passes(seconds=30)
    await world.polls(times=2)
    await world.passes(seconds=30)

    assert fails.hits
    assert thread.new_messages() == [
        f"Paused: {TITLE}. The workspace was stopped in Coder. Retried.",
        f"Resumed: {TITLE}. The workspace is running. Reply here to talk to the agent.",
        f"<@{world.alice.id}> Opened PR #12.\nDone: {TITLE}. Reply here if there is more to do.",
    ]


async def test_what_finished_and_was_paused_while_the_bot_was_away_is_told_as_finished(world: World) -> None:
    """A task is finished and then paused while the bot is off. When the bot is back, it posts both notices.
    When the task is resumed later, it does not post the end again."""
    thread, task = await a_task(world)
    await world.stops()
    task.becomes("complete", "Opened PR #12", "https://github.com/acme/app/pull/12")
    task.pause_by_timeout()
    world.clock.passes(8 * 3600)
    await world.starts()

    await world.polls(times=2)
    told = thread.new_messages()
    task.resume()
    await world.polls(times=2)
    await world.passes(POST_SECONDS)

    assert told == [
        f"<@{world.alice.id}> Opened PR #12.\nDone: {TITLE}. Reply here if there is more to do. "
        "<https://github.com/acme/app/pull/12>\n[View pull request]",
        f"Paused: {TITLE}. Nothing happened for a while, so Coder stopped its workspace. Nothing is "
        "lost: a reply resumes it.\n"
        "[Resume] [Edit prompt]",
    ]
    assert [message.partition(".")[0] for message in thread.new_messages()] == [f"Resumed: {TITLE}"]


async def test_a_turn_that_ended_before_a_pause_while_the_bot_was_away_calls_its_owner(world: World) -> None:
    """A turn ended before a pause, while the bot was off. The bot can only see that the agent stopped before
    the pause. It mentions the owner, because the agent may be waiting."""
    thread, task = await a_task(world)
    await world.stops()
    task.becomes("complete", "Opened PR #12")
    world.clock.passes(3600)
    await world.coder.catch_up()
    task.pause_by_timeout()
    await world.starts()

    await world.polls(times=2)
    told = thread.new_messages()
    task.resume()
    await world.polls(times=2)
    await world.passes(POST_SECONDS)

    assert (task.builds[1].reason, told) == (
        "task_auto_pause",
        [
            f"<@{world.alice.id}> Opened PR #12.\nNeeds you: {TITLE}. Reply here to go on.\n[Logs]",
            f"Paused: {TITLE}. Nothing happened for a while, so Coder stopped its workspace. Nothing "
            "is lost: a reply resumes it.\n"
            "[Resume] [Edit prompt]",
        ],
    )
    assert [message.partition(".")[0] for message in thread.new_messages()] == [f"Resumed: {TITLE}"]


async def test_a_failure_that_no_list_showed_is_told_too(world: World) -> None:
    """An agent fails between two polls, so no list of tasks shows the failure. The bot still posts the
    failure, once. The card still shows it ten minutes later."""
    thread, task = await a_task(world)
    task.becomes("failed", "No access to the repository")
    await world.passes(seconds=3)

    await world.polls()
    await world.passes(seconds=600)

    assert (await card(world, thread)).startswith(f"Failed: {TITLE}. No access to the repository.")
    assert thread.new_messages() == [
        f"<@{world.alice.id}> No access to the repository.\n"
        f"Failed: {TITLE}. Reply here to tell the agent how to go on.\n"
        "[Logs]"
    ]


async def test_what_ended_while_the_bot_was_away_for_a_night_is_told_once(world: World) -> None:
    """A turn ended in the night, while the bot was off. The next morning, the bot finds the end in the
    agent's history, and posts it once."""
    thread, task = await a_task(world)
    await world.stops()
    task.becomes("complete", "Opened PR #12")
    world.clock.passes(12 * 3_600)
    await world.coder.catch_up()

    await world.starts()
    await world.polls(times=2)
    await world.restarts()
    await world.polls(times=2)

    assert (await card(world, thread)).startswith(f"Done: {TITLE}. Opened PR #12.")
    assert thread.new_messages() == [
        f"<@{world.alice.id}> Opened PR #12.\nDone: {TITLE}. Reply here if there is more to do."
    ]


async def test_an_end_before_a_pause_and_a_resume_in_the_night_is_told(world: World) -> None:
    """While the bot is off, a task is done, is paused for idleness, and is resumed by a person. When the bot
    is back, it posts the end. It does not post the pause, which is over."""
    thread, task = await a_task(world)
    await world.stops()
    task.becomes("complete", "Opened PR #12")
    world.clock.passes(3_600)
    task.pause_by_timeout()
    world.clock.passes(3_600)
    world.coder.template.is_silent_after_resume = True
    task.resume()

    await world.starts()
    await world.polls(times=2)

    assert (await card(world, thread)).startswith(f"Starting: {TITLE}.")
    assert thread.new_messages() == [
        f"<@{world.alice.id}> Opened PR #12.\nDone: {TITLE}. Reply here if there is more to do."
    ]


async def test_a_still_screen_that_moves_again_is_never_told(world: World) -> None:
    """The agent is idle several times, each time for less than the settle time. The bot posts no notice."""
    thread, task = await a_task(world)

    for _ in range(4):
        task.becomes("idle", "Reading the code")
        await world.polls()
        await world.passes(seconds=15)
        task.becomes("working", "Reading the code")
        await world.polls()
        await world.passes(seconds=15)

    assert thread.new_messages() == []
    assert (await card(world, thread)).startswith(f"Working: {TITLE}.")


async def test_somebody_is_asked_for_once_a_turn_and_again_in_the_next(world: World) -> None:
    """Each turn of an agent mentions a person at most once. The next turn begins when the task starts or
    resumes, or when the agent gets input. It can mention the person again."""
    thread, task = await a_task(world)
    task.becomes("idle", "Which branch?")
    await world.polls()
    await world.passes(seconds=20)
    first = thread.new_messages()
    task.becomes("working", "Still thinking")
    await world.polls()
    task.becomes("idle", "Still thinking")
    await world.polls()
    await world.passes(seconds=60)
    between = thread.new_messages()

    await world.alice.replies(thread, "main")
    await world.passes(seconds=3)
    task.becomes("idle", "Main or master?")
    await world.polls()
    await world.passes(seconds=20)

    assert first == [f"<@{world.alice.id}> Which branch?\nNeeds you: {TITLE}. Reply here to go on.\n[Logs]"]
    assert between == []
    assert thread.new_messages() == [
        f"<@{world.alice.id}> Main or master?\nNeeds you: {TITLE}. Reply here to go on.\n[Logs]"
    ]


async def test_where_every_report_becomes_working_a_turn_ends_with_its_last_report(world: World) -> None:
    """An older Coder server turns every report of an agent into working. When the agent stops, the notice has
    the agent's latest report and its link."""
    world.coder.settings.reports_become_working = True
    thread, task = await a_task(world)
    program = task.program
    assert program is not None
    program.report("complete", "Opened PR #12", PULL)
    await world.polls()
    program.stop_working()
    await world.passes(seconds=3)
    await world.polls()
    await world.passes(seconds=20)

    assert (await card(world, thread)).startswith(f"Needs you: {TITLE}. Opened PR #12.")
    assert thread.new_messages() == [
        f"<@{world.alice.id}> Opened PR #12.\nNeeds you: {TITLE}. Reply here to go on. <{PULL}>\n"
        "[View pull request] [Logs]"
    ]


async def test_a_muted_task_calls_nobody_and_still_tells(world: World) -> None:
    """A task is muted. The bot still posts the task's notices, but they mention nobody."""
    thread, task = await a_task(world)
    await world.alice.clicks(thread, "Mute")
    world.alice.reads()
    task.becomes("complete", "Opened PR #12")
    await world.polls()

    assert thread.new_messages() == [f"Opened PR #12.\nDone: {TITLE}. Reply here if there is more to do."]


async def test_the_owner_of_an_attached_task_is_called(world: World) -> None:
    """A notice mentions the task's owner, even if an administrator attached the task."""
    await world.restarts(admins=(world.alice.id,))
    task = world.coder.add_task("bob", "tidy the docs")
    await world.passes(seconds=60)
    thread = await world.alice.runs(f"/task attach bob/{task.name}")
    await world.polls()
    task.becomes("working", "Tidying")
    task.becomes("complete", "Tidied")
    await world.polls()

    assert thread.new_messages() == [
        f"<@{world.bob.id}> Tidied.\nDone: Tidy the docs. Reply here if there is more to do."
    ]
    assert [told.partition(".")[0] for told in world.cards()] == [
        "Alice gave *Tidy the docs* a thread in <#C0TW000001>"
    ]


async def _much_happens_while_nothing_is_said(world: World, task: SandboxTask) -> None:
    world.slack.faults.add("chat.postMessage", CallFault.RATE_LIMITED, seconds=30)
    task.becomes("complete", "Opened PR #12")
    await world.polls()
    task.pause()
    await world.polls()
    task.resume()
    await world.polls()
    task.becomes("complete", "Opened PR #13")
    await world.polls()


async def test_what_is_told_late_is_told_in_its_order(world: World) -> None:
    """Slack refuses posts for half a minute, while a task ends, pauses, resumes and ends again. The bot then
    posts the notices in the order of these events."""
    thread, task = await a_task(world)
    await _much_happens_while_nothing_is_said(world, task)
    await world.coder.catch_up()

    for _ in range(4):
        await world.passes(seconds=35)

    said = [
        message.partition(":")[0].removeprefix(f"<@{world.alice.id}> ") for message in thread.new_messages()
    ]
    assert said == ["Opened PR #12.\nDone", "Paused", "Resumed", "Opened PR #13.\nDone"]
    assert (await card(world, thread)).startswith("Done: Fix the login redirect. Opened PR #13.")


async def test_a_lost_post_is_searched_for_when_slack_allows_reading_again(world: World) -> None:
    """Slack's answer to the post of a notice is lost, and Slack lets the bot read nothing for two minutes.
    Later notices wait until the bot has looked for the lost notice in the thread."""
    thread, task = await a_task(world)
    await _much_happens_while_nothing_is_said(world, task)
    world.slack.faults.add("conversations.replies", CallFault.RATE_LIMITED, seconds=120)
    await world.bot.parts.backfill.queue_threads()
    await world.settles()
    lost = world.slack.faults.add(
        "chat.postMessage", CallFault.DONE_THEN_CUT, where=lambda post: post["text"].startswith("Paused")
    )

    for _ in range(12):
        await world.passes(seconds=35)

    said = [message.partition(":")[0] for message in thread.new_messages()]
    assert lost.hits
    assert [words.removeprefix(f"<@{world.alice.id}> ") for words in said] == [
        "Opened PR #12.\nDone",
        "Paused",
        "Resumed",
        "Opened PR #13.\nDone",
    ]
