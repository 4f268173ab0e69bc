"""Fixtures for tests of processes: a place with stand-ins, and a Redis."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from taskwire.slack import manifest
from taskwire_sandbox.slack import SlackSandbox
from tests.ports import free_port
from tests.programs import find_server

from . import processes
from .processes import Place, Taskwire, end, new_place, start, until


@pytest.fixture(autouse=True)
def fork_processes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let tests fork their processes from a prepared parent, because this is faster. Tests marked
    `real_start` start real programs instead."""
    if request.node.get_closest_marker("real_start") is None:
        monkeypatch.setattr(processes, "start_process", processes.fork)


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    async with new_place(tmp_path, SlackSandbox(manifest=manifest.make_manifest())) as made:
        yield made


StartTaskwire = Callable[..., Awaitable[Taskwire]]


@pytest.fixture
async def start_taskwire(tmp_path: Path) -> AsyncIterator[StartTaskwire]:
    """Return a function that starts `taskwire` with its arguments and settings, in the test's directory.
    After the test, end all processes that still run."""
    started: list[Taskwire] = []

    async def start_one(*words: str, **settings: str) -> Taskwire:
        started.append(await start(tmp_path, settings, *words))
        return started[-1]

    yield start_one
    for each in started:
        await end(each)


@contextlib.asynccontextmanager
async def redis_on(port: int, directory: Path) -> AsyncIterator[str]:
    """Inside the block, run a Redis as an operator would: Debian's server if it is installed, else the
    embedded store's server.

    Port 0 stands for any free port.
    """
    port = port or free_port()
    server = await asyncio.create_subprocess_exec(
        *(find_server(), "--port", str(port), "--bind", "127.0.0.1", "--dir", str(directory)),
        *("--requirepass", "hunter2-and-more", "--appendonly", "yes", "--save", ""),
        stdout=asyncio.subprocess.DEVNULL,
    )
    url = f"redis://:hunter2-and-more@127.0.0.1:{port}/0"
    try:
        await until(lambda: _answers(url), "redis-server to answer")
        yield url
    finally:
        server.terminate()
        await server.wait()


async def _answers(url: str) -> bool:
    async with Redis.from_url(url, retry=Retry(NoBackoff(), 0)) as client:
        try:
            return bool(await client.ping())
        except RedisError:
            return False


@pytest.fixture
async def redis_url(tmp_path: Path) -> AsyncIterator[str]:
    async with redis_on(0, tmp_path) as url:
        yield url
