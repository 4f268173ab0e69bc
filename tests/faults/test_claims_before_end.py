"""A process is told to end just after Redis has lost a claim, which only this process still knows. The
process writes the claim again before it ends, even if its connection to Redis is interrupted."""

import contextlib
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from taskwire.dependencies import Dependencies
from taskwire.domain.queueing.jobs import Job, PostText
from taskwire.domain.queueing.queues import QueueName
from taskwire.domain.text.message import Message
from taskwire.queue.batch import Batch
from taskwire.queue.inbox import Inbox
from taskwire.queue.leases import Lease
from taskwire.queue.scripts import ServerClock
from taskwire.recovery.data_loss import repeat_before_end
from taskwire.redis import connection, embedded
from taskwire_sandbox.slack import SlackSandbox

from .dependencies import KEYS, open_dependencies
from .proxy import FaultProxy, proxy

QUEUE = QueueName("to_thread:L1")
LOST = Job(id="lost", work=PostText(message=Message(text="Lost.")))
# The product waits 10 s for the last jobs. One claim is tried for 2.4 s.
WITHIN_SECONDS = 10.0
# At least this many calls must be interrupted. Fewer calls mean that the test does not see some of them.
FLOOR = 6

Fault = Callable[[FaultProxy, int], None]


@contextlib.asynccontextmanager
async def _loss(
    directory: Path, slack: SlackSandbox
) -> AsyncIterator[tuple[FaultProxy, Dependencies, Inbox]]:
    """Let a process claim a delivery. Then connect the process to an older copy of the store, which lacks the
    claim. Return the proxy to the store, the process's dependencies, and its inbox."""
    copy = directory / "copy"
    async with contextlib.AsyncExitStack() as stack:
        store = await stack.enter_async_context(embedded.store(directory / "store"))
        between = await stack.enter_async_context(proxy(store.url))
        connections = await stack.enter_async_context(connection.open(f"redis://127.0.0.1:{between.port}/0"))
        deps = await stack.enter_async_context(open_dependencies(slack, connections))
        inbox = Inbox(connections, KEYS, ServerClock())
        await deps.queues.acquire()
        await deps.queues.data_loss_detector.find_new()
        leave_out = shutil.ignore_patterns("*.sock", "lock*")
        shutil.copytree(directory / "store", copy, ignore=leave_out)
        assert await inbox.claim("message", "C1:1.0", Batch().append(QUEUE, LOST)) == "claimed"
        older = await stack.enter_async_context(embedded.store(copy))
        between.leads_to(older.url)
        yield between, deps, inbox


@pytest.mark.parametrize("fault", [FaultProxy.drop_reply, FaultProxy.cut_request])
async def test_a_lost_claim_is_written_again_before_the_end(tmp_path: Path, fault: Fault) -> None:
    """Before the process ends, it writes the lost claim again. In round N, its call N is interrupted, before
    the call reaches Redis or before the answer comes back."""
    number, is_met = 0, True
    async with SlackSandbox() as slack:
        while is_met:
            number += 1
            directory = tmp_path / str(number)
            directory.mkdir()
            async with _loss(directory, slack) as (between, deps, inbox):
                fault(between, number)

                await repeat_before_end(deps, inbox, lambda: False, WITHIN_SECONDS)

                is_met = between.dropped.is_set()
                fault(between, 0)
                assert await _list_jobs(deps) == [LOST.id], f"interrupted at call {number}"

    assert number > FLOOR


async def _list_jobs(deps: Dependencies) -> list[str]:
    """Return the ids of all waiting jobs, in order."""
    found: list[str] = []
    while isinstance(lease := await deps.queues.acquire(), Lease):
        found.append(lease.job.id)
        await deps.queues.complete(lease, "done", Batch())
    return found
