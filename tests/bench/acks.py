"""How soon Slack has its acknowledgement of a command that is durably written, against Bolt alone."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from pathlib import Path

from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncAck, AsyncApp

from taskwire import transport
from taskwire.sandbox.slack import SlackSandbox
from taskwire.slack.client import make_client
from tests.bench.figures import Figure, percentile
from tests.bench.worlds import abandoned
from tests.scenarios.world import new_world

BARE = "a Bolt app that only acks"


async def measure_acks(directory: Path, commands: int) -> list[Figure]:
    """Commands one after the other, and fifty at once."""
    async with _bare_bolt() as (bare, user):
        bare_each = await _acks(bare, user, commands, at_once=1)
        bare_many = await _acks(bare, user, commands, at_once=50)
    async with new_world(directory / "acks") as world:
        each = await _acks(world.slack, world.alice.id, commands, at_once=1)
        many = await _acks(world.slack, world.alice.id, commands, at_once=50)
        await abandoned(world)
    return [
        Figure(f"ack {share} of a command, {how}", percentile(ours, part), percentile(base, part), BARE)
        for how, ours, base in (("one at a time", each, bare_each), ("50 at once", many, bare_many))
        for share, part in (("p50", 0.5), ("p99", 0.99))
    ]


async def _acks(slack: SlackSandbox, user: str, commands: int, *, at_once: int) -> list[float]:
    """Milliseconds from a command to its acknowledgement."""
    room = asyncio.Semaphore(at_once)

    async def one(number: int) -> float:
        async with room:
            started = time.perf_counter()
            # A task that does not exist: written as a job, acknowledged, and refused behind the ack.
            answer = await slack.command(user, "general", "/task", f"pause nothing-{number}")
            assert answer.ok, answer
            return (time.perf_counter() - started) * 1000

    return list(await asyncio.gather(*(one(number) for number in range(commands))))


@contextlib.asynccontextmanager
async def _bare_bolt() -> AsyncIterator[tuple[SlackSandbox, str]]:
    async with SlackSandbox() as slack, transport.make_session() as session:
        user = slack.add_user("alice").id
        slack.add_channel("general", ["alice"])
        app = AsyncApp(client=make_client(slack.bot_token, slack.api_url, session=session))

        async def only_ack(ack: AsyncAck) -> None:
            await ack()

        app.command("/task")(only_ack)
        handler = AsyncSocketModeHandler(app, slack.app_token)
        await handler.connect_async()  # type: ignore[no-untyped-call] # Bolt's own gap
        await slack.connected(1)
        try:
            yield slack, user
        finally:
            await handler.close_async()  # type: ignore[no-untyped-call] # Bolt's own gap
