"""Two servers between which a store is moved."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from taskwire.migration.side import Side
from taskwire.redis import connection, embedded
from taskwire.redis.keys import Keys
from tests.process.conftest import redis_on


@dataclass
class Places:
    """Two servers: the embedded store, and a Redis of an operator."""

    stack: contextlib.AsyncExitStack
    own: str
    redis: str

    async def side(self, url: str, prefix: str = "tw", *, is_exclusive: bool = True) -> Side:
        """Return the store of one installation on the server at `url`, as source or target of a move.
        `is_exclusive` means that no other process can use the store."""
        connections = await self.stack.enter_async_context(connection.open(url))
        raw = await self.stack.enter_async_context(connection.open(url, is_raw=True))
        keys = Keys("T1", prefix)
        return Side(connections.where, connections, raw.commands, keys, is_exclusive=is_exclusive)


@pytest.fixture
async def places(tmp_path: Path) -> AsyncIterator[Places]:
    async with contextlib.AsyncExitStack() as stack:
        running = await stack.enter_async_context(embedded.store(tmp_path / "own"))
        redis = await stack.enter_async_context(redis_on(0, tmp_path))
        async with connection.open(redis) as connections:
            # Otherwise each move waits up to a second until the server has written to disk.
            await connections.commands.config_set("appendfsync", "always")
        yield Places(stack, running.url, redis)
