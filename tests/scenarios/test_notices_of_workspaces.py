"""Notices about workspaces that break, pause or start."""

from taskwire_sandbox.coder.steps import BuildPlan

from .running_tasks import TITLE, a_task, card
from .world import World

LOG = ("Downloading the image", "Mounting the volume")


async def test_a_flicker_while_a_workspace_starts_tells_nothing(world: World) -> None:
    """The agent is unhealthy for a moment while its workspace starts. The bot posts no notice."""
    world.coder.template.plan = BuildPlan(flicker=60)
    thread = await world.alice.runs("/task create fix the login redirect")
    await world.polls()
    at_first = world.task("fix-the-login").status
    await world.passes(seconds=61)

    await world.polls()

    assert (at_first, world.task("fix-the-login").status) == ("error", "active")
    assert (await card(world, thread)).startswith(f"Working: {TITLE}.")
    assert thread.new_messages() == []


async def test_a_build_that_fails_is_told_at_once_with_the_end_of_its_log_and_retry_mends_it(
    world: World,
) -> None:
    """A workspace's build fails. The bot posts the notice at once, with the end of the build's log, and
    mentions the owner. The card gives the reason. After *Retry*, the task works."""
    world.coder.template.plan = BuildPlan(error="no space left on device", build_log=LOG)
    thread = await world.alice.runs("/task create fix the login redirect")

    await world.polls()
    told = thread.new_messages()
    broken = await card(world, thread)
    await world.alice.types("/task list failed")
    [listed] = world.alice.reads()
    await world.alice.clicks(thread, "Retry")
    world.alice.reads()
    await world.polls()

    assert broken.startswith(
        f"Broken: {TITLE}. Workspace: terraform apply: exit status 1: no space left on device."
    )
    assert told == [
        f"<@{world.alice.id}> Broken: {TITLE}. The workspace is broken, so the agent can't work. *Retry* "
        "starts the workspace again. If that fails, show this to a Coder administrator.\n"
        "| Terraform 1.14.1\n"
        "| Downloading the image\n"
        "| Mounting the volume\n"
        "| Error: no space left on device\n"
        "|   on main.tf line 42\n"
        "| terraform apply: exit status 1: no space left on device\n"
        "[Retry]"
    ]
    assert f"Broken: {TITLE}. Workspace: terraform apply" in listed
    assert world.task("fix-the-login").status == "active"
    assert (await card(world, thread)).startswith(f"Working: {TITLE}.")
    assert thread.new_messages() == []


async def test_a_stop_that_fails_is_told_at_once(world: World) -> None:
    """A person presses *Stop*, and Coder cannot stop the workspace. The bot posts a notice with the reason
    and *Retry*, and mentions the owner."""
    thread, _ = await a_task(world)
    world.coder.template.plan = BuildPlan(stop_error="provider is away")
    await world.alice.clicks(thread, "Stop")
    world.alice.reads()

    await world.polls()

    assert thread.new_messages() == [
        f"<@{world.alice.id}> Broken: {TITLE}. Coder could not stop its workspace, and won't try again by "
        "itself. *Retry* starts the workspace again, so that the agent can go on; then it can be stopped "
        "once more.\n"
        "| Error: provider is away\n"
        "|   on main.tf line 42\n"
        "| terraform apply: exit status 1: provider is away\n"
        "[Retry]"
    ]
    assert (await card(world, thread)).startswith(
        f"Broken: {TITLE}. Workspace: terraform apply: exit status 1: provider is away."
    )


async def test_a_startup_script_that_failed_is_what_it_is(world: World) -> None:
    """An agent's startup script has failed. The agent still takes input, so the bot does not call the agent
    unreachable, and mentions nobody."""
    world.coder.template.plan = BuildPlan(start_script_fails=True)
    thread, task = await a_task(world)
    task.becomes("idle")

    reply = await world.alice.replies(thread, "use main")
    await world.polls()
    shown = await card(world, thread)

    assert f"Working: {TITLE}." in shown
    assert "Its startup script failed. It takes replies." in shown
    assert "not reachable" not in shown
    assert "Retry" not in shown
    assert (task.inputs, thread.receipt(reply)) == (["use main"], ["white_check_mark"])
    assert thread.new_messages() == []


