"""A task is shared with user groups of Slack, if they exist."""

import pytest

from taskwire.domain.ids import TaskId

from .many_tasks import calls
from .running_tasks import a_task
from .test_share import NOT_BOBS, and_bob
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


async def test_a_task_is_shared_with_more_groups_than_slack_answers_for_at_once(world: World) -> None:
    """Alice shares a task with 20 user groups. Slack answers for ten at once, so the command waits. It goes
    on where it was, and asks about each group once."""
    _, task = await a_task(world)
    groups = [world.slack.add_group(f"group{number}", ["alice"]) for number in range(20)]

    await world.alice.types(f"/task share {task.name} {' '.join(f'<!subteam^{each.id}>' for each in groups)}")
    for _ in range(15):
        await world.passes(seconds=4)

    every = ", ".join(f"<!subteam^{each.id}>" for each in groups[:-1])
    assert world.alice.reads() == [and_bob(f"{every} and <!subteam^{groups[-1].id}>", task.name)]
    assert len(calls(world, "usergroups.users.list")) == 20


@pytest.mark.parametrize("count", [3, 4, 20])
async def test_everybody_learns_at_once_what_they_may(world: World, count: int) -> None:
    """Alice has shared her task with many user groups. Bob is in the last of them, and Carol in none. Both
    get their answers at once, and again after what is known of the groups has expired. Bob loses the right
    when he is taken out of the group."""
    thread, task = await a_task(world)
    carol = world.person("carol")
    await world.slack.join(carol.id, "general")
    groups = [world.slack.add_group(f"group{number}", ["alice"]) for number in range(count - 1)]
    groups.append(world.slack.add_group("last", ["bob"]))
    await world.alice.types(f"/task share {task.name} {' '.join(f'<!subteam^{each.id}>' for each in groups)}")
    for _ in range(15):
        await world.passes(seconds=4)
    world.alice.reads()

    told: list[list[str]] = []
    for _ in range(2):
        await world.passes(seconds=70)
        await carol.types(f"/task stop {task.name}")
        told.append(carol.reads())
        task.becomes("idle", "Ready")
        await world.bob.replies(thread, "please add a test")
        await world.passes(seconds=3)
    await world.slack.change_group(groups[-1].id, ["alice"])
    await world.bob.types(f"/task stop {task.name}")

    by_carol = NOT_BOBS.replace("@Bob", "@Carol")
    assert told == [[by_carol]] * 2
    assert task.inputs == ["Bob wrote:\n> please add a test"] * 2
    assert (world.bob.reads(), task.status) == ([NOT_BOBS], "active")
    thread.new_messages()
