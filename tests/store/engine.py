"""The lists of one workspace under a clock that a test moves, and the few words that its tests need."""

from collections.abc import Awaitable
from typing import cast

from taskwire.model.jobs import Job, ListName, Say
from taskwire.model.messages import Message
from taskwire.store.connection import Connections
from taskwire.store.keys import Keys
from taskwire.store.queue import Nothing, Queue, Turn, TurnTimes, Unreadable
from taskwire.store.scripts import Answered, Script
from taskwire.store.steps import Step, Word

NOON_MS = 1_764_072_000_000
LIST = ListName("tell:L1")
OTHER = ListName("tell:L2")
TIMES = TurnTimes(lease_ms=10_000, longest_lease_ms=60_000, landing_margin_ms=5_000)


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
        name: ListName = LIST,
        score: Word = "next",
        delay_ms: int = 0,
        is_newest: bool = False,
    ) -> None:
        """Append jobs whose text is their id."""
        for job_id in ids:
            step = Step().append(name, job(job_id), score=score, delay_ms=delay_ms, is_newest=is_newest)
            await self.queue.write(step)

    async def takes(self) -> Turn:
        """Take what is due; there has to be something."""
        taken = await self.queue.take()
        assert isinstance(taken, Turn), taken
        return taken

    async def takes_nothing(self) -> float:
        """Nothing is due; returns for how many seconds."""
        taken = await self.queue.take()
        assert isinstance(taken, Nothing), taken
        return taken.wait_seconds

    async def takes_unreadable(self) -> Unreadable:
        """Take a job that cannot be read."""
        taken = await self.queue.take()
        assert isinstance(taken, Unreadable), taken
        return taken

    async def ends(self, turn: Turn, step: Step | None = None) -> None:
        """End a turn whose job is done."""
        await self.queue.end(turn, "done", step or Step())

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
        redis, key = self.connections.commands, self.keys.named("letters")
        ids = cast("list[str]", await redis.zrange(self.keys.named("letters", "order"), 0, -1))
        return [await cast("Awaitable[str]", redis.hget(key, each)) for each in ids]

    async def run(self, body: str, *words: str) -> Answered:
        """Run a script that has the operations of `steps` at hand."""
        return await Script(self.connections.commands, self.keys, self.clock, body)(*words)


def job(job_id: str, text: str = "") -> Job:
    """A job that says its own id."""
    return Job(id=job_id, work=Say(message=Message(text=text or job_id)))
