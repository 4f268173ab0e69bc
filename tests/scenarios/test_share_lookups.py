"""What shares look up in Slack, and what that leaves of Slack's limits for other people."""

import pytest

from .many_tasks import calls, heard, start_threads
from .running_tasks import a_task
from .test_share import and_bob
from .world import World

NO_SUCH_GROUP = "There is no such user group in this Slack. Nothing was shared."


def looked_up(world: World) -> list[str]:
    """Return the user groups whose members Slack was asked for, the first one first."""
    return [str(call.arguments["usergroup"]) for call in calls(world, "usergroups.users.list")]


async def test_groups_that_do_not_exist_go_behind_the_rights_of_others(world: World) -> None:
    """Administrators are a user group. In 30 threads, Alice names a group that does not exist. Whether Bob is
    an administrator is looked up before all groups of Alice that still wait."""
    admins = world.slack.add_group("ops", [world.person("root").id])
    await world.restarts(admins=(admins.id,))
    thread, _ = await a_task(world)
    await world.passes(seconds=70)
    threads = await start_threads(world, 30, world.alice)
    await world.forgets()
    before = len(looked_up(world))

    for number, each in enumerate(threads):
        await world.slack.post(world.alice.id, each.channel, f"!share <!subteam^SNOPE{number}>", each.ts)
    await world.settles()
    at_first = len(looked_up(world))
    await world.ages(seconds=10)
    await world.bob.replies(thread, "!stop")
    await world.passes(seconds=3)

    assert at_first - before < 30
    assert looked_up(world)[at_first:][:1] == [admins.id]
    assert len(world.bob.reads()) == 1
    for _ in range(40):
        await world.passes(seconds=3)
    assert world.alice.reads() == [NO_SUCH_GROUP] * 30
    heard(world)


async def test_a_group_that_does_not_exist_is_looked_up_once(world: World) -> None:
    """Alice names a group that does not exist in 15 threads. Slack is asked once. Some minutes later a group
    with this id exists, and Alice can share a task with it."""
    thread, task = await a_task(world)
    threads = await start_threads(world, 15, world.alice)
    group = world.slack.add_group("late", ["bob"])
    del world.slack.workspace.groups[group.id]

    for each in threads:
        await world.slack.post(world.alice.id, each.channel, f"!share <!subteam^{group.id}>", each.ts)
    await world.settles()
    asked, refused = looked_up(world), world.alice.reads()
    world.slack.workspace.groups[group.id] = group
    await world.ages(seconds=180)
    await world.alice.types(f"/task share {task.name} <!subteam^{group.id}>")

    assert (asked, refused) == ([group.id], [NO_SUCH_GROUP] * 15)
    assert world.alice.reads() == [and_bob(f"<!subteam^{group.id}>", task.name)]
    assert thread.new_messages() == []


async def test_a_new_group_works_as_soon_as_slack_reports_it(world: World) -> None:
    """Alice names a group before it exists. Then somebody makes it, and Slack reports its members."""
    _, task = await a_task(world)
    group = world.slack.add_group("late", [])
    del world.slack.workspace.groups[group.id]
    await world.alice.types(f"/task share {task.name} <!subteam^{group.id}>")

    world.slack.workspace.groups[group.id] = group
    await world.slack.change_group(group.id, [world.bob.id])
    await world.alice.types(f"/task share {task.name} <!subteam^{group.id}>")

    assert world.alice.reads() == [NO_SUCH_GROUP, and_bob(f"<!subteam^{group.id}>", task.name)]


@pytest.mark.parametrize("page_size", [1, 200])
async def test_searches_for_typed_names_share_the_pages_of_people(
    world: World, monkeypatch: pytest.MonkeyPatch, page_size: int
) -> None:
    """Alice and Carol type names in 30 threads, and then Alice shares a task by Bob's name. Each page of
    Slack's people is read once, so everybody has an answer at once."""
    monkeypatch.setattr("taskwire.slack.outbound.PROFILES_PAGE_SIZE", page_size)
    _, task = await a_task(world)
    world.slack.workspace.user("bob").real_name = "Robert Berg"
    carol = world.person("carol")
    await world.slack.join(carol.id, "general")
    threads = await start_threads(world, 15, world.alice) + await start_threads(world, 15, carol, prefix="c")
    people = len(world.slack.workspace.users)

    for number, each in enumerate(threads):
        owner = world.alice if number < 15 else carol
        await world.slack.post(owner.id, each.channel, f"!share @nobody {number}", each.ts)
    await world.settles()
    await world.alice.types(f"/task share {task.name} @Robert Berg")

    assert len(calls(world, "users.list")) == (people if page_size == 1 else 1)
    assert [len(carol.reads()), len(world.bob.hears())] == [15, 1]
    assert world.alice.reads()[15:] == [and_bob("Robert Berg", task.name)]
