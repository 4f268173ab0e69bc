"""The one Redis of a storm. It is killed and restarted on its file, behind proxies that act as a bad
network."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path
from typing import cast

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from taskwire.redis import embedded
from taskwire.redis.keys import Keys
from tests.faults.proxy import FaultProxy

READY_SECONDS = 20.0


class Store:
    """A server whose append-only file outlives its processes, and a proxy in front of it for each replica."""

    def __init__(self, directory: Path, replicas: int) -> None:
        self._directory = directory
        self._path = directory / "s"
        self._server: asyncio.subprocess.Process | None = None
        self._client = Redis(
            unix_socket_path=str(self._path), retry=Retry(NoBackoff(), 0), decode_responses=True
        )
        self.proxies = [FaultProxy(f"unix://{self._path}") for _ in range(replicas)]

    async def start(self) -> None:
        """Start the server on its file, and wait until it answers."""
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
        """Return every queue that has jobs."""
        return cast("list[str]", await self._client.zrange(Keys(team).named("ready"), 0, -1))

    async def dead_letters(self, team: str) -> list[str]:
        """Return the dead letters."""
        found = self._client.hvals(Keys(team).named("dead_letters"))
        return await cast("Awaitable[list[str]]", found)

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
    """Run a store behind its proxies."""
    made = Store(directory, replicas)
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(made.close)
        await made.start()
        for between in made.proxies:
            stack.push_async_callback(between.stop)
            await between.start()
        yield made
