"""Coder's webhook: a hint that brings the next look forward, and nothing more."""

import aiohttp
import pytest
from pydantic import SecretStr

from taskwire.running import running

from .lives import TITLE, a_task
from .world import World

TOKEN = "a-word-that-only-coder-knows"
# Coder looks through its own notifications this often.
ROUND_SECONDS = 16


async def test_a_notification_of_coders_makes_the_next_look_come_at_once(world: World) -> None:
    """Paused in Coder; its notification arrives, and the thread hears of it without waiting for a tick."""
    await world.restarts(webhook_token=SecretStr(TOKEN))
    thread, task = await a_task(world)
    world.coder.webhook_url = f"http://127.0.0.1:{world.bot.port}/coder/webhook?token={TOKEN}"

    task.pause()
    world.clock.passes(ROUND_SECONDS)
    await world.coder.catch_up()
    await world.until(
        lambda: len(world.slack.thread(thread.channel, thread.ts)) == 2, "the thread hears of it"
    )
    await world.settles()

    assert [message.partition(".")[0] for message in thread.new_messages()] == [f"Paused: {TITLE}"]


async def test_many_hints_at_once_are_one_look(world: World) -> None:
    """Nobody can make the bot ask Coder faster than that."""
    await world.restarts(webhook_token=SecretStr(TOKEN))
    before = lists(world)

    answers = [await post(world, f"/coder/webhook/{TOKEN}") for _ in range(20)]
    await world.until(lambda: lists(world) > before, "a look")
    await world.bot.parts.watcher.sweep()

    assert answers == [204] * 20
    assert lists(world) - before <= 3


async def test_a_hint_to_the_replica_that_does_not_sweep_is_followed_too(world: World) -> None:
    """Whoever hears it looks."""
    thread, task = await a_task(world)
    hinted = world.settings.model_copy(update={"webhook_token": SecretStr(TOKEN)})
    async with running(hinted, world.connections, clock=world.clock, has_timers=False) as other:
        task.becomes("complete", "Opened PR #12")
        answer = await post(world, f"/coder/webhook/{TOKEN}", other.port)
        await world.until(lambda: len(world.slack.thread(thread.channel, thread.ts)) == 2, "it is told")
        await world.settles()

    assert answer == 204
    assert len(thread.new_messages()) == 1


@pytest.mark.parametrize("path", ["/coder/webhook", "/coder/webhook/guessed", "/coder/webhook?token="])
async def test_whoever_does_not_know_the_word_is_refused(world: World, path: str) -> None:
    """Coder signs nothing, so the address has to prove it."""
    await world.restarts(webhook_token=SecretStr(TOKEN))

    assert await post(world, path) == 403


async def test_without_a_word_there_is_no_such_address(world: World) -> None:
    """A deployment that wants no hints has no door for them."""
    assert await post(world, "/coder/webhook") == 404


async def post(world: World, path: str, port: int = 0) -> int:
    """Send what Coder sends, and return the answer's status."""
    url = f"http://127.0.0.1:{port or world.bot.port}{path}"
    async with aiohttp.ClientSession() as session, session.post(url, json={"_version": "1.1"}) as answer:
        return answer.status


def lists(world: World) -> int:
    """How often Coder was asked for its tasks."""
    return sum(request.route == "tasks.list" for request in world.coder.requests)
