"""Limits of new tasks in an hour and of running tasks, for each person and for each channel."""

import asyncio
import re

import pytest

from .people import Person
from .world import World

TOO_MANY = (
    "You have created 3 tasks within an hour, the limit for one person. You can create the next one in {} "
    "minutes. Nothing was created."
)


async def _starts_three(world: World, who: Person) -> None:
    for number in range(3):
        await who.runs(f"/task create do {number}")
        # A channel gets at most one post a second.
        await world.passes(seconds=2)


async def test_a_person_starts_so_many_tasks_an_hour_and_no_more(world: World) -> None:
    """The limit is three tasks an hour for each person. After three, the bot refuses another task, by a
    command and by the form. Other people's tasks do not count."""
    await world.restarts(create_limit=3)
    await _starts_three(world, world.alice)
    await world.passes(seconds=600)

    await world.alice.types("/task create one more")
    await world.alice.types("/task create")
    assert not await world.alice.submits(prompt="and another")
    await world.bob.runs("/task create do that")

    assert world.alice.reads() == [TOO_MANY.format(50)] * 2
    assert len(world.coder.tasks) == 4


async def test_the_next_one_may_start_when_the_first_is_an_hour_old(world: World) -> None:
    """A person at the hourly limit can start another task when the first of their tasks is an hour old.
    Refused creations do not count."""
    await world.restarts(create_limit=3)
    for number in range(3):
        await world.alice.runs(f"/task create do {number}")
        await world.passes(seconds=1_200)
    await world.alice.runs("/task create one more")

    await world.alice.types("/task create another")

    assert world.alice.reads() == [TOO_MANY.format(20)]
    assert len(world.coder.tasks) == 4


async def test_what_coder_or_slack_refuses_is_not_counted(world: World) -> None:
    """Coder or Slack refuses a creation. The creation does not count against the limit, because only tasks
    that exist count."""
    await world.restarts(create_limit=2)
    world.slack.add_channel("elsewhere", ["alice"], with_bot=False)
    await world.alice.types("/task create do nothing", "elsewhere")
    world.coder.settings.lacks_agent_license = True
    for number in range(3):
        await world.alice.runs(f"/task create try {number}")
        await world.passes(seconds=2)
    world.coder.settings.lacks_agent_license = False
    refused = world.alice.reads()

    for number in range(2):
        await world.alice.runs(f"/task create do {number}")
        await world.passes(seconds=2)
    await world.alice.types("/task create one more")

    assert len(refused) == 4
    assert [said[:26] for said in world.alice.reads()] == ["You have created 2 tasks w"]
    assert len(world.coder.tasks) == 2


async def test_after_five_tasks_that_could_not_be_created_a_person_waits(world: World) -> None:
    """Coder refuses each of Alice's tasks. After five, the bot refuses the next ones privately, and posts no
    card, until a minute has passed. Bob's tasks do not count."""
    world.coder.settings.lacks_agent_license = True
    for number in range(8):
        await world.alice.types(f"/task create try {number}")
        await world.passes(seconds=2)
    refused, cards = world.alice.reads(), world.cards()
    await world.bob.types("/task create do that")
    cards_of_bob = world.cards()
    world.coder.settings.lacks_agent_license = False
    await world.passes(seconds=60)

    await world.alice.runs("/task create try once more")

    assert [said[:40] for said in refused[5:]] == ["In the last minute, 5 tasks of yours cou"] * 3
    # The clock of the world goes on while the bot works.
    assert re.sub(r"in (4[5-9]|50) seconds", "in about 50 seconds", refused[5]) == (
        "In the last minute, 5 tasks of yours could not be created, so I take no more now. You can try "
        "again in about 50 seconds. Nothing was created."
    )
    assert (len(cards), len(cards_of_bob), len(world.coder.tasks)) == (5, 1, 1)
    world.bob.reads()


async def test_of_many_at_once_that_fail_few_get_a_card(world: World) -> None:
    """Alice types twenty commands at the same time, and Coder refuses each task. Tasks that are being created
    count for the limit of an hour until they fail. So before the fifth has failed, at most four more than
    this limit get a card. Then none gets one."""
    await world.restarts(create_limit=6)
    world.coder.settings.lacks_agent_license = True

    for number in range(20):
        await world.alice.types(f"/task create try {number}", settles=False)
    await world.settles()
    for _ in range(5):
        await world.passes(seconds=5)
    cards = world.cards()
    world.alice.reads()
    await world.alice.types("/task create once more")

    assert 6 <= len(cards) <= 6 + 4
    assert [said[:23] for said in world.alice.reads()] == ["In the last minute, 5 t"]
    assert (world.cards(), world.coder.tasks) == ([], [])


