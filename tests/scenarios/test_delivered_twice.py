"""A process was stopped while it delivered a reply, so the agent may have the reply twice. The bot checks
this, and reports a second copy in the thread."""

from taskwire.agent.observing import entries_of
from taskwire.domain.ids import TaskId, Ts
from taskwire.domain.lifecycle import reconcile
from taskwire.domain.queueing.jobs import Job
from taskwire.domain.queueing.maintenance import ReportDuplicateInput
from taskwire.domain.queueing.queues import duplicates
from taskwire.queue.batch import Batch
from taskwire_sandbox.coder import SandboxTask

from .people import Thread
from .waiting import a_waiting_agent
from .world import World

# After these seconds no input can take effect any more: twice the timeout and the margin, plus the longest
# lease.
LAST_LANDING_SECONDS = 191
INTERRUPTED = "I was interrupted here, and {}\n> use main"
TWICE = INTERRUPTED.format("the agent got this twice. Tell it to ignore one.")
MAYBE = INTERRUPTED.format(
    "the agent's log was deleted, so it may have got this twice. If that matters, ask the agent."
)


async def delivered(world: World) -> tuple[Thread, SandboxTask, Batch]:
    """Deliver a reply. Return the thread, the task, and a batch with the job that looks for a second copy of
    the reply. The bot writes such a job after it has lost a lease."""
    thread, task = await a_waiting_agent(world)
    deps = world.bot.parts.deps
    logs = await deps.service_coder.get_logs(task.id)
    marked = reconcile.make_mark("use main", task.prompt, 1, entries_of(logs))
    reply = await world.alice.replies(thread, "use main")
    link = await deps.links.find_by_task(TaskId(task.id))
    assert link is not None
    job = Job(id=f"compensate:input:{reply}", work=ReportDuplicateInput(ts=Ts(reply), mark=marked))
    return thread, task, Batch().append(duplicates(link.id), job)


async def looks(world: World, tidying: Batch) -> None:
    """Run the job that looks for a second copy. Let so much time pass that it looks twice: at once, and when
    no copy can arrive any more."""
    await world.bot.parts.deps.queues.write(tidying)
    await world.settles()
    await world.passes(LAST_LANDING_SECONDS)


async def test_what_the_agent_has_once_is_not_spoken_of(world: World) -> None:
    """The bot looks for a second copy of a reply and finds none. The thread gets no message about it."""
    thread, task, tidying = await delivered(world)

    await looks(world, tidying)

    assert task.inputs == ["use main"]
    assert [said for said in thread.new_messages() if "interrupted" in said] == []


async def test_what_the_agent_has_twice_is_told(world: World) -> None:
    """The agent has the reply twice. The bot cannot take the second copy back, so it tells the thread. The
    author can then tell the agent."""
    thread, task, tidying = await delivered(world)
    task.becomes("idle")
    task.hears("use main")

    await looks(world, tidying)

    assert [said for said in thread.new_messages() if "interrupted" in said] == [TWICE]


async def test_what_nothing_shows_any_more_is_told_as_that(world: World) -> None:
    """The workspace was restarted, so its log is gone and the bot cannot look for a second copy. The bot
    tells the thread that the agent may have the reply twice."""
    thread, task, tidying = await delivered(world)
    task.pause()
    task.resume()

    await looks(world, tidying)

    assert [said for said in thread.new_messages() if "interrupted" in said] == [MAYBE]
