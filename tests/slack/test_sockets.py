"""Socket Mode's connection: it comes up by itself, whatever the first try was told."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from slack_bolt.async_app import AsyncApp

from taskwire import transport
from taskwire.sandbox.slack import SlackSandbox
from taskwire.slack.client import make_client
from taskwire.slack.outbound import Outbound
from taskwire.slack.room import Unlimited
from taskwire.slack.sockets import Socket


@asynccontextmanager
async def _connecting(slack: SlackSandbox, url: str = "") -> AsyncIterator[Socket]:
    """A socket that begins to connect, by an address of Slack's unless another is given."""
    async with transport.make_session() as session:
        client = make_client(slack.bot_token, slack.api_url, session=session)
        url = url or await Outbound(client, Unlimited(), str).open_socket(slack.app_token)
        socket = Socket(AsyncApp(client=client, request_verification_enabled=False), slack.app_token, url)
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
