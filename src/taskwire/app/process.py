"""One process: its store, its bot, and the signals that stop both.

A process that was told to stop has ended after 20 seconds at most, together with its embedded store.
"""

import asyncio
import contextlib
import gc
import signal
from collections.abc import AsyncIterator, Callable

from taskwire.app import secret_files
from taskwire.app.bot import run_bot
from taskwire.doctor import findings
from taskwire.domain.errors import UserError
from taskwire.redis import connection, data_directory, embedded, key_file
from taskwire.redis.connection import Connections
from taskwire.settings import Settings
from taskwire.slack.errors import TokenProblem
from taskwire.telemetry import logger

# A bot needs at most 15.25 s to stop (`app/bot.py`). The embedded store may need another 3 s.
STOP_SECONDS = 15.5
# Seconds until the kernel's alarm ends the process. A thread that hangs in a DNS lookup keeps Python from
# ending.
KILL_SECONDS = 19

_log = logger("taskwire")


class Process:
    """Runs until it is told to stop, its embedded store dies, or a newer version of Taskwire locks it out."""

    def __init__(self, settings: Settings, on_ready: Callable[[], None] = lambda: None) -> None:
        self._settings = settings
        self._on_ready = on_ready
        self._stop = asyncio.Event()
        self._is_ready = False
        self._store_failure = ""
        self._lockout: UserError | None = None

    async def run(self) -> int:
        """Run the bot and return the exit code. Raise UserError if store, address or token is unusable."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._request_stop)
        bot_task = asyncio.create_task(self._run_bot(), name="bot")
        stopped = asyncio.create_task(self._stop.wait())
        await asyncio.wait({bot_task, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if self._is_ready:
            await asyncio.wait({bot_task}, timeout=STOP_SECONDS)
        for task in (bot_task, stopped):
            task.cancel()
        try:
            with contextlib.suppress(asyncio.CancelledError):
                await bot_task
        except TokenProblem as problem:
            raise findings.token_refused(problem) from problem
        if self._lockout is not None:
            raise self._lockout
        if self._store_failure:
            _log.critical("store ended, process ends", why=self._store_failure)
        return 1 if self._store_failure else 0

    def _request_stop(self) -> None:
        signal.alarm(KILL_SECONDS)
        if self._is_ready and self._settings.redis_url is None:
            data_directory.announce_stop(self._settings.data_dir)
        self._stop.set()

    async def _run_bot(self) -> None:
        async with connect(self._settings) as (connections, store_ended):
            store_ended.add_done_callback(self._on_store_ended)
            async with run_bot(self._settings, connections) as bot:
                self._is_ready = True
                if self._settings.find_files():
                    loop = asyncio.get_running_loop()
                    loop.add_signal_handler(signal.SIGHUP, bot.periodic_calls.run_now, secret_files.CALL_NAME)
                bot.lockout.add_done_callback(self._on_lockout)
                freeze_garbage_collection()
                mode = "socket" if self._settings.is_socket_mode else "http"
                _log.info("bot started", mode=mode, port=bot.port)
                self._on_ready()
                await self._stop.wait()
                _log.info("bot is stopping")

    def _on_lockout(self, lockout: "asyncio.Future[UserError]") -> None:
        if not lockout.cancelled():
            self._lockout = lockout.result()
            self._request_stop()

    def _on_store_ended(self, store_ended: "asyncio.Future[str]") -> None:
        if not store_ended.cancelled():
            self._store_failure = store_ended.result()
            self._request_stop()


def freeze_garbage_collection() -> None:
    """Exclude all existing objects from garbage collection.

    A started process keeps about a hundred thousand objects for good, mostly of libraries. A full collection
    would take up to 100 ms and free nothing. During a collection no payload can be acknowledged.
    """
    gc.freeze()


@contextlib.asynccontextmanager
async def connect(settings: Settings) -> AsyncIterator[tuple[Connections, "asyncio.Future[str]"]]:
    """Connect to the configured Redis, or start an embedded store and connect to the embedded store.

    Yield the connections, and a future that gets the reason if the embedded store ends by itself.
    """
    async with contextlib.AsyncExitStack() as stack:
        store_ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        if settings.redis_url is not None:
            url = settings.redis_url.get_secret_value()
        else:
            store = await stack.enter_async_context(embedded.store(settings.data_dir))
            url, store_ended = store.url, store.died
        key_file.install(settings)
        connections = await stack.enter_async_context(connection.open(url))
        connections.is_embedded = settings.redis_url is None
        if connections.is_embedded:
            connections.where = str(settings.data_dir.absolute())
        for finding in findings.judge_store(await connection.check(connections), connections.where):
            if finding.state != "ok":
                _log.warning("Redis is not set up as recommended", says=finding.says, hint=finding.hint)
        yield connections, store_ended
