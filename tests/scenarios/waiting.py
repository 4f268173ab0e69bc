"""A task whose agent waits for input, for stories about replies."""

from taskwire_sandbox.coder import SandboxTask

from .people import Thread
from .world import World

PROMPT = "fix the login"


async def a_waiting_agent(world: World) -> tuple[Thread, SandboxTask]:
    """Create a task of Alice whose agent waits for input. Return its thread and the task."""
    thread = await world.alice.runs(f"/task create {PROMPT}")
    await world.polls()
    await world.passes(seconds=3)
    return thread, world.task("fix-the-login")


async def a_busy_agent(world: World) -> tuple[Thread, SandboxTask]:
    """Create a task of Alice whose agent works and takes no input. Return its thread and the task."""
    thread, task = await a_waiting_agent(world)
    task.becomes("working")
    await world.polls()
    return thread, task


async def takes_all(world: World, task: SandboxTask) -> None:
    """Let the agent become ready for input now, and let it become ready again after each input that it
    gets."""
    assert task.program is not None
    task.program.on_input = lambda _: task.becomes("idle")
    task.becomes("idle")
    await world.polls()


async def comes_up(world: World) -> None:
    """Let some time pass, in which the workspace of the task *Fix the login* may start. While it runs, make
    the agent ready again and again, so that it takes the waiting replies one by one."""
    task = world.task("fix-the-login")
    for _ in range(4):
        await world.passes(seconds=3)
        if task.status == "active":
            task.becomes("idle")
        await world.polls()
