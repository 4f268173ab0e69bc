"""In HTTP mode the bot cannot notice that Slack does not reach it. When Slack sends requests again, the bot
reads missed messages."""

from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from taskwire.redis.keys import Keys
from taskwire.slack import manifest
from tests.ports import free_port

from .processes import Place, Taskwire, until
from .test_http_server import http_place

__all__ = ["http_place"]

MINUTE_MS = 60_000


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    async with Redis.from_url(redis_url, decode_responses=True) as client:
        yield client


async def _one(place: Place, redis_url: str) -> Taskwire:
    bot = await place.run_ready(REDIS_URL=redis_url)
    place.slack.requests.override = f"http://127.0.0.1:{await bot.port()}{manifest.REQUEST_PATH}"
    return bot


async def _with_a_thread(place: Place) -> str:
    await place.slack.command("alice", "general", "/task", "create fix the login redirect")
    await until(lambda: place.coder.tasks, "the task")
    return str(place.slack.messages("general")[0]["ts"])


async def _age(redis: Redis, place: Place, minutes: int) -> None:
    """Change the stored time of the last contact with Slack to this number of minutes ago."""
    keys = Keys(place.slack.workspace.team_id)

    async def is_kept() -> bool:
        return bool(await redis.exists(keys.named("heartbeat")))

    await until(is_kept, "that it listens")
    seconds, _ = await redis.time()
    async for key in redis.scan_iter(keys.named("heartbeat*")):
        await redis.set(key, seconds * 1000 - minutes * MINUTE_MS)
    # At its start, the bot stored a gap: a time in which it did not listen. If `minutes` had really passed,
    # this record would have expired.
    await redis.delete(keys.named("gap"))


def _histories(place: Place) -> int:
    return sum(call.method == "conversations.history" for call in place.slack.calls)


async def test_what_was_missed_is_read_when_slack_comes_again(
    http_place: Place, redis: Redis, redis_url: str
) -> None:
    """If the bot missed messages and Slack then sends a request again, the bot reads the missed messages.
    Nobody has to restart the bot or to write again."""
    place = http_place
    await _one(place, redis_url)
    ts = await _with_a_thread(place)
    reached = place.slack.requests.override
    place.slack.requests.override = f"http://127.0.0.1:{free_port()}{manifest.REQUEST_PATH}"
    place.slack.backend.dispatcher.retry_seconds = ()
    await place.slack.post("alice", "general", "use main", ts)
    await _age(redis, place, minutes=10)

    place.slack.requests.override = reached
    await place.slack.command("bob", "general", "/task", "help")

    await until(lambda: place.coder.tasks[0].inputs == ["use main"], "the reply that was missed")


async def test_a_quiet_place_is_not_read_through_at_each_start(
    http_place: Place, redis: Redis, redis_url: str
) -> None:
    """If nobody has written for an hour, a restart of the bot reads no threads, because a quiet hour is not
    an absence."""
    place = http_place
    bot = await _one(place, redis_url)
    await _with_a_thread(place)
    await _age(redis, place, minutes=60)
    listened = Keys(place.slack.workspace.team_id).named("heartbeat")

    async def listens() -> bool:
        seconds, _ = await redis.time()
        return seconds * 1000 - int(await redis.get(listened) or 0) < MINUTE_MS / 2

    await until(listens, "that it listens, whatever comes")
    await bot.stop()
    before = _histories(place)
    again = await _one(place, redis_url)
    first = await redis.get(listened)

    async def has_looked() -> bool:
        return bool(await redis.get(listened) != first)

    await until(has_looked, "that it has looked at what it may have missed")
    assert _histories(place) == before
    assert "backfill queued" not in again.output
