"""Starts what all deployments of a session share: one process that forks bots, and one Valkey with many
databases."""

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from redis.asyncio import Redis

from tests.stores import running, running_store

from .bot import Given

DATABASES = 64


class Environment:
    """Starts bots, and gives each deployment a database."""

    def __init__(self, port: int, store_path: Path) -> None:
        self.store_path = store_path
        self._port = port
        self._free = list(range(DATABASES))

    async def fork_bot(self, given: Given) -> int:
        """Fork a bot with these parameters. Return its process id."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            writer.write(f"{given.model_dump_json()}\n".encode())
            return int(await reader.readline())
        finally:
            writer.close()

    @contextlib.asynccontextmanager
    async def database(self) -> AsyncIterator[tuple[int, "Redis", "Redis"]]:
        """Provide an empty database: its number, a client that decodes answers, and a client that returns
        bytes."""
        number = self._free.pop()
        decoding, plain = (
            Redis(unix_socket_path=str(self.store_path), db=number, decode_responses=is_decoding)
            for is_decoding in (True, False)
        )
        try:
            async with decoding, plain:
                await plain.flushdb()
                yield number, decoding, plain
        finally:
            self._free.append(number)


@contextlib.contextmanager
def new_environment(directory: Path) -> Iterator[Environment]:
    """Start the parent process of bots and the store. End both at the end of the block."""
    path = directory / "store"
    parent = [sys.executable, "-m", "tests.faults.bot"]
    # The store saves nothing to disk: tests kill bots, but not the store.
    with running_store(path, DATABASES), running(parent, stdout=subprocess.PIPE) as bots:
        assert bots.stdout is not None
        yield Environment(int(bots.stdout.readline()), path)
