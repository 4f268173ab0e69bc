"""Socket Mode: the WebSocket over which Slack delivers payloads.

The SDK keeps the connection open. This module adds three things: each URL is used only once, NO_PROXY is
respected, and an unreachable Slack is logged as a warning without a traceback. Bolt passes the payloads to
the listeners.
"""

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Callable, Mapping

import aiohttp
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest

SWITCHING_PROTOCOLS = 101
PING_SECONDS = 5
# A payload that has arrived is in the SDK's queue or counted by `ConcurrencyLimit` after this many seconds at
# most.
QUIET_SECONDS = 0.02
# The most payloads that are handled at once, and the longest wait of further payloads, in seconds. If many
# payloads arrive at once, the first are acknowledged before the last are parsed. The wait is short, because
# an ack takes seconds while Redis is unreachable.
MOST_IN_FLIGHT, LONGEST_WAIT_SECONDS = 16, 0.02


class SocketModeConnection:
    """One Socket Mode connection. `url` is the URL for the first try, from `Outbound.open_socket`.

    `on_hello` is called each time Slack has opened the connection. Its argument is the number of connections
    of the app in all processes.
    """

    def __init__(
        self, app: AsyncApp, app_token: str, url: str, on_hello: Callable[[int], None] = lambda _: None
    ) -> None:
        # The SDK uses one setting for the time between two pings and the time between two tries to connect.
        self._handler = AsyncSocketModeHandler(app, app_token, _make_sdk_logger(), ping_interval=PING_SECONDS)
        client = self._handler.client
        client.wss_uri = url
        # The SDK would take a proxy from the environment and ignore NO_PROXY, so set the proxy here.
        client.proxy = app.client.proxy
        _use_each_url_once(client)
        client.message_listeners.append(self._on_message)
        client.socket_mode_request_listeners[:] = [self._handle]
        self._in_flight = ConcurrencyLimit()
        self._connecting: asyncio.Task[None] | None = None
        self._on_hello = on_hello
        self._connected_at: float | None = None

    def start(self) -> None:
        """Start to connect in the background. Failed tries are repeated until a try succeeds."""
        connecting = self._handler.connect_async()  # type: ignore[no-untyped-call] # Bolt's own gap
        self._connecting = asyncio.create_task(connecting, name="socket")

    async def wait_until_connected(self, seconds: float) -> bool:
        """Wait until payloads can arrive, for this many seconds at most.

        Return whether payloads can arrive now.
        """
        if self._connecting is not None:
            await asyncio.wait({self._connecting}, timeout=seconds)
        return await self.is_connected()

    async def is_connected(self) -> bool:
        """Return whether payloads can arrive."""
        return bool(await self._handler.client.is_connected())

    async def age_seconds(self) -> float:
        """Return for how many seconds the present connection has been open; 0 without a connection."""
        if self._connected_at is None or not await self.is_connected():
            return 0.0
        return time.monotonic() - self._connected_at

    async def _on_message(self, _client: object, message: Mapping[str, object], _raw: str | None) -> None:
        if message.get("type") == "hello":
            self._connected_at = time.monotonic()
            self._on_hello(int(str(message.get("num_connections") or 0)))

    async def _handle(self, _client: object, request: SocketModeRequest) -> None:
        async with self._in_flight:
            await self._handler.handle(self._handler.client, request)

    async def _wait_for_acks(self) -> None:
        """Wait until every delivered payload is acknowledged. Without an ack, Slack shows people an error."""
        while True:
            await asyncio.sleep(QUIET_SECONDS)
            if not self._in_flight.count and self._handler.client.message_queue.empty():
                return

    async def close(self, within_seconds: float) -> None:
        """Acknowledge the payloads that have arrived, then close.

        Each step takes at most `within_seconds`.
        """
        if self._connecting is not None:
            self._connecting.cancel()
            await asyncio.gather(self._connecting, return_exceptions=True)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._wait_for_acks(), within_seconds)
        with contextlib.suppress(TimeoutError):
            closing = self._handler.close_async()  # type: ignore[no-untyped-call] # Bolt's own gap
            await asyncio.wait_for(closing, within_seconds)
        await self._handler.client.aiohttp_client_session.close()


class ConcurrencyLimit:
    """Limits how many payloads are handled at once. Further payloads wait in the order of their arrival.

    No payload waits longer than LONGEST_WAIT_SECONDS, so the limit may be exceeded.
    """

    def __init__(self) -> None:
        self._working = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    @property
    def count(self) -> int:
        """The number of payloads that are being handled or wait."""
        return self._working + len(self._waiting)

    async def __aenter__(self) -> None:
        if self._working >= MOST_IN_FLIGHT or self._waiting:
            loop = asyncio.get_running_loop()
            place = loop.create_future()
            self._waiting.append(place)
            self._timer = self._timer or loop.call_later(LONGEST_WAIT_SECONDS, self._admit_all)
            try:
                await place
            except asyncio.CancelledError:
                if place.cancelled():
                    self._waiting.remove(place)
                else:
                    await self.__aexit__()
                raise
        else:
            self._working += 1

    async def __aexit__(self, *_: object) -> None:
        self._working -= 1
        if self._waiting and self._working < MOST_IN_FLIGHT:
            self._admit_next()

    def _admit_next(self) -> None:
        self._working += 1
        self._waiting.popleft().set_result(None)
        if not self._waiting and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _admit_all(self) -> None:
        self._timer = None
        while self._waiting:
            self._admit_next()


def _use_each_url_once(client: SocketModeClient) -> None:
    """Make the SDK ask for a new URL after a failed try. A URL opens only one connection and soon expires."""

    async def failed(*_: object) -> None:
        client.wss_uri = None

    async def answered(_session: object, _context: object, end: aiohttp.TraceRequestEndParams) -> None:
        if end.response.status != SWITCHING_PROTOCOLS:
            client.wss_uri = None

    tracing = aiohttp.TraceConfig()
    tracing.on_request_exception.append(failed)
    tracing.on_request_end.append(answered)
    tracing.freeze()
    client.aiohttp_client_session.trace_configs.append(tracing)


def _make_sdk_logger() -> logging.Logger:
    """Return a logger for the SDK that logs no payloads, and logs errors as warnings without a traceback.

    With its own logger, the SDK would log whole payloads at level DEBUG. It would also log each failed try to
    connect as an error.
    """
    logger = logging.getLogger("taskwire.slack.socket")
    logger.setLevel(logging.INFO)
    logger.addFilter(_lower_errors)
    return logger


def _lower_errors(record: logging.LogRecord) -> bool:
    if str(record.msg).startswith("Unsuccessful Bolt execution result"):
        # The listener that refused the payload has logged the reason.
        return False
    if record.levelno > logging.WARNING:
        record.levelno, record.levelname = logging.WARNING, "WARNING"
        record.exc_info = None
    return True
