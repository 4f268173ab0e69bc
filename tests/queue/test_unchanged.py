"""A job's write can depend on what the job has read: if that has changed since, nothing is written."""

import asyncio

from taskwire.domain.errors import TryLater
from taskwire.domain.queueing.queues import QueueName
from taskwire.queue.batch import Batch

from .engine import Engine

MOST_AT_ONCE, ROUNDS = 10, 20


async def test_of_many_writes_at_once_that_read_the_same_one_wins(engine: Engine) -> None:
    """Ten jobs read that nobody has a record, and write it in the same moment. Each time, one of them has it.
    The others have written nothing."""
    queues = [QueueName(f"account:U{number}") for number in range(MOST_AT_ONCE)]
    for queue in queues:
        await engine.append("connect", name=queue)
    leases = [await engine.takes() for _ in queues]
    redis = engine.connections.commands

    for number in range(ROUNDS):
        record = engine.keys.named("account_of", str(number))

        async def write(at: int, key: str = record) -> bool:
            batch = Batch().write("SET", key, str(at)).write("SET", f"{key}:{at}", "written")
            try:
                await engine.queues.write_under_lease(leases[at], batch, {key: ""})
            except TryLater:
                return False
            return True

        wrote = await asyncio.gather(*(write(at) for at in range(MOST_AT_ONCE)))

        [winner] = [at for at, has_written in enumerate(wrote) if has_written]
        assert await redis.get(record) == str(winner)
        assert await redis.keys(f"{record}:*") == [f"{record}:{winner}"]


async def test_a_write_that_depends_on_a_value_needs_exactly_this_value(engine: Engine) -> None:
    """A record has another value than the job has read, or none, so nothing is written. If all records are
    as the job has read them, the write is done."""
    await engine.append("connect")
    lease, redis = await engine.takes(), engine.connections.commands
    one, other = engine.keys.named("account", "U1"), engine.keys.named("account", "U2")
    await redis.set(one, "new")

    results = []
    for unchanged in ({one: "old"}, {one: "new", other: "old"}, {one: ""}, {one: "new", other: ""}):
        try:
            await engine.queues.write_under_lease(lease, Batch().write("SET", other, "done"), unchanged)
        except TryLater:
            results.append(await redis.get(other))

    assert results == [None] * 3
    assert await redis.get(other) == "done"
