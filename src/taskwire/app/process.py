"""One process: its store, its bot, and the signals that stop both.

A process that was told to stop has ended after 20 seconds at most, together with its embedded store.
"""

import asyncio
import contextlib
import gc
import signal
from collections.abc import AsyncIterator, Callable

from taskwire.app.bot import running
from taskwire.doctor import findings
from taskwire.domain.errors import UserError
from taskwire.redis import connection, data_directory, embedded
from taskwire.redis.connection import Connections
from taskwire.settings import Settings
from taskwire.slack.errors import TokenProblem
from taskwire.telemetry import logger

# A bot needs at most 15.25 s to stop (`app/bot.py`). The embedded store may need another 3 s.
STOP_SECONDS = 15.5
# Seconds until the kernel's alarm ends the process. A thread that hangs in a DNS lookup keeps Python from
# ending.
LAST_RESORT_SECONDS = 19

_log = logger("taskwire")


class Process:
    """Runs until it is told to stop, its embedded store dies, or a newer version locks it out."""

    def __init__(self, settings: Settings, when_up: Callable[[], None] = lambda: None) -> None:
        self._settings = settings
        self._when_up = when_up
        self._stop = asyncio.Event()
        self._is_up = False
        self._obituary = ""
        self._barred: UserError | None = None

    async def live(self) -> int:
        """Run and return the exit code. Raises `UserError` if store, address or token is unusable."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._told_to_stop)
        life = asyncio.create_task(self._life(), name="life")
        stopped = asyncio.create_task(self._stop.wait())
        await asyncio.wait({life, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if self._is_up:
            await asyncio.wait({life}, timeout=STOP_SECONDS)
        for task in (life, stopped):
            task.cancel()
        try:
            with contextlib.suppress(asyncio.CancelledError):
                await life
        except TokenProblem as problem:
            raise findings.refused(problem) from problem
        if self._barred is not None:
            raise self._barred
        if self._obituary:
            _log.critical(self._obituary)
        return 1 if self._obituary else 0

    def _told_to_stop(self) -> None:
        signal.alarm(LAST_RESORT_SECONDS)
        if self._is_up and self._settings.redis_url is None:
            data_directory.announce_end(self._settings.data_dir)
        self._stop.set()

    async def _life(self) -> None:
        async with connected(self._settings) as (connections, died):
            died.add_done_callback(self._bereaved)
            async with running(self._settings, connections) as bot:
                self._is_up = True
                bot.barred.add_done_callback(self._bar)
                settle_down()
                mode = "socket" if self._settings.is_socket_mode else "http"
                _log.info("running", mode=mode, port=bot.port)
                self._when_up()
                await self._stop.wait()
                _log.info("stopping")

    def _bar(self, barred: "asyncio.Future[UserError]") -> None:
        if not barred.cancelled():
            self._barred = barred.result()
            self._told_to_stop()

    def _bereaved(self, died: "asyncio.Future[str]") -> None:
        if not died.cancelled():
            self._obituary = died.result()
            self._told_to_stop()


def settle_down() -> None:
    """Exclude all present objects from garbage collection.

    A started process keeps about a hundred thousand objects for good, mostly of libraries. A full collection
    would take up to 100 ms and free nothing. In that time nothing could be acknowledged.
    """
    gc.freeze()


@contextlib.asynccontextmanager
async def connected(settings: Settings) -> AsyncIterator[tuple[Connections, "asyncio.Future[str]"]]:
    """Connect to the configured Redis or to an embedded store. The future reports the latter's death."""
    async with contextlib.AsyncExitStack() as stack:
        died: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        if settings.redis_url is not None:
            url = settings.redis_url.get_secret_value()
        else:
            store = await stack.enter_async_context(embedded.store(settings.data_dir))
            url, died = store.url, store.died
        connections = await stack.enter_async_context(connection.open(url))
        connections.is_own = settings.redis_url is None
        if connections.is_own:
            connections.where = str(settings.data_dir.absolute())
        for finding in findings.judge_store(await connection.check(connections), connections.where):
            if finding.state != "ok":
                _log.warning("Redis is not set up as recommended", says=finding.says, hint=finding.hint)
        yield connections, died
