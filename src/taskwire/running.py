"""One running bot: what starts, what watches over it, and how it ends within its time.

Health is served at once; then Slack is waited for, and the parts start. It ends by taking nothing new,
letting what runs end, and closing the socket last, so that what arrives meanwhile is still written down.
"""

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

from aiohttp import web
from redis.exceptions import RedisError
from slack_bolt.async_app import AsyncApp

from taskwire.app import Parts, Timings
from taskwire.cancelling import ended
from taskwire.model.errors import OutsideError, TryLater, UserError
from taskwire.model.ids import from_ms
from taskwire.scheduler import Hint, Timers
from taskwire.settings import Settings
from taskwire.slack.errors import TokenProblem
from taskwire.slack.sockets import Socket
from taskwire.store import connection
from taskwire.store.connection import Connections
from taskwire.store.depths import LISTS, NO_DEPTH
from taskwire.store.keys import Keys
from taskwire.store.rewinds import DOUBTED_MS, Rewound
from taskwire.store.scripts import Clock, ServersClock
from taskwire.telemetry import Metrics, logger
from taskwire.web import Hints, make_site
from taskwire.words import troubles

LOOK_SECONDS = 2.0
# Slack brings an event again for about six minutes; a shorter absence loses nothing.
GAP_SECONDS = 60.0
RETRY_SECONDS = 5.0
# Prometheus waits ten seconds for figures, and the chart's probe five for whether we are ready.
STORE_SECONDS = 3.0
# One after the other, and less than `lifetime.STOP_SECONDS` together.
TIMERS_SECONDS = 2.0
DRAIN_SECONDS = 7.0
BEHIND_SECONDS = 1.0
HANG_UP_SECONDS = 1.0
SITE_SECONDS = 1.0

T = TypeVar("T")
_log = logger("taskwire.running")


