"""Coder's list of all tasks is too long to be read, because of a prompt that somebody wrote in Coder itself.

The tasks with threads are still watched: the bot asks for each owner's list.
"""

import pytest

from taskwire_sandbox.coder.faults import server_error

from .many_tasks import HUGE, a_second_replica, heard, start_tasks
from .running_tasks import TITLE, a_task, card
from .test_list_tasks import titles
from .test_notices_to_administrators import direct_messages
from .test_watching_costs import polls
from .world import CARD_SECONDS, World

NOTE = ":warning: Coder's list of tasks is too long for me to read. Here are only tasks that have a thread."
AWAY = "has not answered"
GONE = f"Gone: {TITLE}. The task is no longer in Coder. No agent gets replies here now.\n[New task]"

pytestmark = pytest.mark.usefixtures("short_limit_of_lists")


def _asked(world: World, before: int) -> list[tuple[str, str]]:
    """Return the calls of Coder about tasks after the first `before` calls."""
    asked = [(request.route, request.query) for request in list(world.coder.requests)[before:]]
    return [each for each in asked if each[0].startswith("tasks.")]


def _by_owner(owner_id: str) -> tuple[str, str]:
    return ("tasks.list", f"q=owner:{owner_id}")


async def test_a_long_list_stops_nobodys_notices(world: World) -> None:
    """A task of Bob makes the list too long. Alice's agent asks a question, and her thread is told. The card
    does not say that Coder is away. The whole list is requested again only after ten minutes."""
    thread, task = await a_task(world)
    world.coder.add_task("bob", HUGE, name="huge")
    await world.polls(times=2)
    before = len(world.coder.requests)

    task.becomes("idle", "Which branch?")
    await world.polls(times=2)
    await world.passes(seconds=30)
    await world.polls()
    asked = _asked(world, before)
    await world.ages(601)
    before = len(world.coder.requests)
    await world.polls()

    (said,) = thread.new_messages()
    assert said.startswith(f"<@{world.alice.id}> Which branch?\nNeeds you: {TITLE}.")
    assert AWAY not in await card(world, thread)
    assert {each for each in asked if each[0] == "tasks.list"} == {_by_owner(task.row.owner.id)}
    assert _asked(world, before) == [("tasks.list", ""), _by_owner(task.row.owner.id)]
    assert polls(world, "by_owner") >= 4
    assert (await world.bot.health())["coder"] == "ok"


async def test_the_whole_list_is_read_again_when_it_is_short_enough(world: World) -> None:
    """Bob deletes the task that made the list too long. Ten minutes later, a poll is one request again."""
    await a_task(world)
    huge = world.coder.add_task("bob", HUGE, name="huge")
    await world.polls(times=2)
    huge.delete()
    await world.ages(601)
    before = len(world.coder.requests)

    await world.polls(times=3)

    assert _asked(world, before) == [("tasks.list", "")] * 3


async def test_tasks_of_an_owner_whose_own_list_is_too_long_are_watched_too(world: World) -> None:
    """The long prompt is Alice's own, so even her own list is too long. The bot asks for each of her tasks
    that has a thread, and for no other."""
    thread, task = await a_task(world)
    world.coder.add_task("alice", HUGE, name="huge")
    await world.polls(times=2)
    before = len(world.coder.requests)

    task.becomes("complete", "Opened PR #12")
    await world.polls()
    asked = _asked(world, before)

    assert [route for route, _ in asked[:2]] == ["tasks.list", "tasks.get"]
    assert thread.new_messages() == [
        f"<@{world.alice.id}> Opened PR #12.\nDone: {TITLE}. Reply here if there is more to do."
    ]


async def test_of_many_tasks_of_such_an_owner_some_are_asked_for_at_each_poll(world: World) -> None:
    """Alice has 25 tasks with threads, and even her own list is too long. A poll asks for 20 of them, and the
    next poll begins with the others."""
    tasks = await start_tasks(world, 25)
    world.coder.add_task("alice", HUGE, name="huge")
    await world.polls()
    seen = []

    for _ in range(2):
        before = len(world.coder.requests)
        await world.polls()
        seen.append(
            [request.path for request in list(world.coder.requests)[before:] if "/me/" in request.path]
        )

    assert [len(each) for each in seen] == [20, 20]
    asked = {path.rpartition("/")[2] for path in (*seen[0], *seen[1])}
    assert asked == {task.id for task in tasks}
    while any(name.startswith("card:") for name in await world.jobs()):
        await world.passes(CARD_SECONDS)
    heard(world)


async def test_without_a_service_account_a_long_list_is_no_outage(personal: World) -> None:
    """Alice's own list is too long. Her task is watched all the same, and so is Bob's."""
    thread, task = await a_task(personal)
    personal.coder.add_task("alice", HUGE, name="huge")
    await personal.polls(times=2)

    task.becomes("complete", "Opened PR #12")
    await personal.polls()

    assert thread.new_messages() == [
        f"<@{personal.alice.id}> Opened PR #12.\nDone: {TITLE}. Reply here if there is more to do."
    ]
    assert AWAY not in await card(personal, thread)


async def test_a_task_that_is_deleted_meanwhile_is_gone(world: World) -> None:
    """While the list is too long, a task is deleted in Coder. Its thread hears that, after a second look."""
    thread, task = await a_task(world)
    world.coder.add_task("bob", HUGE, name="huge")
    await world.polls(times=2)
    task.delete()

    await world.polls()
    after_one = thread.new_messages()
    await world.polls(times=2)

    assert (after_one, thread.new_messages()) == ([], [GONE])


