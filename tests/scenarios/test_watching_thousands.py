"""Ten thousand tasks with links: a poll changes exactly what it should, and does not block the event loop."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from taskwire.domain.ids import ChannelId, LinkId, TaskId, Ts, UserId
from taskwire.domain.lifecycle.links import LinkRecord
from taskwire.polling.task_list import BATCH_SIZE
from taskwire.queue.batch import Batch
from taskwire_sandbox.coder.faults import Fault
from taskwire_sandbox.coder.wire import Response

from .test_watching_costs import tasks_read
from .world import World, new_world

MANY = 10_000


@pytest.fixture
async def crowd(tmp_path: Path) -> AsyncIterator["Crowd"]:
    async with new_world(tmp_path) as world, _crowd(world) as made:
        yield made


class Crowd:
    """A list of ten thousand tasks that Coder shows, each with a link."""

    def __init__(self, world: World, first: dict[str, object]) -> None:
        self.world = world
        self.tasks = [first | {"id": f"task-{number:05d}"} for number in range(MANY)]

    async def is_linked(self) -> None:
        """Write a link for each task, as `attach` does."""
        deps = self.world.bot.parts.deps
        for start in range(0, MANY, 500):
            batch = Batch()
            for number in range(start, start + 500):
                record = LinkRecord(
                    id=link_of(number),
                    channel=ChannelId("C1"),
                    made_at=Ts("1.000001"),
                    requested_by=UserId("U1"),
                    task_id=TaskId(str(self.tasks[number]["id"])),
                )
                deps.writes.write_task(deps.writes.write_record(batch, record), record)
            await deps.queues.write(batch)

    def becomes(self, number: int, message: str) -> None:
        """Let the task with this number report `message`. The report's time is later than that of all earlier
        reports."""
        state = {"timestamp": "2126-06-18T10:46:50Z", "state": "working", "message": message, "uri": ""}
        self.tasks[number] = self.tasks[number] | {"current_state": state}

    async def is_looked_at(self) -> None:
        """Poll once. No worker runs the jobs that the poll writes."""
        body = json.dumps({"tasks": self.tasks, "count": len(self.tasks)}, separators=(",", ":"))
        self.world.coder.plan_fault("tasks.list", Fault("crowd", answer=Response(200, body.encode())))
        await self.world.bot.parts.poller.poll()

    async def news(self) -> dict[str, int]:
        """Return the number of observations in each link's queue, and remove them."""
        jobs = await self.world.jobs()
        redis, keys = self.world.connections.commands, self.world.keys
        await redis.delete(keys.named("ready"), *(keys.named("queue", name, "order") for name in jobs))
        return {name: len(waiting) for name, waiting in jobs.items()}


async def test_a_look_at_ten_thousand_tasks_tells_of_those_that_changed(crowd: Crowd) -> None:
    """Three of ten thousand tasks have changed, and one is missing. The bot makes one request and writes
    three jobs, one for each change. For the missing task, it only records that one poll has missed it."""
    world = crowd.world
    await crowd.is_looked_at()
    first, read = await crowd.news(), tasks_read(world)
    for number in (0, 4_999, MANY - 1):
        crowd.becomes(number, "Halfway there")
    del crowd.tasks[7_000]
    requests = len(world.coder.requests)

    await crowd.is_looked_at()

    assert first == {f"to_thread:{link_of(number)}": 1 for number in range(MANY)}
    assert await crowd.news() == {f"to_thread:{link_of(number)}": 1 for number in (0, 4_999, MANY - 1)}
    assert (read, tasks_read(world)) == (MANY, MANY + 3)
    assert [request.route for request in world.coder.requests[requests:]] == ["tasks.list"]
    missed = await world.connections.commands.hget(world.keys.link(link_of(7_000)), "missed")
    assert missed == "1"


async def test_others_have_their_turn_between_the_pieces_of_a_long_list(crowd: Crowd) -> None:
    """The bot handles a long list piece by piece. Other code runs after each piece."""
    pieces: list[float] = []

    async def others() -> None:
        before = tasks_read(crowd.world)
        while True:
            await asyncio.sleep(0)
            now = tasks_read(crowd.world)
            pieces.append(now - before)
            before = now

    waiting = asyncio.create_task(others())

    await crowd.is_looked_at()

    waiting.cancel()
    assert sum(pieces) == MANY
    assert max(pieces) <= BATCH_SIZE
    await crowd.news()


def link_of(number: int) -> LinkId:
    """Return the id of a task's link."""
    return LinkId(f"L{number}")


@asynccontextmanager
async def _crowd(world: World) -> AsyncIterator[Crowd]:
    world.coder.add_task("alice", "mend the docs")
    await world.bot.parts.worker.stop(1)
    shown = json.loads(await world.bot.parts.deps.service_coder.list_tasks_raw())["tasks"][0]
    crowd = Crowd(world, shown)
    await crowd.is_linked()
    yield crowd
    # Other stories test these jobs. Here it is enough that they were written.
    await world.stops()
    await world.connections.commands.flushdb()
