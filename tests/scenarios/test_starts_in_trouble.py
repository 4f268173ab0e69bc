"""A start that has to wait logs the reason at once, and then rarely, however often it tries."""

import asyncio

import pytest
from redis.asyncio import Redis

from taskwire.app import bot
from taskwire.domain.errors import UserError
from taskwire.state.owner import Owner, Ownership
from taskwire_sandbox.slack import CallFault

from .world import World


def _said(caplog: pytest.LogCaptureFixture, words: str) -> int:
    return sum(record.getMessage().startswith(words) for record in caplog.records)


def _looks(monkeypatch: pytest.MonkeyPatch) -> list[Owner]:
    """Record each check to which deployment the store belongs. Return a list that grows with each check."""
    looks: list[Owner] = []

    async def claim(self: Ownership, who: Owner) -> Owner:
        looks.append(who)
        return await as_it_is(self, who)

    as_it_is = Ownership.claim
    monkeypatch.setattr(Ownership, "claim", claim)
    return looks


async def test_a_slack_that_fails_at_the_start_is_told_once(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Slack fails several times at the start. The log has the failure once."""
    monkeypatch.setattr(bot, "RETRY_SECONDS", 0.01)
    await world.stops()
    fault = world.slack.faults.add("auth.test", CallFault.SERVER_ERROR, times=5)

    await world.starts()

    assert fault.hits == 5
    assert _said(caplog, "Slack cannot be reached yet") == 1


async def test_a_store_whose_coder_cannot_be_known_yet_is_told_once(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The bot starts while Coder is away, so it cannot tell whether the store is its own. It tries again and
    again, but logs the reason once."""
    monkeypatch.setattr(bot, "RETRY_SECONDS", 0.01)
    monkeypatch.setattr(bot, "CODER_TIMEOUT_SECONDS", 0.05)
    ownership = Ownership(world.connections, world.keys, world.clock)
    noted = await ownership.find()
    assert noted is not None
    await world.stops()
    moved = Owner(noted.app, noted.coder, "https://coder.elsewhere.example")
    await world.connections.commands.hset(world.keys.named("owner"), "url", moved.url)
    looks = _looks(monkeypatch)
    async with world.coder.outage():
        starting = asyncio.create_task(world.starts())
        await world.until(lambda: len(looks) >= 4, "several looks")
    await starting

    assert _said(caplog, "start waits: Coder does not answer") == 1


async def _is_noted(redis: Redis, world: World) -> bool:
    return bool(await redis.exists(world.keys.named("formats")))


async def test_no_version_is_noted_in_somebody_elses_store(world: World) -> None:
    """The store belongs to another deployment. The bot does not record its version there, because this could
    lock that deployment out."""
    redis = world.connections.commands
    await world.stops()
    await redis.hset(world.keys.named("owner"), "app", "U0OTHERBOT")
    await redis.delete(world.keys.named("formats"))

    with pytest.raises(UserError, match="belongs to a Taskwire for another Slack app"):
        await world.starts()

    assert not await _is_noted(redis, world)


async def test_no_version_is_noted_while_nobody_knows_whose_store_it_is(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bot starts while Coder is away, so it cannot tell whether the store is its own. It records its
    version in the store only after Coder has answered."""
    monkeypatch.setattr(bot, "RETRY_SECONDS", 0.01)
    monkeypatch.setattr(bot, "CODER_TIMEOUT_SECONDS", 0.05)
    redis, looks = world.connections.commands, _looks(monkeypatch)
    await world.stops()
    await redis.hset(world.keys.named("owner"), "url", "https://coder.elsewhere.example")
    await redis.delete(world.keys.named("formats"))
    async with world.coder.outage():
        starting = asyncio.create_task(world.starts())
        await world.until(lambda: len(looks) >= 4, "several looks")
        before = await _is_noted(redis, world)
    await starting

    assert not before
    assert await _is_noted(redis, world)
