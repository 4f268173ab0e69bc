"""What a poll costs Coder and the bot: one list, whatever the number of tasks."""

import asyncio

from taskwire.app.bot import run_bot
from tests.metrics import value_of

from .people import a_crowd
from .running_tasks import TITLE, a_task, card
from .world import World


async def test_at_rest_a_tick_costs_one_list_and_nothing_else(world: World) -> None:
    """A poll makes one request, whatever the number of tasks. The bot does not parse tasks that have not
    changed."""
    thread, task = await a_task(world)
    task.becomes("idle", "Which branch?")
    await world.polls()
    await world.passes(seconds=30)
    world.coder.add_tasks(300, "bob")
    await world.polls(times=2)
    requests, read = len(world.coder.requests), tasks_read(world)

    await world.polls(times=10)

    asked = [(request.route, request.query) for request in world.coder.requests[requests:]]
    assert asked == [("tasks.list", "")] * 10
    assert tasks_read(world) == read
    assert polls(world, "unchanged") >= 10
    assert len(thread.new_messages()) == 1


async def test_a_task_without_a_thread_costs_nothing(world: World) -> None:
    """A task without a link changes. The bot neither parses it nor asks Coder about it."""
    await a_task(world)
    other = world.coder.add_task("bob", "tidy the docs")
    await world.polls()
    requests, read = len(world.coder.requests), tasks_read(world)

    for number in range(5):
        other.becomes("working", f"Page {number}")
        await world.polls()

    assert [request.route for request in world.coder.requests[requests:]] == ["tasks.list"] * 5
    assert tasks_read(world) == read


async def test_a_task_that_changed_is_the_only_one_that_is_read(world: World) -> None:
    """One of two tasks has changed. The bot parses only that task, and reads its history once."""
    _, task = await a_task(world)
    other = await world.alice.runs("/task create tidy the docs")
    await world.polls(times=2)
    await world.passes(seconds=5)
    requests, read = len(world.coder.requests), tasks_read(world)

    task.becomes("working", "Writing a test")
    await world.polls()

    assert [request.route for request in world.coder.requests[requests:]] == ["tasks.list", "agents.get"]
    assert tasks_read(world) == read + 1
    assert other.new_messages() == []


async def test_a_command_with_a_tasks_whole_name_asks_for_that_task_alone(world: World) -> None:
    """For a task's whole name, the bot requests one task. It requests the whole list only for the start of a
    name."""
    _, task = await a_task(world)
    world.coder.add_tasks(300, "bob")
    requests = len(world.coder.requests)

    await world.alice.types(f"/task status {task.name}")
    named = [request.route for request in world.coder.requests[requests:]]
    await world.alice.types("/task status fix-the-log")

    assert set(named) == {"tasks.get"}
    assert "tasks.list" in [request.route for request in world.coder.requests[requests:]]
    assert [shown.partition(".")[0] for shown in world.alice.reads()] == [f"Working: {TITLE}"] * 2


async def test_many_who_ask_at_once_share_one_list(world: World) -> None:
    """Sixteen people's queries share a few requests to Coder. Each answer is at least as new as its
    question."""
    await a_task(world)
    people = await a_crowd(world, 16)
    requests = len(world.coder.requests)

    await asyncio.gather(*(person.types("/task list", settles=False) for person in people))
    await world.settles()

    lists = [request for request in world.coder.requests[requests:] if request.route == "tasks.list"]
    assert 1 <= len(lists) <= 4
    assert [len(person.reads()) for person in people] == [1] * 16


async def test_two_bots_ask_once_a_tick_and_one_goes_on_when_the_other_dies(world: World) -> None:
    """Only the replica with the lease polls. When that replica dies, its lease lapses within ten seconds and
    the other replica polls."""
    thread, task = await a_task(world)
    async with run_bot(world.settings, world.connections, clock=world.clock, has_timers=False) as other:
        requests = len(world.coder.requests)
        for _ in range(3):
            await asyncio.gather(world.bot.parts.poller.poll(), other.parts.poller.poll())
        asked = [request.route for request in world.coder.requests[requests:]]
        task.becomes("complete", "Opened PR #12")
        world.clock.passes(10)
        await other.parts.poller.poll()
        await world.settles()

    assert asked == ["tasks.list"] * 3
    assert len(thread.new_messages()) == 1


async def test_what_another_bot_saw_meanwhile_is_not_taken_for_seen(world: World) -> None:
    """This replica has stored a task as working. The task changes, and only another replica stores the
    change. Then the task is working again. This replica's next poll must store this, although the task looks
    as in its own latest poll."""
    thread, task = await a_task(world)
    async with run_bot(world.settings, world.connections, clock=world.clock, has_timers=False) as other:
        task.status_is("unknown")
        world.clock.passes(10)
        await other.parts.poller.poll()
        await world.settles()
        between = await card(world, thread)
        task.status_is("active")
        world.clock.passes(10)
        await world.polls()

    assert between.startswith(f"Unclear: {TITLE}.")
    assert (await card(world, thread)).startswith(f"Working: {TITLE}.")


async def test_a_link_that_is_made_anew_sees_its_task_at_once(world: World) -> None:
    """A person detached and attached an unchanged task between two polls. The next poll stores the task's
    state for the new link."""
    thread, task = await a_task(world)
    await world.alice.replies(thread, "!detach")
    thread.new_messages()
    world.alice.reads()

    again = await world.alice.runs(f"/task attach {task.name}")
    await world.polls()

    assert (await card(world, again)).startswith(f"Working: {TITLE}. Reading the code.")
    assert again.new_messages() == []


def tasks_read(world: World) -> float:
    """Return how many tasks of Coder's list the bot has parsed so far."""
    return figure(world, "taskwire_tasks_read_total")


def polls(world: World, outcome: str) -> float:
    """Return how many polls had this result."""
    return figure(world, "taskwire_polls_total", outcome=outcome)


def figure(world: World, name: str, **labels: str) -> float:
    """Return the value of the bot's metric with this name and these labels."""
    return value_of(world.bot.parts.metrics.registry, name, **labels)
