"""Pace: one speed for all replicas, and Slack's own word above it."""

import pytest

from taskwire.store.pace import Limit, Pace

from .engine import Engine

LIMITS = {"chat.postMessage": Limit(1_000, 3, is_per_channel=True), "chat.update": Limit(2_000, 1)}


@pytest.fixture
def pace(engine: Engine) -> Pace:
    """A pace on the test's clock."""
    return Pace(engine.connections, engine.keys, engine.clock, limits=LIMITS, otherwise=Limit(100, 2))


async def _waits(
    pace: Pace, times: int, method: str = "chat.postMessage", channel: str = "C1"
) -> list[float]:
    return [await pace.wait(method, channel) for _ in range(times)]


async def test_a_few_may_come_at_once_and_then_one_each_second(engine: Engine, pace: Pace) -> None:
    """Slack tolerates short bursts."""
    assert await _waits(pace, 4) == [0, 0, 0, 1]
    engine.passes(1)
    assert await _waits(pace, 2) == [0, 1]


async def test_who_has_to_wait_takes_no_place(engine: Engine, pace: Pace) -> None:
    """Asking often does not push the others back."""
    await _waits(pace, 3)
    await _waits(pace, 10)
    engine.passes(1)

    assert await pace.wait("chat.postMessage", "C1") == 0


async def test_each_channel_has_its_own(pace: Pace) -> None:
    """Where Slack counts by channel."""
    await _waits(pace, 3)

    assert await pace.wait("chat.postMessage", "C2") == 0


async def test_all_channels_share_what_slack_counts_by_workspace(pace: Pace) -> None:
    """Cards, for example."""
    await pace.wait("chat.update", "C1")

    assert await pace.wait("chat.update", "C2") == 2


async def test_a_429_stops_everybody_for_as_long_as_slack_said(engine: Engine, pace: Pace) -> None:
    """Whatever place was left."""
    await pace.pause("chat.postMessage", "C1", 30)

    assert await pace.wait("chat.postMessage", "C1") == 30
    engine.passes(29.5)
    assert await pace.wait("chat.postMessage", "C1") == 0.5
    engine.passes(0.5)
    assert await _waits(pace, 2) == [0, 1]


async def test_a_shorter_pause_does_not_end_a_longer_one(pace: Pace) -> None:
    """Two replicas may be told different things."""
    await pace.pause("chat.postMessage", "C1", 30)
    await pace.pause("chat.postMessage", "C1", 1)

    assert await pace.wait("chat.postMessage", "C1") == 30


async def test_what_has_no_limit_of_its_own_has_the_usual_one(pace: Pace) -> None:
    """Nothing is called without one."""
    assert await _waits(pace, 3, "users.info") == [0, 0, 0.1]


async def test_nothing_of_it_stays(engine: Engine, pace: Pace) -> None:
    """Each mark ends by itself."""
    await pace.wait("chat.postMessage", "C1")
    await pace.pause("chat.update", "", 5)

    keys = await engine.connections.commands.keys("*")
    assert len(keys) == 2
    assert all([await engine.connections.commands.pttl(key) > 0 for key in keys])
