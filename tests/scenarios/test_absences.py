"""If the bot hears nothing from Slack for a while (a gap), it notes the whole gap, and only once. This also
holds if Redis fails again and again, and in HTTP mode."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from taskwire.app import bot
from taskwire.recovery import downtime
from taskwire.recovery.downtime import Downtime

from .world import World, new_world

MINUTE = 60.0


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    """Provide a world whose bot does not check by itself whether Slack's events reach it."""
    monkeypatch.setattr(bot, "MONITOR_SECONDS", 3_600.0)
    monkeypatch.setattr(downtime, "BACKFILL_RETRY_SECONDS", 0.01)
    async with new_world(tmp_path) as made:
        # At its start the bot noted a gap, because nobody had listened before. That gap would merge with the
        # gaps of the tests.
        await made.connections.commands.delete(made.keys.named("gap"))
        yield made


@pytest.fixture
async def process(world: World) -> AsyncIterator[Downtime]:
    """Provide the `Downtime` of a process that has just started and missed nothing."""
    parts = world.bot.parts
    made = Downtime(parts.backfill, parts.heartbeat, parts.metrics, world.clock.time)
    await parts.heartbeat.beat()
    made.queue_missed()
    await world.until(lambda: made.has_queued_all, "it is known what is to be read")
    yield made
    await made.end()


async def _breaks(world: World, *key: str) -> None:
    """Make Redis refuse to read this key."""
    redis, name = world.connections.commands, world.keys.named(*key)
    await redis.delete(name)
    await redis.hset(name, "of another", "type")


async def _mends(world: World, *key: str) -> None:
    await world.connections.commands.delete(world.keys.named(*key))


async def _refusals(world: World) -> int:
    found = await world.connections.commands.info("errorstats")
    return int(found.get("errorstat_WRONGTYPE", {}).get("count", 0))


async def _is_refused(world: World) -> None:
    """Wait until Redis refuses another read of a broken key."""
    before = await _refusals(world)

    async def is_refused() -> bool:
        return await _refusals(world) > before

    await world.until(is_refused, "Redis has refused a try")


async def _comes_back_later(world: World) -> None:
    """Let Redis refuse to note a gap for ten minutes, and then accept it."""
    await _is_refused(world)
    world.clock.passes(10 * MINUTE)
    await _mends(world, "gap")


async def _is_known(world: World, process: Downtime) -> None:
    await world.until(lambda: process.has_queued_all, "it is known what is to be read")


async def _noted_since(world: World, process: Downtime) -> float:
    """Wait until the bot has noted the gap. Return the time from which the bot then reads missed messages, in
    seconds of the world's clock."""
    await _is_known(world, process)
    noted = await world.connections.commands.get(world.keys.named("gap"))
    assert noted
    return int(noted.split()[2]) / 1000


async def _has_come(world: World, process: Downtime) -> float:
    """Let a request from Slack arrive over HTTP, and wait until the process has noted any gap. Return the
    number of backfills so far."""
    process.record_request()
    await process.beat()
    await _is_known(world, process)
    return _readings(world)


def _readings(world: World) -> float:
    (line,) = [
        line
        for line in world.bot.metrics.exposition().decode().splitlines()
        if line.startswith("taskwire_backfills_total ")
    ]
    return float(line.split()[1])


async def test_a_gap_is_read_though_a_shorter_one_is_being_noted(world: World, process: Downtime) -> None:
    """While the bot notes one gap, it learns of a longer gap that began earlier. The bot reads messages from
    the start of the longer gap."""
    await _breaks(world, "heartbeat")
    process.queue_missed()
    await _is_refused(world)

    began = world.clock.time() - 5 * MINUTE
    process.queue_missed(int(5 * MINUTE * 1000))
    await _mends(world, "heartbeat")
    await world.bot.parts.heartbeat.beat()

    assert await _noted_since(world, process) < began + MINUTE


async def test_a_gap_begins_when_it_began_however_long_redis_is_away(world: World, process: Downtime) -> None:
    """The bot was absent, and Redis fails while the bot notes this gap. The bot still reads messages from the
    start of the absence, not only from the return of Redis."""
    await _breaks(world, "gap")
    began = world.clock.time() - 2 * MINUTE
    process.queue_missed(int(2 * MINUTE * 1000))
    await _comes_back_later(world)

    assert await _noted_since(world, process) < began + MINUTE


async def test_a_silence_begins_when_it_began_however_long_redis_is_away(
    world: World, process: Downtime
) -> None:
    """Slack sends nothing for a while, and Redis fails while the bot notes this silence. The bot still reads
    messages from the start of the silence."""
    await _has_come(world, process)
    began = world.clock.time()
    world.clock.passes(10 * MINUTE)
    await _breaks(world, "gap")
    process.record_request()
    await process.beat()
    await _comes_back_later(world)

    assert await _noted_since(world, process) < began + MINUTE


async def test_an_outage_over_http_is_read_once(world: World, process: Downtime) -> None:
    """In HTTP mode, no bot ran for a while. Backfill at the start covers that time, so the first request from
    Slack starts no second backfill. After a later silence, a request starts another backfill."""
    await process.beat()
    await _has_come(world, process)
    world.clock.passes(20 * MINUTE)
    before = _readings(world)

    process.queue_missed()
    await _is_known(world, process)
    at_the_start = _readings(world) - before
    world.clock.passes(2 * MINUTE)
    at_the_first = await _has_come(world, process) - before
    world.clock.passes(20 * MINUTE)
    after_a_silence = await _has_come(world, process) - before

    assert (at_the_start, at_the_first, after_a_silence) == (1, 1, 2)


async def test_a_silence_before_an_outage_is_read_all_the_same(world: World, process: Downtime) -> None:
    """In HTTP mode, first no request reached the bot, and then no bot ran. Backfill at the start covers only
    the time without a bot. The first request starts another backfill."""
    await _has_come(world, process)
    world.clock.passes(20 * MINUTE)
    await process.beat()
    world.clock.passes(2 * MINUTE)
    before = _readings(world)

    process.queue_missed()
    await _is_known(world, process)
    world.clock.passes(2 * MINUTE)

    assert await _has_come(world, process) - before == 2