async def test_of_many_at_once_no_more_are_made_than_one_may_start(world: World) -> None:
    """Alice types eight commands at the same time, and the limit is three. Three tasks are created."""
    await world.restarts(create_limit=3)

    for number in range(8):
        await world.alice.types(f"/task create do {number}", settles=False)
    await world.settles()
    await world.passes(seconds=10)

    assert len(world.coder.tasks) == 3
    assert len(world.cards()) == 3
    assert len(world.alice.reads()) == 5


async def test_administrators_have_no_limit(world: World) -> None:
    """An administrator can start more tasks an hour than the limit. If the limit is 0, everybody can start
    any number."""
    await world.restarts(create_limit=1, admins=(world.alice.id,))
    await _starts_three(world, world.alice)
    await world.restarts(create_limit=0, admins=())
    await _starts_three(world, world.bob)

    assert len(world.coder.tasks) == 6


async def test_a_person_has_so_many_tasks_running_at_once(world: World) -> None:
    """A person has as many running tasks as the limit allows, so the bot refuses another. After the person
    pauses one task, they can start another. Other people's tasks do not count."""
    await world.restarts(running_limit=2)
    threads = []
    for number in range(2):
        threads.append(await world.alice.runs(f"/task create do {number}"))
        await world.passes(seconds=2)
    await world.polls()

    await world.alice.types("/task create one more")
    await world.bob.runs("/task create do that")
    [refused] = world.alice.reads()
    await world.alice.replies(threads[0], "!pause")
    await world.polls()
    await world.passes(seconds=5)
    world.alice.reads()
    await world.alice.runs("/task create one more")

    assert refused == (
        "You have 2 tasks with a running workspace, the limit for one person. Nothing was created. Stop or "
        "delete one, then "
        "ask again."
    )
    assert len(world.coder.tasks) == 4
    threads[0].new_messages()


async def test_a_channel_has_so_many_new_tasks_an_hour(world: World) -> None:
    """All people of a channel share one limit of new tasks an hour. This limit also holds if they type at the
    same time. Another channel has its own limit."""
    await world.restarts(channel_create_limit=2)
    carol = world.person("carol")
    channel = world.slack.add_channel("busy", ["alice", "bob", "carol"]).id

    for number, person in enumerate((world.alice, world.bob, carol)):
        await person.types(f"/task create do {number}", "busy", settles=False)
    for _ in range(3):
        # The bot handles these requests one after the other, which takes time.
        await world.passes(seconds=5)
    refused = [said for person in (world.alice, world.bob, carol) for said in person.reads()]
    await world.bob.types("/task create do that")
    await world.passes(seconds=5)

    assert refused == [
        f"<#{channel}> has had 2 new tasks within an hour, the limit for one channel. You can create the "
        "next one in 60 minutes. Nothing was created."
    ]
    assert len(world.coder.tasks) == 3
    world.cards()


async def test_a_channel_has_so_many_tasks_running_at_once(world: World) -> None:
    """A channel has as many running tasks as the limit allows, so the bot refuses another. Tasks that are
    still being created also count."""
    await world.restarts(channel_running_limit=2)
    thread = await world.alice.runs("/task create do 0")
    await world.passes(seconds=2)
    await world.alice.types("/task create do 1", settles=False)
    await world.bob.types("/task create do 2", settles=False)
    await world.settles()
    await world.passes(seconds=5)
    refused = [*world.alice.reads(), *world.bob.reads()]

    await world.alice.replies(thread, "!pause")
    await world.polls()
    await world.passes(seconds=5)
    await world.alice.types("/task create once more")
    await world.passes(seconds=5)

    channel = world.slack.workspace.channel("general").id
    assert refused == [
        f"<#{channel}> has 2 tasks with a running workspace, the limit for one channel. Nothing was "
        "created. When one of "
        "them is paused or deleted, ask again."
    ]
    assert len(world.coder.tasks) == 3
    world.alice.reads()
    thread.new_messages()
    world.cards()


