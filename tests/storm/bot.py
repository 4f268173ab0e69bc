"""One replica of a storm: the real bot as a process, with the storm's shorter times.

It is forked from a process that has imported everything already, so that one that is killed is followed by
the next at once.
"""

import asyncio
import os
import sys
import time
from collections.abc import Mapping
from multiprocessing import parent_process

from aiohttp.connector import Connection

from taskwire import settings as settings_of
from taskwire import transport
from taskwire.app.bot import running
from taskwire.app.process import connected
from taskwire.domain.secrets import Masker
from taskwire.recovery import downtime
from taskwire.telemetry import configure_logs

from .plan import GAP_SECONDS, TIMINGS


def live(settings: Mapping[str, str], log: str, window_ms: int, clock_off_seconds: float) -> None:
    """Run until killed; `log` is appended to. The process's own clock is so far off."""
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
    # Who is killed cannot take its children along.
    asyncio.get_running_loop().add_reader(parent.sentinel, os._exit, 0)
    loaded = settings_of.load()
    configure_logs("info", "json", Masker(loaded.secrets(), loaded.tokens()).mask, sys.stdout)
    async with connected(loaded) as (connections, _), running(loaded, connections, timings=TIMINGS):
        await asyncio.Event().wait()


def _widen(seconds: float) -> None:
    """Make the window that no look can close as wide as the storm wants it: see CONTRIBUTING."""
    look = transport._look  # noqa: SLF001 - the place itself is what is widened

    def slow_look(conn: Connection) -> None:
        look(conn)
        time.sleep(seconds)

    transport._look = slow_look  # noqa: SLF001 - as above


def _set_clock(seconds: float) -> None:
    """Let the host's clock be wrong where the code asks it for a moment; the rest goes by others' clocks."""
    right = time.time
    time.time = lambda: right() + seconds
