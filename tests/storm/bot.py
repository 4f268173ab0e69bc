"""One replica of a storm: the real bot in a process, with the storm's shorter times.

A parent that has imported everything forks the processes, so a killed replica is replaced immediately.
"""

import asyncio
import os
import sys
import time
from collections.abc import Mapping
from multiprocessing import parent_process

from aiohttp.connector import Connection

from taskwire import settings as settings_module
from taskwire import transport
from taskwire.app.bot import run_bot
from taskwire.app.process import connect
from taskwire.domain.masking.secrets import Masker
from taskwire.recovery import downtime
from taskwire.telemetry import configure_logs

from .plan import GAP_SECONDS, TIMINGS


def live(settings: Mapping[str, str], log: str, window_ms: int, clock_off_seconds: float) -> None:
    """Run the bot until the process is killed, and append its output to `log`. `window_ms` is how long a call
    waits after its deadline was checked. The clock of the process is off by `clock_off_seconds`."""
    os.environ.update(settings)
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(descriptor, sys.stdout.fileno())
    os.dup2(descriptor, sys.stderr.fileno())
    downtime.GAP_SECONDS = GAP_SECONDS
    _widen(window_ms / 1000)
    _set_clock(clock_off_seconds)
    asyncio.run(_main())


async def _main() -> None:
    parent = parent_process()
    assert parent is not None
    # If the parent is killed, it cannot end its child processes. They notice its death and end themselves.
    asyncio.get_running_loop().add_reader(parent.sentinel, os._exit, 0)
    loaded = settings_module.load()
    configure_logs("info", "json", Masker(loaded.secrets(), loaded.tokens()).mask, sys.stdout)
    async with connect(loaded) as (connections, _), run_bot(loaded, connections, timings=TIMINGS):
        await asyncio.Event().wait()


def _widen(seconds: float) -> None:
    """Let each call wait for `seconds` between the last check of its deadline and its write
    (docs/guarantees.md). Races are then more likely."""
    mark_sent = transport._mark_sent  # noqa: SLF001 - the place itself is what is widened

    def slow_mark_sent(conn: Connection) -> None:
        mark_sent(conn)
        time.sleep(seconds)

    transport._mark_sent = slow_mark_sent  # noqa: SLF001 - as above


def _set_clock(seconds: float) -> None:
    """Set the process's clock off by `seconds`. The bot must rely only on the clocks of Redis and of the
    other servers."""
    right = time.time
    time.time = lambda: right() + seconds