async def test_a_resume_counts_like_a_new_task(world: World) -> None:
    """A person has as many running tasks as the limit allows. The bot refuses to resume another task, by
    command and by reply. When the person has stopped a task, the resume works."""
    await world.restarts(running_limit=1)
    thread = await world.alice.runs("/task create do 0")
    await world.polls()
    await world.alice.replies(thread, "!pause")
    await world.polls()
    await world.passes(seconds=5)
    other = await world.alice.runs("/task create do 1")
    await world.polls()
    world.alice.reads()
    thread.new_messages()

    await world.alice.types("/task resume do-0")
    reply = await world.alice.replies(thread, "go on")
    await world.passes(seconds=5)
    [refused] = world.alice.reads()
    said = thread.new_messages()
    before = world.task("do-0").status
    await world.alice.replies(other, "!pause")
    await world.polls()
    await world.passes(seconds=5)
    await world.alice.types("/task resume do-0")
    await world.polls()
    await world.passes(seconds=5)

    assert refused == (
        "*Do 0* stays paused: its owner has 1 task with a running workspace, the limit for one person. "
        "When one of them "
        "is paused or deleted, resume this one."
    )
    assert said == [
        "This reply was not delivered: the task stays paused, because its owner has 1 task with a running "
        "workspace, the "
        "limit for one person. Try again when one of them is paused or deleted.\n> go on\n[Try again]"
    ]
    assert thread.receipt(reply) == ["warning"]
    assert before == "paused"
    assert world.task("do-0").status == "active"
    for place in (thread, other):
        place.new_messages()
    world.alice.reads()


@pytest.mark.parametrize("limit", ["running_limit", "channel_running_limit"])
@pytest.mark.parametrize("way", ["verb", "reply"])
async def test_of_many_resumed_at_once_no_more_run_than_may(world: World, limit: str, way: str) -> None:
    """A person resumes several tasks at the same moment, in their threads. No more run than the limit
    allows."""
    threads = []
    for number in range(4):
        threads.append(await world.alice.runs(f"/task create do {number}"))
        await world.polls()
        await world.alice.replies(threads[-1], "!pause")
        await world.polls()
        await world.passes(seconds=5)
    await world.restarts(**{limit: 1})
    world.alice.reads()

    words = "!resume" if way == "verb" else "go on"
    written = [world.slack.post(world.alice.id, each.channel, words, each.ts) for each in threads]
    await asyncio.gather(*written)
    # Each resume that meets another one runs again half a second later.
    for _ in range(10):
        await world.passes(seconds=2)
        await world.polls()

    assert [task.status for task in world.coder.tasks].count("active") == 1
    await world.passes(seconds=60)
    await world.polls()
    await world.passes(seconds=60)
    world.alice.reads()
    for thread in threads:
        thread.new_messages()


async def test_attach_counts_for_the_limit_of_a_channel(world: World) -> None:
    """A person creates three tasks in direct messages, where no channel's limit counts, and attaches them in
    a channel that lets two tasks run. The third is refused, and keeps its thread in the direct messages. A
    paused task can be attached all the same."""
    await world.restarts(channel_running_limit=2)
    for number in range(3):
        await world.slack.command(world.alice.id, world.alice.direct(), "/task", f"create do {number}")
        await world.passes(seconds=3)
    await world.polls()
    tasks = list(world.coder.tasks)
    world.cards()

    for task in tasks:
        await world.alice.types(f"/task attach {task.name}", settles=False)
    await world.settles()
    await world.passes(seconds=5)
    refused, attached = world.alice.reads(), world.cards()
    direct = world.slack.workspace.channels[world.alice.direct()]
    moved = [ts for ts, message in direct.messages.items() if "|new thread>" in str(message.body)]
    await world.alice.types(f"/task stop {tasks[2].name}")
    await world.polls()
    await world.passes(seconds=5)
    world.alice.reads()
    await world.alice.types(f"/task attach {tasks[2].name}")
    await world.passes(seconds=5)

    channel = world.slack.workspace.channel("general").id
    assert refused == [
        f"<#{channel}> has 2 tasks with a running workspace, the limit for one channel. Nothing was "
        "attached. When one of "
        "them is paused or deleted, ask again."
    ]
    assert (len(attached), len(moved), len(world.cards())) == (2, 2, 1)
    # The rest is said in the former threads.
    world.reader.read_all()
