"""Socket Mode's connection: it comes up by itself, whatever the first try was told."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from slack_bolt.async_app import AsyncAck, AsyncApp

from taskwire import transport
from taskwire.slack import manifest
from taskwire.slack.client import make_client
from taskwire.slack.outbound import Outbound
from taskwire.slack.rate_limits import Unlimited
from taskwire.slack.socket_mode import Socket
from taskwire_sandbox.slack import SlackSandbox


@asynccontextmanager
async def _connecting(
    slack: SlackSandbox, url: str = "", taking: Callable[[AsyncAck], Awaitable[None]] | None = None
) -> AsyncIterator[Socket]:
    """A socket that begins to connect, by an address of Slack's unless another is given."""
    async with transport.make_session() as session:
        client = make_client(slack.bot_token, slack.api_url, session=session)
        url = url or await Outbound(client, Unlimited(), str).open_socket(slack.app_token)
        app = AsyncApp(client=client, request_verification_enabled=False)
        if taking is not None:
            app.command("/task")(taking)
        socket = Socket(app, slack.app_token, url)
        socket.start()
        try:
            yield socket
        finally:
            await socket.close(within_seconds=1.0)


async def test_it_connects_with_the_address_that_was_asked_for() -> None:
    """No second address is asked for where one is enough."""
    async with SlackSandbox() as slack, _connecting(slack) as socket:
        await slack.connected()

        assert await socket.is_connected()
        asked = [call for call in slack.calls if call.method == "apps.connections.open"]
        assert len(asked) == 1


async def test_an_address_that_does_not_work_is_not_tried_twice(caplog: pytest.LogCaptureFixture) -> None:
    """It opens one connection, and not for long; the next try brings its own, without a stack trace."""
    async with SlackSandbox() as slack:
        used = f"{slack.backend.base_url.replace('http', 'ws')}/link?ticket=used"
        async with _connecting(slack, used) as socket:
            await slack.connected()

            assert await socket.is_connected()
            said = [(record.levelno, record.exc_info) for record in caplog.records]
            assert max(level for level, _ in said) == logging.WARNING
            assert not any(trace for _, trace in said)


async def test_closing_does_not_wait_for_a_slack_that_is_away() -> None:
    """Whoever ends while it still tries to connect is let go."""
    async with SlackSandbox() as slack:
        used = f"{slack.backend.base_url.replace('http', 'ws')}/link?ticket=used"
        async with _connecting(slack, used) as socket:
            await slack.go_down()

            assert not await socket.is_connected()
        await slack.come_back()


async def test_what_has_come_is_answered_before_it_closes() -> None:
    """A command that is being written down when the process ends is no failure to whoever typed it."""
    began, written = asyncio.Event(), asyncio.Event()

    async def taking(ack: AsyncAck) -> None:
        began.set()
        await written.wait()
        await ack()

    async with SlackSandbox(manifest=manifest.make()) as slack, _connecting(slack, taking=taking) as socket:
        slack.add_user("alice")
        slack.add_channel("general", ["alice"])
        await slack.connected()
        typed = asyncio.create_task(slack.command("alice", "general", "/task", "create fix it"))
        await began.wait()

        closing = asyncio.create_task(socket.close(within_seconds=5.0))
        asyncio.get_running_loop().call_later(0.2, written.set)
        answer = await typed
        await closing

    assert answer.ok, answer
