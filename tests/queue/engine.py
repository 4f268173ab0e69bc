"""Queues with a clock that tests move, and short methods for tests."""

from collections.abc import Awaitable
from typing import cast

from taskwire.domain.queueing.jobs import Job, PostText
from taskwire.domain.queueing.queues import QueueName
from taskwire.domain.text.message import Message
from taskwire.queue.batch import Batch, Word
from taskwire.queue.leases import Lease, LeaseTimes, NothingDue, Queues, UnreadableJob
from taskwire.queue.scripts import Script, ScriptAnswer
from taskwire.redis.connection import Connections
from taskwire.redis.keys import Keys
from tests.lua import with_libraries

NOON_MS = 1_764_072_000_000
LIST = QueueName("to_thread:L1")
OTHER = QueueName("to_thread:L2")
TIMES = LeaseTimes(lease_ms=10_000, longest_lease_ms=60_000, late_arrival_ms=5_000)


class TestClock:
    """A clock that stands still until a test moves it."""

    __test__ = False

    def __init__(self) -> None:
        self.now_ms = NOON_MS

    def stamp(self) -> str:
        """Return the clock's time in milliseconds, as text. The scripts use it as the present time."""
        return str(self.now_ms)


class Engine:
    """The queues of one workspace, and their clock."""

    def __init__(self, connections: Connections, team: str = "T1") -> None:
        self.connections = connections
        self.keys = Keys(team)
        self.clock = TestClock()
        self.queues = Queues(connections, self.keys, self.clock, TIMES)

    def passes(self, seconds: float) -> None:
        """Move the clock forward."""
        self.clock.now_ms += round(seconds * 1000)

    async def append(
        self,
        *ids: str,
        name: QueueName = LIST,
        score: Word = "next",
        delay_ms: int = 0,
        is_newest: bool = False,
    ) -> None:
        """Append a job for each of these ids to the queue `name`. The text of each job is its id.

        The other parameters are those of `Batch.append`.
        """
        for job_id in ids:
            batch = Batch().append(name, job(job_id), score=score, delay_ms=delay_ms, is_newest=is_newest)
            await self.queues.write(batch)

    async def takes(self) -> Lease:
        """Acquire a lease and return it. Fail if no queue is due."""
        taken = await self.queues.acquire()
        assert isinstance(taken, Lease), taken
        return taken

    async def takes_nothing(self) -> float:
        """Check that no queue is due. Return the seconds until the next queue is due."""
        taken = await self.queues.acquire()
        assert isinstance(taken, NothingDue), taken
        return taken.wait_seconds

    async def takes_unreadable(self) -> UnreadableJob:
        """Acquire a queue and return its next job, which this version must not be able to read."""
        taken = await self.queues.acquire()
        assert isinstance(taken, UnreadableJob), taken
        return taken

    async def ends(self, lease: Lease, batch: Batch | None = None) -> None:
        """Complete a lease with its job done. In the same call write `batch`, if there is one."""
        await self.queues.complete(lease, "done", batch or Batch())

    async def due(self) -> dict[str, float]:
        """Return the seconds until each queue is due. Only queues that have jobs are listed."""
        found = await self.connections.commands.zrange(self.keys.named("ready"), 0, -1, withscores=True)
        scored = cast("list[tuple[str, float]]", found)
        return {name: (score - self.clock.now_ms) / 1000 for name, score in scored}

    async def fields(self, key: str) -> dict[str, str]:
        """Return the fields and values of the Redis hash `key`."""
        return await cast("Awaitable[dict[str, str]]", self.connections.commands.hgetall(key))

    async def letters(self) -> list[str]:
        """Return the stored texts of the dead letters, the oldest first."""
        redis, key = self.connections.commands, self.keys.named("dead_letters")
        ids = cast("list[str]", await redis.zrange(self.keys.named("dead_letters", "order"), 0, -1))
        return [await cast("Awaitable[str]", redis.hget(key, each)) for each in ids]

    async def written(self) -> list[str]:
        """List all keys in Redis, except the key with the numbers of this connection's own writing calls."""
        own = self.keys.named("writes", self.connections.write_log.id)
        return [str(key) for key in await self.connections.commands.keys("*") if key != own]

    async def run(self, body: str, *words: str) -> ScriptAnswer:
        """Run a Lua script that may use the operations of batches. Return its result. The script gets `words`
        as its arguments."""
        return await Script(self.connections.commands, self.keys, self.clock, with_libraries(body))(*words)


def job(job_id: str, text: str = "") -> Job:
    """Make a job with the id `job_id`. Its text is `text`, or else its id."""
    return Job(id=job_id, work=PostText(message=Message(text=text or job_id)))
