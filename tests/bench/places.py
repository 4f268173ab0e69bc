"""Starts what benchmarks need: the stand-ins in this process, and the measured program in a separate
process."""

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from taskwire.domain.ids import ChannelId, LinkId, TaskId, Ts, UserId
from taskwire.domain.lifecycle.links import LinkRecord
from taskwire.domain.text.agent_text import AgentText
from taskwire.queue.batch import Batch
from taskwire.queue.leases import Queues
from taskwire.queue.scripts import ServerClock
from taskwire.redis import connection, embedded
from taskwire.redis.connection import Connections
from taskwire.redis.keys import Keys
from taskwire.slack import manifest
from taskwire.state.link_writes import LinkWrites
from taskwire_sandbox.coder import SandboxTask
from taskwire_sandbox.slack import SlackSandbox
from tests.process.processes import PASSED_VARIABLES, Place, Taskwire, end, new_place

OWNER = "crowd"
BATCH = 100
ROOT = Path(__file__).parents[2]


@contextlib.asynccontextmanager
async def new_bench_place(
    directory: Path, slack: SlackSandbox | None = None, *, poll_seconds: float = 5.0, tasks: int = 0
) -> AsyncIterator[Place]:
    """Start the stand-ins for Slack and Coder without a bot. Coder already has `tasks` tasks that were not
    created from Slack."""
    directory.mkdir()  # noqa: ASYNC240 - once, before anything is measured
    async with new_place(directory, slack or SlackSandbox(manifest=manifest.make_manifest())) as place:
        place.settings["TASKWIRE_POLL_INTERVAL"] = str(poll_seconds)
        place.coder.add_user(OWNER)
        place.coder.add_tasks(tasks, OWNER)
        yield place


@contextlib.asynccontextmanager
async def run_module(place: Place, module: str, *words: str) -> AsyncIterator[Taskwire]:
    """Run a module in a process, with the place's settings. End the process at the end of the block."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", module, *words),
        cwd=ROOT,
        env={name: os.environ[name] for name in PASSED_VARIABLES if name in os.environ} | place.settings,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        limit=1 << 20,
    )
    started = Taskwire(process, place.settings["TASKWIRE_ADMIN_TOKEN"])
    started.listen()
    try:
        yield started
    finally:
        await end(started)


@contextlib.asynccontextmanager
async def store_of(place: Place) -> AsyncIterator[Connections]:
    """Connect to the embedded store of the process that runs in a place."""
    url = await embedded.find(place.data_dir)
    assert url is not None, "nothing runs there"
    async with connection.open(url) as connections:
        yield connections


def keys_of(place: Place) -> Keys:
    """Return the Redis keys of a place's workspace."""
    return Keys(place.slack.workspace.team_id)


def queues_of(place: Place, connections: Connections) -> Queues:
    """Return the queues of a place."""
    return Queues(connections, keys_of(place), ServerClock())


async def link_all(place: Place, tasks: Sequence[SandboxTask]) -> None:
    """Store a link for each task, as `/task attach` does, but post no card."""
    async with store_of(place) as connections:
        queues, writes = queues_of(place, connections), LinkWrites(keys_of(place))
        for start in range(0, len(tasks), BATCH):
            batch = Batch()
            for task in tasks[start : start + BATCH]:
                record = record_of(task)
                writes.write_task(writes.write_record(batch, record), record)
            await queues.write(batch)


def record_of(task: SandboxTask) -> LinkRecord:
    """Return the stored record of a task's link."""
    return LinkRecord(
        id=LinkId(f"bench{task.name}"),
        channel=ChannelId("C0BENCH"),
        made_at=Ts("1.000001"),
        requested_by=UserId("U0BENCH"),
        owner_id=task.row.owner.id,
        owner_name=task.row.owner.username,
        prompt=AgentText(task.prompt),
        name=task.name,
        title=task.name,
        task_id=TaskId(task.id),
    )


async def read_metric(bot: Taskwire, name: str) -> float:
    """Return a Prometheus metric of the bot, summed over all its labels."""
    _, text = await bot.ask("/metrics")
    assert f"# TYPE {name} " in text, f"there is no metric {name}"
    lines = [line for line in text.splitlines() if line.startswith((f"{name} ", f"{name}{{"))]
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines)


async def wait_for_metric(bot: Taskwire, name: str, value: float) -> None:
    """Wait until a metric of the bot is at least `value`."""
    while await read_metric(bot, name) < value:  # noqa: ASYNC110 - metrics cannot be waited for
        await asyncio.sleep(0.1)


async def wait_until_idle(place: Place, connections: Connections, patience_seconds: float = 300.0) -> None:
    """Wait until no queue has jobs that are due. Fail if this takes longer than `patience_seconds`."""
    ready = keys_of(place).named("ready")
    async with asyncio.timeout(patience_seconds):
        while await connections.commands.zcard(ready):  # noqa: ASYNC110 - the store has no event to wait on
            await asyncio.sleep(0.05)