class Bot:
    """What runs: the site at once, the parts as soon as Slack has said who we are."""

    def __init__(self, settings: Settings, connections: Connections) -> None:
        self.metrics = Metrics()
        self.timers = Timers(settings.poll_interval)
        self._hint = Hint("sweep", self._look_now)
        self._settings = settings
        self._connections = connections
        self._parts: Parts | None = None
        self._socket: Socket | None = None
        self._site: web.AppRunner | None = None
        self._slack_trouble = "Slack has not answered yet."
        self._down_since: float | None = None
        self._gap: asyncio.Task[int] | None = None
        # With which of Redis's going back in time this process has dealt last.
        self.caught_up: Rewound | None = None

    @property
    def parts(self) -> Parts:
        """The parts, once Slack has been reached."""
        assert self._parts is not None  # noqa: S101 - nobody has a bot before it is open
        return self._parts

    @property
    def port(self) -> int:
        """Where health and metrics listen, once they do."""
        assert self._site is not None  # noqa: S101 - known only between start and stop
        addresses = self._site.addresses
        return int(addresses[0][1])

    async def serve(self, stack: contextlib.AsyncExitStack) -> None:
        """Serve health and metrics; UserError if the address cannot be used."""
        find_app = None if self._settings.is_socket_mode else self._find_app
        token = self._settings.webhook_token
        hints = Hints(token.get_secret_value(), self._hint.give) if token is not None else None
        site = make_site(self._figures, self.health, find_app, hints)
        self._site = web.AppRunner(site, access_log=None, shutdown_timeout=SITE_SECONDS)
        await self._site.setup()
        stack.push_async_callback(self._site.cleanup)
        try:
            await web.TCPSite(self._site, self._settings.http_host, self._settings.http_port).start()
        except OSError as error:
            raise UserError(
                f"Taskwire cannot listen on {self._settings.http_addr}: {_reason(error)}.",
                "Set TASKWIRE_HTTP_ADDR to an address and port that are free here.",
            ) from error
        _log.info("listening", port=self.port)

    async def _look_now(self) -> None:
        if self._parts is not None:
            await self._parts.watcher.sweep(is_hinted=True)
            # It has come instead of the next one, not besides.
            self.timers.put_off()

    def _find_app(self) -> AsyncApp | None:
        return self._parts.bolt if self._parts is not None else None

    async def open(self, stack: contextlib.AsyncExitStack, clock: Clock, timings: Timings) -> None:
        """Put the parts together; a Slack that cannot be reached is waited for, a refused token is not."""
        settings = self._settings

        async def opened() -> Parts:
            made = Parts.open(settings, self._connections, clock, self.metrics, timings)
            return await stack.enter_async_context(made)

        parts = await self._patiently(opened)
        if settings.slack_app_token is not None:
            app_token = settings.slack_app_token.get_secret_value()
            url = await self._patiently(lambda: parts.doors.slack.open_socket(app_token))
            self._socket = Socket(parts.bolt, app_token, url, self._welcomed)
            stack.push_async_callback(self._socket.close, HANG_UP_SECONDS)
        self._parts = parts

    async def start(self, stack: contextlib.AsyncExitStack, *, has_timers: bool = True) -> None:
        """Listen to Slack, take work, and read what was missed.

        What is started is ended in the opposite order by the stack, the socket after the work: what arrives
        while the last turns end is still written down.
        """
        parts = self.parts
        if self._socket is not None:
            self._socket.start()
        stack.push_async_callback(parts.behind.end, BEHIND_SECONDS)
        work = asyncio.create_task(parts.worker.run(), name="worker")
        stack.push_async_callback(ended, work)
        stack.push_async_callback(parts.worker.stop, DRAIN_SECONDS)
        stack.push_async_callback(self._end_gap)
        self._read_gap()
        watch = asyncio.create_task(self._watch_over(), name="watch over")
        stack.push_async_callback(ended, watch)
        stack.push_async_callback(parts.watcher.leave)
        stack.push_async_callback(self._hint.end)
        if has_timers:
            self.timers.start(parts.watcher.sweep, parts.watcher.come, parts.account.look)
            stack.push_async_callback(self.timers.stop, TIMERS_SECONDS)

    async def _patiently(self, call: Callable[[], Awaitable[T]]) -> T:
        while True:
            try:
                return await call()
            except TokenProblem:
                raise
            except OutsideError as error:
                self._slack_trouble = f"Slack cannot be reached yet: {error}. Look with `taskwire doctor`."
                _log.warning("Slack cannot be reached yet; see taskwire doctor", error=str(error))
                asked = error.after_seconds if isinstance(error, TryLater) else None
                await asyncio.sleep(max(RETRY_SECONDS, asked or 0.0))

    @property
    def has_noted_gap(self) -> bool:
        """Whether it is written down, since the last gap, that the threads are to be read."""
        return self._gap is not None and self._gap.done()

    async def _end_gap(self) -> None:
        if self._gap is not None:
            await ended(self._gap)

    async def health(self) -> dict[str, str]:
        """How each thing that is needed stands, "ok" or a sentence."""
        return {
            "slack": await self._slack_health(),
            "store": await self._store_health(),
            "coder": self._coder_health(),
        }

    async def _figures(self) -> bytes:
        """All figures; what only a look can tell is looked at now."""
        health = await self.health()
        for system, stands in health.items():
            self.metrics.is_up.labels(system).set(stands == "ok")
        if self._socket is not None:
            self.metrics.socket_age.set(await self._socket.age_seconds())
        if self._parts is not None:
            self.metrics.in_hand.set(self._parts.worker.in_hand)
            if health["store"] == "ok":
                await self._look_at_lists(self._parts)
        return self.metrics.exposition()

    async def _look_at_lists(self, parts: Parts) -> None:
        metrics = self.metrics
        try:
            async with asyncio.timeout(STORE_SECONDS):
                waiting = await parts.depths.look()
        except (RedisError, TimeoutError):
            return
        metrics.letters.set(waiting.letters)
        for kind in LISTS:
            depth = waiting.lists.get(kind, NO_DEPTH)
            metrics.waiting_jobs.labels(kind).set(depth.jobs)
            metrics.due_age.labels(kind).set(depth.due_seconds)
            metrics.job_age.labels(kind).set(depth.oldest_seconds)

    def _welcomed(self, connections: int) -> None:
        self.metrics.sockets.inc()
        self.metrics.socket_connections.set(connections)

    async def _slack_health(self) -> str:
        if self._parts is None:
            return self._slack_trouble
        return "ok" if await self._hears() else "The socket to Slack is not connected."

    def _coder_health(self) -> str:
        if self._parts is None:
            return "Coder has not been asked yet."
        # A Coder that cannot be asked keeps both from knowing; the sweep says it better, and first.
        return self._parts.watcher.trouble or " ".join(self._parts.account.troubles) or "ok"

    async def _hears(self) -> bool:
        return self._socket is None or await self._socket.is_connected()

    async def _store_health(self) -> str:
        try:
            async with asyncio.timeout(STORE_SECONDS):
                await self._connections.commands.ping()
        except (RedisError, TimeoutError):
            return "Redis does not answer."
        trouble = self._parts.worker.store_trouble if self._parts is not None else ""
        return f"Redis takes nothing: {trouble}." if trouble else "ok"

    async def _watch_over(self) -> None:
        """Notice a minute without socket or store, and read the threads when it is over."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            takes_writes = not self.parts.worker.store_trouble
            is_up = await self._hears() and await self._look_at_store() and takes_writes
            if not is_up:
                self._down_since = self._down_since or time.monotonic()
            elif self._down_since is not None:
                lasted = time.monotonic() - self._down_since
                self._down_since = None
                if lasted >= GAP_SECONDS:
                    _log.warning("nothing was heard for a while", seconds=round(lasted))
                    self._read_gap()
            rewound = self.parts.worker.rewound
            if is_up and rewound is not None:
                await self._catch_up(rewound)

    async def _catch_up(self, rewound: Rewound) -> None:
        """Redis has gone back: write down again what was taken lately, and read what people wrote since."""
        parts = self.parts
        try:
            lost = await parts.claims.repeat()
            if parts.doors.queue.rewinds.missing_ms > GAP_SECONDS * 1000:
                # A failover is no news; a copy from yesterday is somebody's doing.
                since = from_ms(rewound.since_ms)
                await parts.alerts.warn(f"rewound {since}", troubles.rewound(since))
            is_first = await parts.doors.memory.is_first("rewound", str(rewound.at_ms), ttl_ms=DOUBTED_MS)
        except (OutsideError, RedisError) as error:
            _log.warning("what Redis lost is written down later", error=str(error))
            return
        _log.info("taken once more, since Redis had lost it", count=lost)
        parts.watcher.forget()
        parts.worker.rewound, self.caught_up = None, rewound
        if is_first:
            await self._end_gap()
            self._read_gap()

    async def _look_at_store(self) -> bool:
        """Note how much work there is and how many copies a promise needs; whether the store could say so."""
        try:
            ready = Keys(self.parts.doors.bot.team_id).named("ready")
            self.metrics.waiting_lists.set(await self._connections.commands.zcard(ready))
            await connection.learn_copies(self._connections)
        except RedisError:
            return False
        return True

    def _read_gap(self) -> None:
        if self._gap is None or self._gap.done():
            self.metrics.gaps.inc()
            self._gap = asyncio.create_task(self.parts.gaps.note(), name="gap")


@contextlib.asynccontextmanager
async def running(
    settings: Settings,
    connections: Connections,
    *,
    clock: Clock | None = None,
    timings: Timings | None = None,
    has_timers: bool = True,
) -> AsyncIterator[Bot]:
    """A bot that runs inside the block; raises TokenProblem if Slack refuses a token."""
    async with contextlib.AsyncExitStack() as stack:
        bot = Bot(settings, connections)
        await bot.serve(stack)
        await bot.open(stack, clock or ServersClock(), timings or Timings())
        await bot.start(stack, has_timers=has_timers)
        yield bot


def _reason(error: OSError) -> str:
    return os.strerror(error.errno) if error.errno and error.errno > 0 else str(error.strerror)
