"""Reports that a poll has seen before the workspace stopped. After the stop, nobody can read the agent's
history of reports."""

from taskwire_sandbox.slack import CallFault

from .running_tasks import TITLE, a_task
from .world import World


async def test_a_failure_is_told_although_the_workspace_has_stopped_since(world: World) -> None:
    """Slack takes no notices. Meanwhile an agent finishes, fails and waits, and then its workspace stops.
    When Slack takes notices again, the bot tells of the failure too."""
    thread, task = await a_task(world)
    world.slack.faults.add("chat.postMessage", CallFault.SERVER_ERROR, times=None)
    for state, said in (("complete", "Opened PR #12"), ("failed", "The build broke")):
        task.becomes(state, said)
        await world.polls()
        await world.passes(seconds=3)
        await world.polls()
    task.pause_by_timeout()
    await world.polls()

    world.slack.faults.clear()
    for _ in range(3):
        await world.passes(seconds=60)

    assert thread.new_messages() == [
        f"<@{world.alice.id}> Opened PR #12.\nDone: {TITLE}. Reply here if there is more to do.",
        f"<@{world.alice.id}> The build broke.\nFailed: {TITLE}. Reply here to tell the agent how to go on.\n"
        "[Logs]",
        f"Paused: {TITLE}. Nothing happened for a while, so Coder stopped its workspace. Nothing is lost: "
        "a reply resumes it.\n[Resume] [Edit prompt]",
    ]
