"""The lists of one workspace under a clock that a test moves, and the few words that its tests need."""

from collections.abc import Awaitable
from typing import cast

from taskwire.domain.jobs import Job, PostText, QueueName
from taskwire.domain.message import Message
from taskwire.queue.batch import Batch, Word
from taskwire.queue.leases import Lease, LeaseTimes, NothingDue, Queue, Unreadable
from taskwire.queue.scripts import Answered, Script
from taskwire.redis.connection import Connections
from taskwire.redis.keys import Keys
from tests.lua import with_libraries

NOON_MS = 1_764_072_000_000
LIST = QueueName("to_thread:L1")
OTHER = QueueName("to_thread:L2")
TIMES = LeaseTimes(lease_ms=10_000, longest_lease_ms=60_000, landing_margin_ms=5_000)


class TestClock:
    """Stands still until a test moves it."""

    __test__ = False

    def __init__(self) -> None:
        self.now_ms = NOON_MS

    def stamp(self) -> str:
        """What the scripts take for now."""
        return str(self.now_ms)


class Engine:
    """A queue and its clock."""

    def __init__(self, connections: Connections, team: str = "T1") -> None:
        self.connections = connections
        self.keys = Keys(team)
        self.clock = TestClock()
        self.queue = Queue(connections, self.keys, self.clock, TIMES)

    def passes(self, seconds: float) -> None:
        """Let time pass."""
        self.clock.now_ms += round(seconds * 1000)

    async def append(
        self,
        *ids: str,
        name: QueueName = LIST,
        score: Word = "next",
        delay_ms: int = 0,
        is_newest: bool = False,
    ) -> None:
        """Append jobs whose text is their id."""
        for job_id in ids:
            batch = Batch().append(name, job(job_id), score=score, delay_ms=delay_ms, is_newest=is_newest)
            await self.queue.write(batch)

    async def takes(self) -> Lease:
        """Take what is due; there has to be something."""
        taken = await self.queue.acquire()
        assert isinstance(taken, Lease), taken
        return taken

    async def takes_nothing(self) -> float:
        """Nothing is due; returns for how many seconds."""
        taken = await self.queue.acquire()
        assert isinstance(taken, NothingDue), taken
        return taken.wait_seconds

    async def takes_unreadable(self) -> Unreadable:
        """Take a job that cannot be read."""
        taken = await self.queue.acquire()
        assert isinstance(taken, Unreadable), taken
        return taken

    async def ends(self, lease: Lease, batch: Batch | None = None) -> None:
        """End a turn whose job is done."""
        await self.queue.complete(lease, "done", batch or Batch())

    async def due(self) -> dict[str, float]:
        """Every list that has work, with the seconds until it is due."""
        found = await self.connections.commands.zrange(self.keys.named("ready"), 0, -1, withscores=True)
        scored = cast("list[tuple[str, float]]", found)
        return {name: (score - self.clock.now_ms) / 1000 for name, score in scored}

    async def fields(self, key: str) -> dict[str, str]:
        """A hash."""
        return await cast("Awaitable[dict[str, str]]", self.connections.commands.hgetall(key))

    async def letters(self) -> list[str]:
        """The dead letters, as they are kept, the oldest first."""
        redis, key = self.connections.commands, self.keys.named("dead_letters")
        ids = cast("list[str]", await redis.zrange(self.keys.named("dead_letters", "order"), 0, -1))
        return [await cast("Awaitable[str]", redis.hget(key, each)) for each in ids]

    async def written(self) -> list[str]:
        """All keys, but for the numbers of the calls themselves."""
        own = self.keys.named("writes", self.connections.written.id)
        return [str(key) for key in await self.connections.commands.keys("*") if key != own]

    async def run(self, body: str, *words: str) -> Answered:
        """Run a script that has the operations of `steps` at hand."""
        return await Script(self.connections.commands, self.keys, self.clock, with_libraries(body))(*words)


def job(job_id: str, text: str = "") -> Job:
    """A job that says its own id."""
    return Job(id=job_id, work=PostText(message=Message(text=text or job_id)))
