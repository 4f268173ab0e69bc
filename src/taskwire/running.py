"""One running bot: what starts, what watches over it, and how it ends within its time.

It starts when Slack, Redis and the parts are there; it ends by taking nothing new, letting what runs end,
and closing the socket last, so that what arrives meanwhile is still written down.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime

from aiohttp import web
from redis.exceptions import RedisError
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler

from taskwire.app import Parts
from taskwire.model.errors import OutsideError
from taskwire.scheduler import Timers
from taskwire.settings import Settings
from taskwire.slack.errors import TokenProblem
from taskwire.store.connection import Connections
from taskwire.store.scripts import Clock, ServersClock
from taskwire.telemetry import logger
from taskwire.web import make_site

LOOK_SECONDS = 2.0
# Slack brings an event again for about six minutes; a shorter absence loses nothing.
GAP_SECONDS = 60.0
DRAIN_SECONDS = 12.0
CLOSE_SECONDS = 4.0
RETRY_SECONDS = 5.0

_log = logger("taskwire.running")


class Bot:
    """The parts, running."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.timers = Timers(parts.settings.poll_interval)
        self._socket: AsyncSocketModeHandler | None = None
        self._site: web.AppRunner | None = None
        self._down_since: float | None = None
        self._gap: asyncio.Task[int] | None = None

    @property
    def port(self) -> int:
        """Where health and metrics listen, once they do."""
        assert self._site is not None  # noqa: S101 - known only between start and stop
        addresses = self._site.addresses
        return int(addresses[0][1])

    async def start(self, stack: contextlib.AsyncExitStack, *, has_timers: bool = True) -> None:
        """Serve health, take work, listen to Slack, and read what was missed.

        What is started is ended in the opposite order by the stack, the socket after the work: what arrives
        while the last turns end is still written down.
        """
        parts, settings = self.parts, self.parts.settings
        bolt = None if settings.is_socket_mode else parts.bolt
        self._site = web.AppRunner(make_site(parts.metrics, self.health, bolt), access_log=None)
        await self._site.setup()
        stack.push_async_callback(self._site.cleanup)
        await web.TCPSite(self._site, settings.http_host, settings.http_port).start()
        if settings.slack_app_token is not None:
            self._socket = AsyncSocketModeHandler(parts.bolt, settings.slack_app_token.get_secret_value())
            stack.push_async_callback(self._hang_up)
            await self._socket.connect_async()  # type: ignore[no-untyped-call] # Bolt's own gap
        stack.push_async_callback(parts.behind.end, CLOSE_SECONDS / 2)
        work = asyncio.create_task(parts.worker.run(), name="worker")
        stack.push_async_callback(_ended, work)
        stack.push_async_callback(parts.worker.stop, DRAIN_SECONDS)
        stack.push_async_callback(self._end_gap)
        self._read_gap()
        watch = asyncio.create_task(self._watch_over(), name="watch over")
        stack.push_async_callback(_ended, watch)
        if has_timers:
            self.timers.start(parts.watcher.sweep, parts.doors.links.come, parts.account.look)
            stack.push_async_callback(self.timers.stop, CLOSE_SECONDS)

    async def _hang_up(self) -> None:
        assert self._socket is not None  # noqa: S101 - pushed where it was made
        with contextlib.suppress(TimeoutError):
            closing = self._socket.close_async()  # type: ignore[no-untyped-call] # Bolt's own gap
            await asyncio.wait_for(closing, CLOSE_SECONDS)

    async def _end_gap(self) -> None:
        if self._gap is not None:
            await _ended(self._gap)

    async def health(self) -> dict[str, str]:
        """How each thing that is needed stands, "ok" or a sentence."""
        troubles = [
            *self.parts.account.troubles,
            *([self.parts.watcher.trouble] if self.parts.watcher.trouble else []),
        ]
        return {
            "slack": "ok" if await self._hears() else "the socket is not connected",
            "store": "ok" if await self._stores() else "Redis does not answer",
            "coder": " ".join(dict.fromkeys(troubles)) or "ok",
        }

    async def _hears(self) -> bool:
        return self._socket is None or bool(await self._socket.client.is_connected())

    async def _stores(self) -> bool:
        try:
            return bool(await self.parts.connections.commands.ping())
        except RedisError:
            return False

    async def _watch_over(self) -> None:
        """Notice a minute without socket or store, and read the threads when it is over."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            is_up = await self._hears() and await self._stores()
            if not is_up:
                self._down_since = self._down_since or time.monotonic()
            elif self._down_since is not None:
                lasted = time.monotonic() - self._down_since
                self._down_since = None
                if lasted >= GAP_SECONDS:
                    _log.warning("nothing was heard for a while", seconds=round(lasted))
                    self._read_gap()

    def _read_gap(self) -> None:
        if self._gap is None or self._gap.done():
            self._gap = asyncio.create_task(self.parts.gaps.read(), name="gap")


@contextlib.asynccontextmanager
async def running(
    settings: Settings,
    connections: Connections,
    *,
    clock: Clock | None = None,
    has_timers: bool = True,
) -> AsyncIterator[Bot]:
    """A bot that runs inside the block; raises TokenProblem if Slack refuses the bot token."""
    async with contextlib.AsyncExitStack() as stack:
        bot = Bot(await _opened(stack, settings, connections, clock or ServersClock()))
        await bot.start(stack, has_timers=has_timers)
        yield bot


async def _ended(task: "asyncio.Task[None] | asyncio.Task[int]") -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def _opened(
    stack: contextlib.AsyncExitStack, settings: Settings, connections: Connections, clock: Clock
) -> Parts:
    """Open the parts; a Slack that cannot be reached is waited for, a refused token is not."""
    while True:
        try:
            return await stack.enter_async_context(Parts.open(settings, connections, clock))
        except TokenProblem:
            raise
        except OutsideError as error:
            _log.warning("Slack cannot be reached yet", error=str(error), at=datetime.now(UTC).isoformat())
            await asyncio.sleep(RETRY_SECONDS)
