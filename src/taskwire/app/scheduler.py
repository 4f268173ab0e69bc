"""Timers: regular polls, link timers, checks of the account, and hints that bring a poll forward.

This module only calls functions that it is given. APScheduler's shutdown cancels running calls. Therefore
`stop` pauses the scheduler, waits for running calls, and only then shuts it down.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from redis.exceptions import RedisError

from taskwire.domain.errors import OutsideError
from taskwire.telemetry import logger

LINK_TIMERS_SECONDS = 0.5
# Most of these checks ask Coder nothing, because the latest result is valid for up to half a day.
ACCOUNT_SECONDS = 5
SLOW_CALLS_SECONDS = 10

# In seconds. Coder may send several notifications for one change. All notifications within 0.3 s count as one
# hint. Endless hints cause at most two calls a second.
HINT_DELAY_SECONDS = 0.3
HINTED_INTERVAL_SECONDS = 0.5

_log = logger("taskwire.app.scheduler")


class PeriodicCalls:
    """Calls the functions that `start` gets, each at its interval."""

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
        fire_timers: Callable[[], Awaitable[object]],
        check_account: Callable[[], Awaitable[object]],
        slow_calls: Mapping[str, Callable[[], Awaitable[object]]],
    ) -> None:
        """Start the calls.

        `poll` returns the seconds until the next poll, or 0 for the regular interval. The keys of
        `slow_calls` are the names of the calls for the log and for `run_now`.
        """

        async def poll_and_reschedule() -> None:
            if seconds := await poll():
                at = datetime.now(UTC) + timedelta(seconds=seconds)
                self._scheduler.modify_job("poll", next_run_time=at)

        # The jitter keeps replicas from polling at the same moments.
        jitter = self._poll_seconds / 10
        self._add_call(self._poll_seconds, "poll", poll_and_reschedule, jitter)
        self._add_call(LINK_TIMERS_SECONDS, "link timers", fire_timers)
        self._add_call(ACCOUNT_SECONDS, "account", check_account)
        for name, call in slow_calls.items():
            self._add_call(SLOW_CALLS_SECONDS, name, call)
        self._scheduler.start()

    def postpone_poll(self) -> None:
        """Move the next poll to a whole interval from now, because the caller has just polled."""
        if self._scheduler.running:
            at = datetime.now(UTC) + timedelta(seconds=self._poll_seconds)
            self._scheduler.modify_job("poll", next_run_time=at)

    def run_now(self, name: str) -> None:
        """Make the call of this name at once. If there is no such call, do nothing."""
        if self._scheduler.running and self._scheduler.get_job(name) is not None:
            self._scheduler.modify_job(name, next_run_time=datetime.now(UTC))

    async def stop(self, within_seconds: float) -> None:
        """Start no more calls. Wait at most `within_seconds` for the running calls, then cancel them."""
        if not self._scheduler.running:
            return
        self._scheduler.pause()
        if self._running:
            await asyncio.wait(self._running, timeout=within_seconds)
        self._scheduler.shutdown(wait=False)

    def _add_call(
        self, seconds: float, name: str, call: Callable[[], Awaitable[object]], jitter: float | None = None
    ) -> None:
        first = datetime.now(UTC) + timedelta(seconds=min(seconds, 0.1))
        self._scheduler.add_job(
            self._call_logged,
            "interval",
            seconds=seconds,
            jitter=jitter,
            args=(name, call),
            id=name,
            next_run_time=first,
        )

    async def _call_logged(self, name: str, call: Callable[[], Awaitable[object]]) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._running.add(task)
        try:
            await _call_logged(name, call)
        finally:
            if task is not None:
                self._running.discard(task)


class HintedCall:
    """Calls a function soon after a hint.

    Several hints before a call cause one call. Several hints during a call cause one more.
    """

    def __init__(self, name: str, call: Callable[[], Awaitable[object]]) -> None:
        self._name = name
        self._call = call
        self._is_wanted = False
        self._free_at = 0.0
        self._task: asyncio.Task[None] | None = None

    def request(self) -> None:
        """Make the call soon, but at least HINTED_INTERVAL_SECONDS after the previous call."""
        self._is_wanted = True
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name=f"hint {self._name}")

    async def end(self) -> None:
        """Make no more calls."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while self._is_wanted:
            await asyncio.sleep(max(HINT_DELAY_SECONDS, self._free_at - loop.time()))
            self._is_wanted = False
            self._free_at = loop.time() + HINTED_INTERVAL_SECONDS
            await _call_logged(self._name, self._call)


async def _call_logged(name: str, call: Callable[[], Awaitable[object]]) -> None:
    try:
        await call()
    except RedisError as error:
        # Log this at the level debug only: the worker logs once that Redis cannot be reached.
        _log.debug("timer call failed, will retry", timer=name, error=str(error))
    except OutsideError as error:
        _log.warning("timer call failed, will retry", timer=name, error=str(error))
    except Exception:  # noqa: BLE001 - a timer must go on after any exception
        _log.exception("unexpected exception in timer, will run again", timer=name)
