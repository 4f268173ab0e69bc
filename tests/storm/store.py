"""The only Redis of a storm. The storm kills the server and restarts it with its file. Proxies before the
server act as a bad network."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path
from typing import cast

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from taskwire import sealing
from taskwire.domain.audit import AuditFilter
from taskwire.queue.scripts import ServerClock
from taskwire.redis import embedded
from taskwire.redis.connection import Connections
from taskwire.redis.keys import Keys
from taskwire.state.audit import AuditLimits, AuditTrail
from taskwire.state.key_rotation import StoredKeys
from tests.faults.proxy import FaultProxy

READY_SECONDS = 20.0


class Store:
    """A Redis server that keeps its append-only file over restarts, and a proxy for each replica."""

    def __init__(self, directory: Path, replicas: int) -> None:
        self._directory = directory
        self._path = directory / "s"
        self._server: asyncio.subprocess.Process | None = None
        self._client = Redis(
            unix_socket_path=str(self._path), retry=Retry(NoBackoff(), 0), decode_responses=True
        )
        self.proxies = [FaultProxy(f"unix://{self._path}") for _ in range(replicas)]

    async def start(self) -> None:
        """Start the server with its file, and wait until it answers."""
        words = ["--port", "0", "--unixsocket", str(self._path), "--dir", str(self._directory)]
        words += ["--appendonly", "yes", "--appendfsync", "always", "--save", ""]
        words += ["--aof-timestamp-enabled", "yes", "--auto-aof-rewrite-percentage", "0"]
        with (self._directory / "redis.log").open("a") as log:
            self._server = await asyncio.create_subprocess_exec(
                embedded.find_program(), *words, stdout=log, stderr=log
            )
        async with asyncio.timeout(READY_SECONDS):
            while not await self._answers():  # noqa: ASYNC110 - the server announces nothing
                await asyncio.sleep(0.02)

    async def kill(self) -> None:
        """Kill the server, as a power cut would."""
        if self._server is not None and self._server.returncode is None:
            self._server.kill()
            await self._server.wait()

    async def queues(self, team: str) -> list[str]:
        """Return the names of all queues that have jobs. `team` is the id of the workspace."""
        return cast("list[str]", await self._client.zrange(Keys(team).named("ready"), 0, -1))

    async def dead_letters(self, team: str) -> list[str]:
        """Return the stored text of each dead letter."""
        found = self._client.hvals(Keys(team).named("dead_letters"))
        return await cast("Awaitable[list[str]]", found)

    async def is_skipped(self, team: str, delivery: str) -> bool:
        """Return whether the bot has skipped a delivery whose id begins like this, because its author made
        more requests in a minute than one person may. The bot says so once a minute, in a message that may
        be lost."""
        claims = Keys(team).named("claim", "*", f"{delivery}*")
        found = [key async for key in self._client.scan_iter(match=claims, count=10_000)]
        return any([str(await self._client.get(key)).startswith("limit") for key in found])

    async def read(self, team: str, name: str) -> str:
        """Return the value of a key of the workspace, or an empty text."""
        return cast("str | None", await self._client.get(Keys(team).named(*name.split(":")))) or ""

    async def count_old_values(self, team: str) -> int:
        """Count the stored values that are not encrypted with the newest key of this process."""
        connections = Connections(self._client, self._client, "")
        found = await StoredKeys(connections, Keys(team), ServerClock()).count()
        return sum(count for key, count in found.items() if key != sealing.key_ring().newest_id)

    async def read_audit(self, team: str) -> tuple[int, list[str]]:
        """Return how many entries the audit trail has, and a sentence for each problem that its check
        finds."""
        trail = AuditTrail(
            Connections(self._client, self._client, ""), Keys(team), ServerClock(), AuditLimits()
        )
        entries = [stored.entry async for stored in trail.read(AuditFilter())]
        done = Counter(entry.reference for entry in entries if entry.outcome == "done")
        wrongs = [f"{name} was recorded {count} times" for name, count in done.items() if count > 1]
        broken = await trail.find_break()
        return len(entries), [*wrongs, *([f"the audit trail breaks: {broken}"] if broken else [])]

    async def close(self) -> None:
        """Close the client and kill the server."""
        await self._client.aclose()
        await self.kill()

    async def _answers(self) -> bool:
        try:
            return bool(await self._client.ping())
        except RedisError:
            return False


@contextlib.asynccontextmanager
async def store(directory: Path, replicas: int) -> AsyncIterator[Store]:
    """Run a Redis with its proxies."""
    made = Store(directory, replicas)
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(made.close)
        await made.start()
        for between in made.proxies:
            stack.push_async_callback(between.stop)
            await between.start()
        yield made
