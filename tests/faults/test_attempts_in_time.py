"""Tests of two time limits. A worker writes an intent record and then makes the call of its attempt. The
first limit says until when it may send the call. The second says for how long other workers do not acquire
its queue. A worker that reads something for long extends its lease."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest

from taskwire import transport
from taskwire.dependencies import Dependencies
from taskwire.domain.ids import ChannelId
from taskwire.domain.queueing.jobs import Job, PostText
from taskwire.domain.queueing.queues import QueueName
from taskwire.domain.text.message import Message
from taskwire.job_context import FIRST_BYTE_SECONDS, JobContext
from taskwire.queue.batch import Batch
from taskwire.queue.leases import Lease, LeaseLost, NothingDue
from taskwire.redis import connection, embedded
from taskwire.slack.metadata import Metadata
from taskwire_sandbox.slack import SlackSandbox
from tests.process.processes import until
from tests.queue.engine import TestClock

from .dependencies import KEYS, TIMES, open_dependencies
from .proxy import FaultProxy, proxy

QUEUE = QueueName("to_thread:L1")
LONG_SECONDS = 60.0
LASTS_MS = int(FIRST_BYTE_SECONDS * 1000) + TIMES.late_arrival_ms


@dataclass
class Desk:
    """A queue behind a network that a test can break, a Slack stand-in, and a movable clock."""

    slack: SlackSandbox
    deps: Dependencies
    network: FaultProxy
    clock: TestClock
    general: str

    async def context(self, tries: int = 0) -> JobContext:
        """Acquire a job that has failed `tries` times, and return its context."""
        job = Job(id="hello", work=PostText(message=Message(text="Hello.")), tries=tries)
        await self.deps.queues.write(Batch().append(QUEUE, job))
        lease = await self.deps.queues.acquire()
        assert isinstance(lease, Lease)
        return JobContext(lease, self.deps.queues)

    async def lasts_ms(self, field: str = "attempt_until") -> int:
        """Return for how many more milliseconds other workers may not acquire the queue, because its owner
        may still make the attempt's call. With the field `held_until`, because its owner has the lease."""
        async with connection.open(f"redis://127.0.0.1:{self.network.port}") as connections:
            key = KEYS.named("queue", QUEUE, "state")
            asked = connections.commands.hget(key, field)
            return int(await cast("Awaitable[str | None]", asked) or 0) - self.clock.now_ms


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with contextlib.AsyncExitStack() as stack:
        slack = await stack.enter_async_context(SlackSandbox())
        general = slack.add_channel("general", []).id
        running = await stack.enter_async_context(embedded.store(tmp_path / "store"))
        network = await stack.enter_async_context(proxy(running.url))
        both = await stack.enter_async_context(connection.open(f"redis://127.0.0.1:{network.port}"))
        clock = TestClock()
        deps = await stack.enter_async_context(open_dependencies(slack, both, clock))
        yield Desk(slack, deps, network, clock, general)


@pytest.mark.parametrize(
    ("tries", "seconds", "is_written"),
    [(0, 1.9, True), (0, 2.1, False), (1, 2.1, True), (1, 4.1, False), (9, 9.9, True), (9, 10.1, False)],
)
async def test_nothing_is_written_later_than_others_were_told(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, tries: int, seconds: float, *, is_written: bool
) -> None:
    """If the deadline of an attempt has passed, its worker does not send the call. After the deadline,
    another worker may make the same call. The more often a job has failed, the later is the deadline."""
    channel, began = ChannelId(desk.general), transport.boottime()
    monkeypatch.setattr(transport, "boottime", lambda: began)
    context = await desk.context(tries)

    async def post() -> None:
        monkeypatch.setattr(transport, "boottime", lambda: began + seconds)
        await desk.deps.slack.post(channel, Message(text="Hello."), Metadata(id="hello", kind="answer"))

    with contextlib.nullcontext() if is_written else pytest.raises(transport.DeadlinePassed):
        await context.attempt("note", LONG_SECONDS, post)

    assert len(desk.slack.messages("general")) == int(is_written)


async def test_an_attempt_lasts_while_its_process_lives_and_ends_soon_after_its_death(desk: Desk) -> None:
    """While an attempt's call runs, its process renews the attempt, even if Redis is away for a moment. If
    the process dies, the attempt soon expires."""
    context, answered = await desk.context(), asyncio.Event()
    attempt = asyncio.create_task(context.attempt("note", LONG_SECONDS, answered.wait))
    await until(lambda: _is(desk, LASTS_MS), "an attempt to begin")
    before = [await desk.lasts_ms()]

    desk.network.drop_next_reply()
    await desk.network.dropped.wait()
    desk.clock.now_ms += 5_000
    await until(lambda: _is(desk, LASTS_MS), "the attempt to be kept up")

    answered.set()
    await attempt
    desk.clock.now_ms += LASTS_MS
    again = await desk.deps.queues.acquire()
    assert before == [LASTS_MS]
    assert isinstance(again, Lease)
    assert again.intent == "note"


async def test_a_lease_is_kept_during_a_long_read(desk: Desk) -> None:
    """While a job reads something for long, its process extends the lease, so no other worker acquires the
    queue. The lease ends soon after that."""
    context = await desk.context()

    async with context.keeping_lease():
        for _ in range(3):
            desk.clock.now_ms += TIMES.lease_ms - 1
            await until(lambda: _is(desk, TIMES.lease_ms, "held_until"), "the lease to be extended")
        meanwhile = await desk.deps.queues.acquire()
    desk.clock.now_ms += TIMES.lease_ms
    again = await desk.deps.queues.acquire()

    assert isinstance(meanwhile, NothingDue)
    assert isinstance(again, Lease)
    with pytest.raises(LeaseLost):
        async with context.keeping_lease():
            pytest.fail("the lease is lost")


async def _is(desk: Desk, lasts_ms: int, field: str = "attempt_until") -> bool:
    return await desk.lasts_ms(field) == lasts_ms