async def test_a_deleted_task_of_a_long_list_is_gone_too(world: World) -> None:
    """The same for a task of an owner whose own list is too long."""
    thread, task = await a_task(world)
    world.coder.add_task("alice", HUGE, name="huge")
    await world.polls(times=2)
    task.delete()

    await world.polls(times=3)

    assert thread.new_messages() == [GONE]


async def test_an_owner_whose_list_fails_stops_nobody_else(world: World) -> None:
    """While the list is too long, Coder answers one owner's list with an error. The tasks of the other owner
    are watched, and no card says that Coder is away."""
    alices, task = await a_task(world)
    bobs = await world.bob.runs("/task create tidy the docs")
    world.coder.add_task("bob", HUGE, name="huge")
    await world.polls(times=2)
    other = world.task("tidy-the-docs")
    world.coder.plan_fault("tasks.list", server_error(), times=1)

    task.becomes("complete", "Opened PR #12")
    other.becomes("complete", "Opened PR #13")
    await world.polls()
    first = len(alices.new_messages()) + len(bobs.new_messages())
    await world.polls()
    second = len(alices.new_messages()) + len(bobs.new_messages())

    assert (first, second) == (1, 1)
    assert AWAY not in await card(world, alices)


async def test_administrators_hear_once_of_a_long_list(world: World) -> None:
    """The list is too long. Administrators are told once, with the owner who has the longest list of those
    whose tasks have threads."""
    await world.restarts(admins=(world.bob.id,))
    await a_task(world)
    world.coder.add_task("alice", HUGE, name="huge")

    await world.polls(times=3)
    await world.ages(601)
    await world.polls()

    assert direct_messages(world, "bob") == [
        ":warning: Coder's list of tasks is longer than 64 MB, because there are many tasks or long "
        "prompts. I "
        "watch the tasks that have threads, but more slowly, and `list` shows only these. Of the people "
        "whose tasks have threads, alice has the longest list. Delete tasks in Coder that nobody needs."
    ]


async def test_what_people_ask_is_answered_from_what_was_seen(world: World) -> None:
    """While the list is too long, `list`, `/task` and `status` answer with the tasks that have threads, and
    say so. Commands with a task's whole name work, and others say what to write."""
    _, task = await a_task(world)
    world.coder.add_task("bob", HUGE, name="huge")
    await world.polls(times=2)

    await world.alice.types("/task list")
    await world.alice.types("/task")
    await world.alice.types(f"/task status {task.name}")
    await world.alice.types("/task status fix-the-log")
    listed, overview, whole, beginning = world.alice.reads()
    await world.alice.types("/task pause fix-the-log")
    refused = world.alice.reads()
    await world.alice.types(f"/task pause {task.name}")
    await world.bob.types("/task list mine")

    assert NOTE in listed
    assert titles(listed) == [f"•  Working: {TITLE}"]
    assert NOTE in overview
    assert TITLE in overview
    assert whole.startswith(f"Working: {TITLE}.")
    assert beginning.startswith(f"Working: {TITLE}.")
    assert AWAY not in f"{listed}{overview}{whole}{beginning}"
    assert refused == [
        "Coder's list of tasks is too long for me to search. Write the task's whole name as `owner/name`, or "
        "write in its thread."
    ]
    assert world.alice.reads()[0].startswith(f"Pausing *{TITLE}*.")
    assert TITLE not in "".join(world.bob.reads())


async def test_a_mention_that_begins_with_a_verb_starts_a_task(world: World) -> None:
    """While the list is too long, the bot cannot know whether the words after a verb are a task's title. The
    mention is a prompt then, as it is if no task has this title."""
    await a_task(world)
    world.coder.add_task("bob", HUGE, name="huge")
    await world.polls(times=2)
    before = len(world.coder.tasks)

    await world.alice.mentions("status page shows the wrong version, fix it")
    await world.settles()

    assert [task.prompt for task in world.coder.tasks[before:]] == [
        "status page shows the wrong version, fix it"
    ]
    world.cards(), heard(world)
    assert world.alice.reads() == []


async def test_a_person_without_tasks_sees_an_empty_list(world: World) -> None:
    """While the list is too long, Bob asks for lists, and no task has a thread. They are empty, and say which
    tasks they would have. He asked for no task by its name, so nothing is said about names."""
    world.coder.add_task("bob", HUGE, name="huge")
    await world.polls(times=2)

    await world.bob.types("/task list")
    await world.bob.types("/task list mine")
    await world.bob.types("/task")

    listed, own, overview = world.bob.reads()
    assert listed.startswith(f"{NOTE} You have no tasks yet.")
    assert own == listed
    assert overview.startswith(f"{NOTE} Nothing needs you right now.")


async def test_a_hint_does_not_end_the_round_of_another_replica(world: World) -> None:
    """While the list is too long, a round of all owners takes long. A hint of Coder to another replica does
    not end this round, so every owner's turn comes."""
    thread, task = await a_task(world)
    world.coder.add_task("bob", HUGE, name="huge")
    await world.polls(times=2)

    async with a_second_replica(world) as other:
        before = len(world.coder.requests)
        wait = await other.parts.poller.poll(is_hinted=True)
        asked = _asked(world, before)

    assert wait > 0
    assert asked == []
    thread.new_messages(), task.inputs
