"""Coder's list of all tasks is too long, and a round of all owners takes long. Another replica waits."""

from collections.abc import Awaitable, Callable

import pytest

from taskwire.coder.client import CoderClient
from taskwire.polling.poller import ACCOUNT
from taskwire.state.observations import Poll
from taskwire_sandbox.coder import SandboxTask

from .many_tasks import HUGE, a_second_replica
from .people import Thread
from .running_tasks import a_task
from .test_watching_costs import figure
from .world import World

LISTS, TASKS = "list_tasks_raw", "get_task"

pytestmark = pytest.mark.usefixtures("short_limit_of_lists")


async def _two_owners(world: World) -> tuple[Thread, SandboxTask]:
    """Let Alice and Bob have a task each. One of them has a list that is too long: the one whose id is the
    first in the alphabet. Return the thread and the task of the other."""
    alices, alices_task = await a_task(world)
    bobs = await world.bob.runs("/task create tidy the docs")
    bobs_task = world.task("tidy-the-docs")
    bobs_task.becomes("working", "Reading the docs")
    is_alice = alices_task.row.owner.id < bobs_task.row.owner.id
    world.coder.add_task("alice" if is_alice else "bob", HUGE, name="huge")
    await world.polls(times=2)
    thread, task = (bobs, bobs_task) if is_alice else (alices, alices_task)
    thread.new_messages()
    return thread, task


def _call_before(patch: pytest.MonkeyPatch, method: str, action: Callable[[], Awaitable[None]]) -> None:
    """Run this action during each request that this method of Coder's client makes, before the answer."""
    request = getattr(CoderClient, method)

    async def delayed(self: CoderClient, *words: object) -> object:
        await action()
        return await request(self, *words)

    patch.setattr(CoderClient, method, delayed)


async def test_an_owner_whose_reading_is_overtaken_stops_nobody_else(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One request for a task takes so long that another replica takes over each time. Such a round ends
    there, and the next one begins with the owner who did not get a turn."""
    thread, task = await _two_owners(world)
    routes, taken = [], []

    async with a_second_replica(world) as other:

        async def take_over() -> None:
            world.clock.passes(10)
            taken.append(await other.parts.deps.observations.claim(ACCOUNT, 1))

        _call_before(monkeypatch, TASKS, take_over)
        task.becomes("complete", "Opened PR #13")
        await world.coder.catch_up()
        for _ in range(3):
            before = len(world.coder.requests)
            await world.bot.parts.poller.poll()
            asked = [request.route for request in list(world.coder.requests)[before:]]
            routes.append([route for route in asked if route.startswith("tasks.")])
            world.clock.passes(1)
        monkeypatch.undo()
        await world.settles()

    (said,) = thread.new_messages()
    assert "Opened PR #13" in said
    assert all(isinstance(each, Poll) for each in taken)
    assert [each[-1] for each in routes] == ["tasks.get"] * 3
    assert sum(each.count("tasks.list") for each in routes) > 3


async def test_a_replica_keeps_its_round_while_coder_answers_slowly(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each list and each task takes five seconds. The other replica never gets the right to poll, though the
    right of a poll lasts nine seconds."""
    await _two_owners(world)
    for person, prompt in ((world.alice, "check the links"), (world.bob, "check the images")):
        await person.runs(f"/task create {prompt}")
        world.task(prompt.replace(" ", "-")).becomes("working", "Looking")
    await world.polls()
    await world.ages(601)
    taken = []

    async with a_second_replica(world) as other:

        async def take_long() -> None:
            world.clock.passes(5)
            claimed = await other.parts.deps.observations.claim(ACCOUNT, 1)
            taken.append(isinstance(claimed, Poll))

        _call_before(monkeypatch, LISTS, take_long)
        _call_before(monkeypatch, TASKS, take_long)
        await world.bot.parts.poller.poll()
        monkeypatch.undo()

    assert len(taken) >= 5
    assert not any(taken)


@pytest.mark.parametrize("was_polled", [True, False])
async def test_each_owner_that_is_read_counts_as_a_poll(
    world: World, monkeypatch: pytest.MonkeyPatch, *, was_polled: bool
) -> None:
    """A round takes longer than the last poll counts as recent. After each owner, the figure of the last poll
    is new, and timers go on. If no poll was recent before, timers wait for the end of the round."""
    await _two_owners(world)
    deps, last = world.bot.parts.deps, "taskwire_last_poll_timestamp_seconds"
    world.bot.parts.metrics.last_poll_timestamp_seconds.set(0)
    if not was_polled:
        await deps.notes.forget("polled", ACCOUNT)
    seen = []

    async def take_long() -> None:
        await world.ages(50)
        seen.append((figure(world, last) > 0, await deps.notes.find("polled", ACCOUNT) is not None))

    _call_before(monkeypatch, LISTS, take_long)
    await world.bot.parts.poller.poll()
    monkeypatch.undo()

    assert seen == [(False, was_polled), (True, was_polled)]
    assert await deps.notes.find("polled", ACCOUNT) is not None
