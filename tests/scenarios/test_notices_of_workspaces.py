"""What is told when a workspace breaks, is paused, and comes up again."""

from taskwire.sandbox.coder.steps import BuildPlan

from .lives import TITLE, a_task, card
from .world import World

LOG = ("Downloading the image", "Mounting the volume")


async def test_a_flicker_while_a_workspace_starts_tells_nothing(world: World) -> None:
    """The agent's app is unhealthy before it is up."""
    world.coder.template.plan = BuildPlan(flicker=60)
    thread = await world.alice.runs("/task create fix the login redirect")
    await world.sweeps()
    at_first = world.task("fix-the-login").status
    await world.passes(seconds=61)

    await world.sweeps()

    assert (at_first, world.task("fix-the-login").status) == ("error", "active")
    assert (await card(world, thread)).startswith(f"Working: {TITLE}.")
    assert thread.new_messages() == []


async def test_a_build_that_fails_is_told_with_the_end_of_its_log_and_retry_mends_it(world: World) -> None:
    """An error that outlasts the start calls the owner; Retry starts the workspace again."""
    world.coder.template.plan = BuildPlan(error="no space left on device", build_log=LOG)
    thread = await world.alice.runs("/task create fix the login redirect")
    await world.sweeps()
    await world.passes(seconds=290)
    early = thread.new_messages()

    await world.passes(seconds=15)
    broken = await card(world, thread)
    told = thread.new_messages()
    await world.alice.clicks(thread, "Retry")
    world.alice.reads()
    await world.sweeps()

    assert early == []
    assert broken.startswith(
        f"Broken: {TITLE}. Coder reports an error with its workspace. *Retry* starts it again."
    )
    assert told == [
        f"<@{world.alice.id}> Broken: {TITLE}. Coder reports an error with the workspace, so the agent "
        "cannot work. *Retry* starts the workspace again. If it fails the same way, show this to whoever "
        "looks after the template.\n"
        "| Setting up\n"
        "| Terraform 1.14.1\n"
        "| Downloading the image\n"
        "| Mounting the volume\n"
        "| Error: no space left on device\n"
        "| terraform apply: exit status 1: no space left on device\n"
        "[Retry] [Open in Coder]"
    ]
    assert world.task("fix-the-login").status == "active"
    assert (await card(world, thread)).startswith(f"Working: {TITLE}.")
    assert thread.new_messages() == []


async def test_an_agent_that_crashes_is_told_when_that_has_settled_and_retry_restarts_it(
    world: World,
) -> None:
    """Its workspace runs, so it has to be stopped first; nobody hears of a pause that nobody asked for."""
    thread, task = await a_task(world)
    await world.passes(seconds=400)
    task.crashes()
    await world.sweeps()
    early = thread.new_messages()
    await world.passes(seconds=20)
    told = thread.new_messages()

    await world.alice.clicks(thread, "Retry")
    await world.sweeps()
    await world.passes(seconds=3)
    await world.sweeps()
    await world.passes(seconds=3)
    await world.sweeps()

    assert early == []
    assert told == [
        f"<@{world.alice.id}> Broken: {TITLE}. Coder reports an error: the agent has stopped, though the "
        "build of its workspace was fine. *Retry* stops the workspace and starts it again.\n"
        "[Retry] [Open in Coder]"
    ]
    assert [build.transition for build in task.builds] == ["start", "stop", "start"]
    assert (await card(world, thread)).startswith((f"Working: {TITLE}.", f"Starting: {TITLE}."))
    assert thread.new_messages() == []
    assert world.alice.reads() != []


async def test_a_pause_and_a_resume_asked_for_here_name_who_asked(world: World) -> None:
    """Nobody is called, and nothing was lost."""
    thread, _ = await a_task(world)
    await world.alice.clicks(thread, "Pause")
    await world.sweeps()
    paused = thread.new_messages()
    shown = await card(world, thread)

    await world.alice.clicks(thread, "Resume")
    await world.sweeps()
    world.alice.reads()

    assert paused == [
        f"Paused: {TITLE}. Alice paused it. The workspace is stopped. Nothing is lost. Reply here and it "
        "goes on.\n"
        "[Resume] [Edit prompt] [Open in Coder]"
    ]
    assert shown.startswith(f"Paused: {TITLE}. Reading the code.")
    assert thread.new_messages() == [
        f"Resumed: {TITLE}. Alice resumed it. The workspace is up again. Reply here to talk to the agent.\n"
        "[Open in Coder]"
    ]


async def test_a_reply_to_a_paused_task_names_its_author_as_who_resumed_it(world: World) -> None:
    """The reply is the wish to go on."""
    thread, task = await a_task(world)
    task.pause()
    await world.sweeps()
    thread.new_messages()

    reply = await world.alice.replies(thread, "go on")
    await world.sweeps()
    await world.passes(seconds=5)

    assert thread.receipt(reply) == ["white_check_mark"]
    assert thread.new_messages() == [
        f"Resumed: {TITLE}. Alice resumed it. The workspace is up again. Reply here to talk to the agent.\n"
        "[Open in Coder]"
    ]


async def test_a_pause_in_coder_says_so(world: World) -> None:
    """Somebody used Coder's own page; so they may resume it."""
    thread, task = await a_task(world)
    task.pause()
    await world.sweeps()
    task.resume()
    await world.sweeps()

    assert thread.new_messages() == [
        f"Paused: {TITLE}. The workspace was stopped in Coder. Nothing is lost. Reply here and it goes on.\n"
        "[Resume] [Edit prompt] [Open in Coder]",
        f"Resumed: {TITLE}. The workspace is up again. Reply here to talk to the agent.\n[Open in Coder]",
    ]


async def test_an_idle_time_out_says_so(world: World) -> None:
    """Nobody did it, and nothing is wrong."""
    thread, task = await a_task(world)
    task.pause_by_timeout()
    await world.sweeps()

    assert thread.new_messages() == [
        f"Paused: {TITLE}. Nothing happened in it for a while, so Coder stopped its workspace. Nothing is "
        "lost. Reply here and it goes on.\n"
        "[Resume] [Edit prompt] [Open in Coder]"
    ]


async def test_a_pause_and_a_resume_are_told_once_however_often_one_looks(world: World) -> None:
    """Sweeps, restarts and time change nothing."""
    thread, task = await a_task(world)
    task.pause()
    await world.sweeps(times=3)
    await world.restarts()
    await world.sweeps(times=2)
    task.resume()
    await world.sweeps(times=3)
    await world.restarts()
    await world.sweeps()

    assert [message.partition(":")[0] for message in thread.new_messages()] == ["Paused", "Resumed"]
