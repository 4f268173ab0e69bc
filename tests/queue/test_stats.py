"""Queue statistics: how many jobs wait in each kind of queue, and for how long."""

import pytest

from taskwire.domain.queueing import queues
from taskwire.domain.queueing.queues import QueueName, to_coder, to_thread
from taskwire.outbox import direct_messages, private_answers
from taskwire.queue.batch import Batch
from taskwire.queue.stats import MAX_QUEUES_READ, QUEUE_KINDS, QueueDepth, QueueStats

from .engine import Engine, job


@pytest.fixture
def queue_stats(engine: Engine) -> QueueStats:
    """Return the statistics of the engine's queues."""
    return QueueStats(engine.connections, engine.keys, engine.clock)


async def test_waiting_jobs_are_counted_by_kind_of_queue(engine: Engine, queue_stats: QueueStats) -> None:
    """For each kind of queue, the statistics have the number of jobs, the time since they became due, and
    their age. A delay does not change the age."""
    await engine.append("a", "b", name=to_thread("L1"))
    engine.passes(2)
    await engine.append("c", name=to_thread("L2"))
    await engine.append("d", name=to_coder("L1"), delay_ms=60_000)
    engine.passes(1)

    found = (await queue_stats.read()).by_kind

    assert found == {"to_thread": QueueDepth(3, 3.0, 3.0), "to_coder": QueueDepth(1, 0.0, 1.0)}


async def test_nothing_waits(engine: Engine, queue_stats: QueueStats) -> None:
    """A job that is done is no longer counted."""
    await engine.append("a")
    await engine.ends(await engine.takes())

    assert await queue_stats.read() == ({}, 0)


async def test_one_read_counts_at_most_a_thousand_queues(engine: Engine, queue_stats: QueueStats) -> None:
    """One read of the statistics covers at most a thousand queues: those that have been due for longest."""
    batch = Batch()
    for number in range(MAX_QUEUES_READ + 100):
        batch.append(QueueName(f"receipts:{number}"), job("a"), score="due", delay_ms=number)
    await engine.queues.write(batch)

    assert (await queue_stats.read()).by_kind["receipts"].jobs == MAX_QUEUES_READ


def test_every_kind_of_queue_is_counted() -> None:
    """The statistics have every kind of queue that the code makes."""
    rooms = {**vars(queues), **vars(direct_messages), **vars(private_answers)}
    makers = {name for name, made in rooms.items() if _returns(made) is QueueName}

    assert {*makers, queues.BACKFILL_THREADS.partition(":")[0]} == set(QUEUE_KINDS)


def _returns(made: object) -> object:
    return getattr(made, "__annotations__", {}).get("return")
