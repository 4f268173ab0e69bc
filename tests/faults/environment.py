"""What all deployments of a session share: one process that forks bots, and one Valkey with many
databases."""

import asyncio
import contextlib
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from redis.asyncio import Redis

from taskwire.redis import embedded

from .bot import Given

ROOT = Path(__file__).parents[2]
DATABASES = 64
LOOK_SECONDS = 0.01


class Environment:
    """Starts bots and hands out databases."""

    def __init__(self, port: int, store_path: Path) -> None:
        self.store_path = store_path
        self._port = port
        self._free = list(range(DATABASES))

    async def bear(self, given: Given) -> int:
        """Fork a bot and return its process id."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        writer.write(f"{given.model_dump_json()}\n".encode())
        child = int(await reader.readline())
        writer.close()
        return child

    @contextlib.asynccontextmanager
    async def database(self) -> AsyncIterator[tuple[int, "Redis"]]:
        """Provide an empty database and a client for it."""
        number = self._free.pop()
        store = Redis(unix_socket_path=str(self.store_path), db=number, decode_responses=True)
        try:
            await store.flushdb()
            yield number, store
        finally:
            await store.aclose()
            self._free.append(number)


@contextlib.contextmanager
def new_environment(directory: Path) -> Iterator[Environment]:
    """Start the parent of bots and the store, and end them with the block."""
    path = directory / "store"
    parent = [sys.executable, "-m", "tests.faults.bot"]
    with (
        _running([str(embedded.find_program()), *_store_options(path)], stdout=subprocess.DEVNULL),
        _running(parent, stdout=subprocess.PIPE) as bots,
    ):
        assert bots.stdout is not None
        port = int(bots.stdout.readline())
        while not path.exists():
            time.sleep(LOOK_SECONDS)
        yield Environment(port, path)


def _store_options(path: Path) -> list[str]:
    # Nothing is saved to disk: bots die, but Redis itself does not.
    options = {
        "port": "0",
        "unixsocket": str(path),
        "save": "",
        "appendonly": "no",
        "databases": str(DATABASES),
    }
    return [word for name, value in options.items() for word in (f"--{name}", value)]


@contextlib.contextmanager
def _running(words: list[str], stdout: int) -> Iterator["subprocess.Popen[bytes]"]:
    process = subprocess.Popen(words, cwd=ROOT, stdin=subprocess.PIPE, stdout=stdout)  # noqa: S603 - our own program
    try:
        yield process
    finally:
        process.kill()
        process.communicate()
