"""What a sweep costs: 10,000 linked tasks with 1 in 100 changed, against merely reading that body."""

import time
from pathlib import Path

from taskwire.coder import models
from taskwire.model.ids import ChannelId, LinkId, TaskId, Ts, UserId
from taskwire.model.links import Bond
from taskwire.store.steps import Step
from tests.bench.figures import Figure
from tests.bench.worlds import abandoned
from tests.scenarios.world import World, new_world

CHANGED = 100
READ = "reading that body with the same partial model"


async def measure_sweeps(directory: Path, tasks: int) -> list[Figure]:
    """An unchanged body, and one in which 1 task in 100 has changed."""
    async with new_world(directory / "sweeps") as world:
        world.coder.add_user("crowd")
        world.coder.fill(tasks, "crowd")
        await _link_all(world)
        watcher = world.bot.parts.watcher
        await watcher.sweep()
        body = await world.bot.parts.doors.coder.list_tasks_raw()
        fetch = await _timed(world.bot.parts.doors.coder.list_tasks_raw)
        baseline = _reading(body)
        unchanged = await _timed(watcher.sweep)
        for task in world.coder.tasks[::CHANGED]:
            task.becomes("working", "a new report")
        changed = await _timed(watcher.sweep)
        await abandoned(world)
    return [
        Figure(f"sweep of {tasks:,} tasks, none changed, less fetch", unchanged - fetch, baseline, READ),
        Figure(
            f"sweep of {tasks:,} tasks, 1 in {CHANGED} changed, less fetch", changed - fetch, baseline, READ
        ),
    ]


async def _timed(call: object) -> float:
    started = time.perf_counter()
    await call()  # type: ignore[operator] # any of the two calls above
    return (time.perf_counter() - started) * 1000


def _reading(body: bytes) -> float:
    started = time.perf_counter()
    for item in models.cut_list(body):
        models.parse_task(item)
    return (time.perf_counter() - started) * 1000


async def _link_all(world: World) -> None:
    """Write a link for every task, as `attach` would."""
    writes = world.bot.parts.doors.writes
    for number, task in enumerate(world.coder.tasks):
        bond = Bond(
            id=LinkId(f"bench{number}"),
            channel=ChannelId("C0"),
            made_at=Ts("1.000001"),
            asked_by=UserId("U0"),
            name=task.name,
            task_id=TaskId(task.id),
        )
        step = writes.bond(Step(), bond)
        await world.bot.parts.doors.queue.write(writes.task(step, bond))
