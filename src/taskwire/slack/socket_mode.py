"""Socket Mode: the connection over which Slack's payloads come, kept up by the SDK.

It adds what the SDK lacks: an address that has been used once is not used again, NO_PROXY holds, and a Slack
that is away is a warning and no stack trace. What comes over it is Bolt's, and so the listeners'.
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

SWITCHING = 101
PING_SECONDS = 5
# What has just come in is in hand after less than this.
QUIET_SECONDS = 0.02
# When many payloads come together, the first are acknowledged before the last are parsed. No payload waits
# for longer than this: while Redis is away, an acknowledgement takes seconds.
MOST_IN_FLIGHT, LONGEST_WAIT_SECONDS = 16, 0.02


class Socket:
    """One connection of Socket Mode. `url` is the address for its first try, from `Outbound.open_socket`.

    `welcomed` hears each time that Slack opens it how many the app has, all processes together.
    """

    def __init__(
        self, app: AsyncApp, app_token: str, url: str, welcomed: Callable[[int], None] = lambda _: None
    ) -> None:
        # The SDK waits as long between two tries as between two pings.
        self._handler = AsyncSocketModeHandler(app, app_token, _calm_logger(), ping_interval=PING_SECONDS)
        client = self._handler.client
        client.wss_uri = url
        # Without one it has taken what the environment names, whatever NO_PROXY says.
        client.proxy = app.client.proxy
        _use_each_address_once(client)
        client.message_listeners.append(self._heard)
        client.socket_mode_request_listeners[:] = [self._take]
        self._in_flight = InFlight()
        self._connecting: asyncio.Task[None] | None = None
        self._welcomed = welcomed
        self._welcomed_at: float | None = None

    def start(self) -> None:
        """Connect, and go on trying until it succeeds."""
        connecting = self._handler.connect_async()  # type: ignore[no-untyped-call] # Bolt's own gap
        self._connecting = asyncio.create_task(connecting, name="socket")

    async def is_connected(self) -> bool:
        """Whether payloads can come."""
        return bool(await self._handler.client.is_connected())

    async def age_seconds(self) -> float:
        """How long the present connection has been open; 0 without one."""
        if self._welcomed_at is None or not await self.is_connected():
            return 0.0
        return time.monotonic() - self._welcomed_at

    async def _heard(self, _client: object, message: Mapping[str, object], _raw: str | None) -> None:
        if message.get("type") == "hello":
            self._welcomed_at = time.monotonic()
            self._welcomed(int(str(message.get("num_connections") or 0)))

    async def _take(self, _client: object, request: SocketModeRequest) -> None:
        async with self._in_flight:
            await self._handler.handle(self._handler.client, request)

    async def _answered(self) -> None:
        """Wait until Slack has an answer to all that it has brought; anything else is a failure to people."""
        while True:
            await asyncio.sleep(QUIET_SECONDS)
            if not self._in_flight.count and self._handler.client.message_queue.empty():
                return

    async def close(self, within_seconds: float) -> None:
        """Answer what has come, say goodbye if Slack listens (each within that time), and let go."""
        if self._connecting is not None:
            self._connecting.cancel()
            await asyncio.gather(self._connecting, return_exceptions=True)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._answered(), within_seconds)
        with contextlib.suppress(TimeoutError):
            closing = self._handler.close_async()  # type: ignore[no-untyped-call] # Bolt's own gap
            await asyncio.wait_for(closing, within_seconds)
        await self._handler.client.aiohttp_client_session.close()


class InFlight:
    """Payloads without an acknowledgement: some are worked on, the rest wait a moment, in their order."""

    def __init__(self) -> None:
        self._working = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    @property
    def count(self) -> int:
        """How many there are."""
        return self._working + len(self._waiting)

    async def __aenter__(self) -> None:
        if self._working >= MOST_IN_FLIGHT or self._waiting:
            loop = asyncio.get_running_loop()
            place = loop.create_future()
            self._waiting.append(place)
            self._timer = self._timer or loop.call_later(LONGEST_WAIT_SECONDS, self._let_all_go)
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
            self._let_go()

    def _let_go(self) -> None:
        self._working += 1
        self._waiting.popleft().set_result(None)
        if not self._waiting and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _let_all_go(self) -> None:
        self._timer = None
        while self._waiting:
            self._let_go()


def _use_each_address_once(client: SocketModeClient) -> None:
    """Let a try that failed ask for a new address: each opens one connection, and not for long."""

    async def failed(*_: object) -> None:
        client.wss_uri = None

    async def answered(_session: object, _context: object, end: aiohttp.TraceRequestEndParams) -> None:
        if end.response.status != SWITCHING:
            client.wss_uri = None

    tracing = aiohttp.TraceConfig()
    tracing.on_request_exception.append(failed)
    tracing.on_request_end.append(answered)
    tracing.freeze()
    client.aiohttp_client_session.trace_configs.append(tracing)


def _calm_logger() -> logging.Logger:
    """A log for the SDK: at its "debug" it writes out what people say, as "error" every try that fails."""
    logger = logging.getLogger("taskwire.slack.socket")
    logger.setLevel(logging.INFO)
    logger.addFilter(_calm)
    return logger


def _calm(record: logging.LogRecord) -> bool:
    if str(record.msg).startswith("Unsuccessful Bolt execution result"):
        # Why a payload was not taken is said by whoever did not take it.
        return False
    if record.levelno > logging.WARNING:
        record.levelno, record.levelname = logging.WARNING, "WARNING"
        record.exc_info = None
    return True
