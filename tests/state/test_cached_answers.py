"""All processes share cached answers, even if the clocks of their hosts differ. A cached answer is used only
for a short time."""

import time

import pytest

from taskwire import sealing
from taskwire.redis.connection import Connections
from taskwire.state.notes import OLDEST_CACHED_SECONDS, Notes
from tests.queue.engine import Engine

HOUR = 3_600


async def test_an_answer_serves_processes_whose_clocks_differ(
    real: Connections, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All replicas use the same cached answer of Slack and Coder, even if the clock of one host is wrong."""
    engine = Engine(real)
    await Notes(engine.connections, engine.keys).keep_cached("alice", "", "profile", "U1", ttl_ms=5_000)
    right = time.time
    monkeypatch.setattr(time, "time", lambda: right() + HOUR)
    ahead = Notes(engine.connections, engine.keys)
    found = await ahead.find_cached("profile", "U1")
    await ahead.keep_cached("bob", "", "profile", "U2", ttl_ms=5_000)
    monkeypatch.undo()

    assert found == ("alice", "")
    assert await Notes(engine.connections, engine.keys).find_cached("profile", "U2") == ("bob", "")


async def test_an_old_answer_that_was_put_back_is_not_used(engine: Engine) -> None:
    """If somebody writes an old answer back into Redis, it is not used. So a right that somebody lost a
    minute ago stays lost."""
    key = engine.keys.named("cached", "profile", "U1")
    seconds, _ = await engine.connections.commands.time()
    old = sealing.key_ring().seal("\nalice", key, seconds - OLDEST_CACHED_SECONDS - 2)
    await engine.connections.commands.set(key, old, px=5_000)

    assert await Notes(engine.connections, engine.keys).find_cached("profile", "U1") == (None, "")
