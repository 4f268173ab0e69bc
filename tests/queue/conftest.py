"""Stores for tests of keys and scripts: a real Valkey, and fakeredis."""

from collections.abc import AsyncIterator
from pathlib import Path

import fakeredis
import pytest

from taskwire.redis import connection, embedded
from taskwire.redis.connection import Connections

from .engine import Engine


@pytest.fixture
async def real(shared_store: Connections) -> Connections:
    """Return connections to a real Valkey."""
    return shared_store


@pytest.fixture
async def embedded_store(tmp_path: Path) -> AsyncIterator[Connections]:
    """Return connections to an embedded store that only this test uses."""
    async with embedded.store(tmp_path / "store") as running, connection.open(running.url) as both:
        yield both


@pytest.fixture(params=["valkey", "fakeredis"])
async def connections(
    request: pytest.FixtureRequest, shared_store: Connections
) -> AsyncIterator[Connections]:
    """Yield connections to Valkey and, in a second run of the test, to fakeredis. Use this fixture only in
    tests without blocking reads."""
    if request.param == "valkey":
        yield shared_store
        return
    fake = fakeredis.FakeAsyncRedis(decode_responses=True)
    async with Connections(fake, fake, "fakeredis") as both:
        yield both


@pytest.fixture
def engine(connections: Connections) -> Engine:
    """Return the queues of one workspace, with a clock that the test moves."""
    return Engine(connections)
