"""A worker is told to stop while it waits for an answer of Redis. No queue stays leased."""

import asyncio
from collections.abc import Awaitable
from pathlib import Path
from typing import cast

from taskwire.domain.queueing.jobs import Job, PostText
from taskwire.domain.queueing.queues import QueueName
from taskwire.domain.text.message import Message
from taskwire.job_context import JobContext, Outcome, done
from taskwire.queue.batch import Batch
from taskwire.queue.leases import Queues
from taskwire.queue.scripts import ServerClock
from taskwire.redis import connection, embedded
from taskwire_sandbox.slack import SlackSandbox

from .dependencies import KEYS, TIMES, new_worker, open_dependencies
from .proxy import proxy

QUEUE = QueueName("to_thread:L1")
JOB = Job(id="hello", work=PostText(message=Message(text="Hello.")))
# At least this many answers of Redis must be held. Fewer answers mean that the test does not see some of
# them.
FLOOR = 4


async def _is_left_free(url: str, slack: SlackSandbox, number: int) -> bool:
    """Stop a worker while Redis's answer `number` is held. Check that no lease is left. Return whether there
    was such an answer.

    After the stop, the worker's task is cancelled, as at the end of the bot.
    """
    has_run = asyncio.Event()

    async def run(context: JobContext) -> Outcome:
        del context
        has_run.set()
        return done()

    async with (
        connection.open(url) as straight,
        proxy(url) as between,
        connection.open(f"redis://127.0.0.1:{between.port}/0") as connections,
        open_dependencies(slack, connections) as deps,
    ):
        await straight.commands.flushdb()
        await Queues(straight, KEYS, ServerClock(), TIMES).write(Batch().append(QUEUE, JOB))
        between.hold_reply(number)
        worker = new_worker(deps, run)
        running = asyncio.create_task(worker.run())
        ends = [asyncio.create_task(each.wait()) for each in (between.held, has_run)]
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        is_met = between.held.is_set()

        stopping = asyncio.create_task(worker.stop(5))
        await asyncio.sleep(0)
        between.release()
        await stopping
        for task in (running, *ends):
            task.cancel()
        await asyncio.gather(running, *ends, return_exceptions=True)

        token = straight.commands.hget(KEYS.named("queue", QUEUE, "state"), "token")
        assert await cast("Awaitable[str | None]", token) is None, f"still leased after answer {number}"
    return is_met


async def test_a_worker_that_stops_while_it_acquires_a_lease_releases_it(tmp_path: Path) -> None:
    """If a worker is told to stop while it acquires a lease, the worker releases the lease, whichever answer
    of Redis it waits for. Otherwise the queue would be blocked until the lease expires."""
    number = 1
    async with SlackSandbox() as slack, embedded.store(tmp_path / "store") as store:
        while await _is_left_free(store.url, slack, number):
            number += 1

    assert number > FLOOR
