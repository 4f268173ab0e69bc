"""Runs real bots, each in its own process, for tests that kill hundreds of bots.

`python -m tests.faults.bot` imports everything once and then forks, so a bot starts in milliseconds instead
of a second. A bot runs as `taskwire run` does, with three differences: the test can move the bot's clock,
polls and timers run only on request, and waits in real time are short. A bot ends when its connection to the
test is closed.
"""

import asyncio
import contextlib
import gc
import os
import select
import signal
import socket
import sys
import time
from pathlib import Path

from pydantic import BaseModel
from redis.exceptions import RedisError

from taskwire import settings as settings_module
from taskwire import worker
from taskwire.app.bot import Bot, run_bot
from taskwire.app.wiring import Timings
from taskwire.coder.client import CoderTimeouts
from taskwire.domain.errors import OutsideError
from taskwire.domain.masking.secrets import Masker
from taskwire.queue.leases import LeaseTimes
from taskwire.queue.rate_limiter import Limit, MethodLimits
from taskwire.redis import connection, key_file
from taskwire.settings import Settings
from taskwire.slack.calls import SlackTimeouts
from taskwire.telemetry import Mask, configure_logs

from .clock import SharedClock

# A lease lasts longer than a test needs to stop one actor and to run the others to their points, so no lease
# expires during this time.
LEASE_MS = 60_000
# Limits are counted for each channel, so that no flow waits because of another flow.
PACE = MethodLimits(None, per_target=Limit(interval_ms=100, burst=10))
# The places for jobs, and for connections to Redis. Before a kill, the calls of up to nine actors are held.
# Each actor may have four jobs, so all 32 places of production could be held.
PLACES = 128
# If the bot is busy, it waits for IDLE_SECONDS to become idle before it answers "no". It checks every
# LOOK_SECONDS.
IDLE_SECONDS, LOOK_SECONDS = 0.04, 0.003


class Given(BaseModel):
    """The parameters of one bot."""

    environment: dict[str, str]
    log: Path
    clock: Path
    line: int
    timeout_seconds: float


def timings(given: Given) -> Timings:
    """Return the timings of a bot with short timeouts, which pass in real time. All other times are the
    product's own."""
    seconds = given.timeout_seconds
    return Timings(
        slack=SlackTimeouts(post=seconds, change=seconds, read=seconds, file=seconds),
        coder=CoderTimeouts(
            connect=seconds, read=seconds, logs=seconds, send=seconds, create=seconds, change=seconds
        ),
        lease_times=LeaseTimes(lease_ms=LEASE_MS, longest_lease_ms=LEASE_MS, recheck_ms=20),
        limits={},
        other_limits=PACE,
    )


async def run_process(given: Given, loaded: Settings, mask: Mask) -> None:
    """Run the bot and obey orders, until the bot is killed or its connection to the test is closed."""
    configure_logs("info", "json", mask, sys.stdout)
    assert loaded.redis_url is not None
    url = loaded.redis_url.get_secret_value()
    key_file.install(loaded)
    worker.MAX_CONCURRENT_JOBS = connection.COMMAND_CONNECTIONS = PLACES
    async with (
        connection.open(url, command_seconds=given.timeout_seconds) as connections,
        run_bot(
            loaded, connections, clock=SharedClock(given.clock), timings=timings(given), has_timers=False
        ) as bot,
    ):
        await obey(bot, *await asyncio.open_connection("127.0.0.1", given.line))


async def _is_soon_idle(bot: Bot) -> bool:
    """Return whether the bot is idle now or becomes idle within IDLE_SECONDS. Without this wait, the test
    would have to ask again and again."""
    gives_up_at = time.monotonic() + IDLE_SECONDS
    while not _is_idle(bot) and time.monotonic() < gives_up_at:  # noqa: ASYNC110 - parts say it by properties
        await asyncio.sleep(LOOK_SECONDS)
    return _is_idle(bot)


def _is_idle(bot: Bot) -> bool:
    parts = bot.parts
    has_jobs = not (parts.worker.is_idle and parts.background.is_idle and parts.private_answers.is_idle)
    return bot.has_recorded_gap and not has_jobs


async def obey(bot: Bot, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Carry out the orders from the connection, one after the other."""
    while word := (await reader.readline()).decode().strip():
        answer = "done"
        try:
            match word:
                case "poll":
                    # The answer is the number of seconds until this bot may poll. It is not 0 if a killed bot
                    # has left the lease for polls.
                    answer = str(await bot.parts.poller.poll())
                case "times":
                    answer = str(await bot.parts.deps.links.fire_timers())
                case "rest":
                    answer = "yes" if await _is_soon_idle(bot) else "no"
        except (RedisError, OutsideError) as error:
            # In the product, the next tick would try again after this error. Here the test orders the poll or
            # the timers again.
            answer = f"failed: {error}"
        writer.write(f"{answer}\n".encode())
    os._exit(0)


def main() -> None:
    """Fork a bot for each request, until standard input is closed."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.create_server(("127.0.0.1", 0)) as server:
        print(server.getsockname()[1], flush=True)  # noqa: T201 - the parent reads where we listen
        gc.collect()
        gc.freeze()
        gc.set_threshold(20_000, 20, 50)
        while True:
            readable, _, _ = select.select([server, sys.stdin], [], [])
            if sys.stdin in readable:
                return
            _fork(server)


def _fork(server: socket.socket) -> None:
    asked, _ = server.accept()
    with asked, asked.makefile("r") as lines:
        given = Given.model_validate_json(lines.readline())
        os.environ.clear()
        os.environ.update(given.environment)
        loaded = settings_module.load()
        # Compiling a mask is slow. The parent compiles it before the fork, so that the next bot of this
        # deployment finds it cached.
        mask = Masker(loaded.secrets(), loaded.tokens()).mask
        child = os.fork()
        if child:
            asked.sendall(f"{child}\n".encode())
            return
    server.close()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    with contextlib.suppress(KeyboardInterrupt), given.log.open("a") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
        asyncio.run(run_process(given, loaded, mask))
    os._exit(1)


if __name__ == "__main__":
    main()
