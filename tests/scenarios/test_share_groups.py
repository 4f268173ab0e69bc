"""A task is shared with user groups of Slack, if they exist."""

from taskwire.domain.ids import TaskId

from .running_tasks import a_task
from .world import World


async def test_a_task_is_not_shared_with_a_group_that_does_not_exist(world: World) -> None:
    """Alice shares a task with Bob and with a user group that does not exist. The task is shared with
    neither."""
    _, task = await a_task(world)

    await world.alice.types(f"/task share {task.name} <@{world.bob.id}> <!subteam^SNOPE|@nobody>")

    assert world.alice.reads() == ["There is no such user group in this Slack. Nothing was shared."]
    link = await world.bot.parts.deps.links.find_by_task(TaskId(task.id))
    assert link is not None
    assert link.shares == ()
