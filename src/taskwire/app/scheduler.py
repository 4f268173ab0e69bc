"""Timers: regular polls, link timers, checks of the account, and hints that bring a poll forward.

This module only calls functions that it is given. APScheduler's shutdown cancels running calls. Therefore the
scheduler is paused first, and running calls are awaited here.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from redis.exceptions import RedisError

from taskwire.domain.errors import OutsideError
from taskwire.telemetry import logger

TIMES_SECONDS = 0.5
# Most of these checks ask Coder nothing, because their last result is valid for up to half a day.
ACCOUNT_SECONDS = 5
SELDOM_SECONDS = 10

# Coder sends one notification for each row of its own. All within 0.3 s count as one hint. Endless hints
# cause two calls a second at most.
HINT_SECONDS = 0.3
BETWEEN_HINTED_SECONDS = 0.5

_log = logger("taskwire.app.scheduler")


class Timers:
    """Makes the regular calls."""

    def __init__(self, poll_seconds: float) -> None:
        self._poll_seconds = poll_seconds
        self._running: set[asyncio.Task[None]] = set()
        self._scheduler = AsyncIOScheduler(
            timezone=UTC,
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )

    def start(
        self,
        poll: Callable[[], Awaitable[float]],
        come: Callable[[], Awaitable[object]],
        account: Callable[[], Awaitable[object]],
        seldom: Mapping[str, Callable[[], Awaitable[object]]],
    ) -> None:
        """Start the calls. `poll` returns the seconds until its next call, or 0 for the regular interval."""

        async def polled() -> None:
            if seconds := await poll():
                at = datetime.now(UTC) + timedelta(seconds=seconds)
                self._scheduler.modify_job("poll", next_run_time=at)

        # Replicas must not poll at the same moments.
        jitter = self._poll_seconds / 10
        self._every(self._poll_seconds, "poll", polled, jitter)
        self._every(TIMES_SECONDS, "times", come)
        self._every(ACCOUNT_SECONDS, "account", account)
        for name, call in seldom.items():
            self._every(SELDOM_SECONDS, name, call)
        self._scheduler.start()

    def put_off(self) -> None:
        """Move the next poll to a whole interval from now, because there has just been one."""
        if self._scheduler.running:
            at = datetime.now(UTC) + timedelta(seconds=self._poll_seconds)
            self._scheduler.modify_job("poll", next_run_time=at)

    async def stop(self, within_seconds: float) -> None:
        """Start no more calls, and wait for the running ones."""
        if not self._scheduler.running:
            return
        self._scheduler.pause()
        if self._running:
            await asyncio.wait(self._running, timeout=within_seconds)
        self._scheduler.shutdown(wait=False)

    def _every(
        self, seconds: float, name: str, call: Callable[[], Awaitable[object]], jitter: float | None = None
    ) -> None:
        first = datetime.now(UTC) + timedelta(seconds=min(seconds, 0.1))
        self._scheduler.add_job(
            self._guarded,
            "interval",
            seconds=seconds,
            jitter=jitter,
            args=(name, call),
            id=name,
            next_run_time=first,
        )

    async def _guarded(self, name: str, call: Callable[[], Awaitable[object]]) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._running.add(task)
        try:
            await _guarded(name, call)
        finally:
            if task is not None:
                self._running.discard(task)


class Hint:
    """Brings a call forward.

    All hints before the call begins cause a single call. All hints during the call cause a single further
    call.
    """

    def __init__(self, name: str, call: Callable[[], Awaitable[object]]) -> None:
        self._name = name
        self._call = call
        self._is_wanted = False
        self._free_at = 0.0
        self._calling: asyncio.Task[None] | None = None

    def give(self) -> None:
        """Make the call soon."""
        self._is_wanted = True
        if self._calling is None or self._calling.done():
            self._calling = asyncio.create_task(self._follow(), name=f"hint {self._name}")

    async def end(self) -> None:
        """Make no more calls."""
        if self._calling is not None:
            self._calling.cancel()
            await asyncio.gather(self._calling, return_exceptions=True)

    async def _follow(self) -> None:
        loop = asyncio.get_running_loop()
        while self._is_wanted:
            await asyncio.sleep(max(HINT_SECONDS, self._free_at - loop.time()))
            self._is_wanted = False
            self._free_at = loop.time() + BETWEEN_HINTED_SECONDS
            await _guarded(self._name, self._call)


async def _guarded(name: str, call: Callable[[], Awaitable[object]]) -> None:
    try:
        await call()
    except RedisError as error:
        # The worker logs this, once.
        _log.debug("timer call failed, will retry", timer=name, error=str(error))
    except OutsideError as error:
        _log.warning("timer call failed, will retry", timer=name, error=str(error))
    except Exception:  # noqa: BLE001 - a timer must go on after any exception
        _log.exception("unexpected exception in timer", timer=name)