async def test_an_agent_that_is_lost_is_started_again_by_retry(world: World) -> None:
    """Coder can no longer reach an agent whose workspace runs, and a person presses *Retry*. The bot stops
    the workspace and starts it again. It posts no notices about this stop and start."""
    thread, task = await a_task(world)
    task.agent_is_unreachable()
    await world.passes(seconds=60)
    await world.polls()
    await world.passes(3)

    await world.alice.clicks(thread, "Retry")
    for _ in range(3):
        await world.polls()
        await world.passes(seconds=3)

    assert [build.transition for build in task.builds] == ["start", "stop", "start"]
    assert "not reachable" not in await card(world, thread)
    assert thread.new_messages() == []
    assert world.alice.reads() == [f"Retrying *{TITLE}*."]


async def test_an_agent_that_crashes_is_told_when_that_has_settled_and_retry_restarts_it(
    world: World,
) -> None:
    """An agent crashes, and the bot posts a notice when the error has lasted. A person presses *Retry*, and
    the bot restarts the workspace. It posts no notice of a pause, because nobody asked for one."""
    thread, task = await a_task(world)
    await world.passes(seconds=400)
    task.crashes()
    await world.polls()
    early = thread.new_messages()
    await world.passes(seconds=20)
    told = thread.new_messages()

    await world.alice.clicks(thread, "Retry")
    await world.polls()
    await world.passes(seconds=3)
    await world.polls()
    await world.passes(seconds=3)
    await world.polls()

    assert early == []
    assert told == [
        f"<@{world.alice.id}> Broken: {TITLE}. The agent crashed. Its workspace is running. "
        "*Retry* stops the workspace and starts it again.\n"
        "[Retry]"
    ]
    assert [build.transition for build in task.builds] == ["start", "stop", "start"]
    assert (await card(world, thread)).startswith((f"Working: {TITLE}.", f"Starting: {TITLE}."))
    assert thread.new_messages() == []
    assert world.alice.reads() != []


async def test_a_pause_and_a_resume_asked_for_here_name_who_asked(world: World) -> None:
    """A person pauses and resumes a task in Slack. The notices name that person, mention nobody, and say that
    nothing was lost."""
    thread, _ = await a_task(world)
    await world.alice.clicks(thread, "Stop")
    await world.polls()
    paused = thread.new_messages()
    shown = await card(world, thread)

    await world.alice.clicks(thread, "Resume")
    await world.polls()
    world.alice.reads()

    assert paused == ["Paused by Alice. A reply resumes it."]
    assert shown.startswith(f"Paused: {TITLE}. Reading the code.")
    assert thread.new_messages() == []
    assert thread.all_messages() == ["Paused and resumed by Alice."]


async def test_a_reply_to_a_paused_task_names_its_author_as_who_resumed_it(world: World) -> None:
    """A reply resumes a paused task. The notice names the reply's author."""
    thread, task = await a_task(world)
    task.pause()
    await world.polls()
    thread.new_messages()

    reply = await world.alice.replies(thread, "go on")
    await world.polls()
    await world.passes(seconds=5)

    assert thread.receipt(reply) == ["white_check_mark"]
    assert thread.new_messages() == ["Resumed by Alice."]


async def test_a_pause_in_coder_says_so(world: World) -> None:
    """Somebody pauses a task in Coder and later resumes it there. The notice of the pause names nobody. After
    the resume, it also says that the task was started again."""
    thread, task = await a_task(world)
    task.pause()
    await world.polls()
    task.resume()
    await world.polls()

    assert thread.new_messages() == [
        f"Paused: {TITLE}. The workspace was stopped in Coder. Retried.",
        f"Resumed: {TITLE}. The workspace is running. Reply here to talk to the agent.",
    ]


async def test_an_idle_time_out_says_so(world: World) -> None:
    """Coder stops an idle workspace. The notice gives the reason and mentions nobody."""
    thread, task = await a_task(world)
    task.pause_by_timeout()
    await world.polls()

    assert thread.new_messages() == [
        f"Paused: {TITLE}. Nothing happened for a while, so Coder stopped its workspace. Nothing is "
        "lost: a reply resumes it.\n"
        "[Resume] [Edit prompt]"
    ]


async def test_a_pause_and_a_resume_are_told_once_however_often_one_looks(world: World) -> None:
    """The bot posts the notices of a pause and of a resume once. More polls, a restart or more time do not
    repeat them."""
    thread, task = await a_task(world)
    task.pause()
    await world.polls(times=3)
    await world.restarts()
    await world.polls(times=2)
    task.resume()
    await world.polls(times=3)
    await world.restarts()
    await world.polls()

    assert [message.partition(":")[0] for message in thread.new_messages()] == ["Paused", "Resumed"]
