"""Downtime: finds out for how long no process listened to Slack, and queues a backfill of what was missed.

After a start, the messages from the time without a process are read at once. In Socket Mode, a process also
knows whether it is connected to Slack. In HTTP mode, only a request from Slack shows that Slack can reach
Taskwire. A silence may be a quiet hour or a broken proxy. So after a silence of five minutes, the next
request causes a backfill of the silence. `recovery/backfill.py` queues and makes backfills.
"""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Awaitable, Callable

from redis.exceptions import RedisError

from taskwire.cancelling import cancel_and_wait
from taskwire.recovery.backfill import Backfill
from taskwire.state.heartbeat import Heartbeat
from taskwire.telemetry import Metrics, logger

# Slack retries an event for about six minutes, so a shorter absence than this loses nothing.
GAP_SECONDS = 60.0
# After this many seconds without a request, the next request starts a backfill. A shorter silence loses
# nothing, because Slack retries.
REQUEST_SILENCE_MS = 300_000
# How long to wait before the next try, in seconds. A try fails if Redis is away or another replica has
# claimed the gap.
BACKFILL_RETRY_SECONDS = 5.0

_log = logger("taskwire.recovery.downtime")


class Downtime:
    """Keeps track of when this process could receive payloads from Slack.

    In HTTP mode, `record_request` must be called for each request.

    `monotonic` is a clock that never goes backward. It is needed because Redis's clock cannot be read while
    Redis is away.
    """

    def __init__(
        self,
        backfill: Backfill,
        heartbeat: Heartbeat,
        metrics: Metrics,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._backfill = backfill
        self._heartbeat = heartbeat
        self._metrics = metrics
        self._monotonic = monotonic
        self._has_request = False
        # Functions that queue a backfill, in order. Each function makes one try, and returns whether the
        # backfill is queued.
        self._pending: deque[Callable[[], Awaitable[bool]]] = deque()
        self._queuing: asyncio.Task[None] | None = None

    @property
    def has_queued_all(self) -> bool:
        """Whether a backfill is queued for everything that was missed so far.

        False until the first call of `queue_missed`.
        """
        return self._queuing is not None and self._queuing.done()

    def record_request(self) -> None:
        """Record that Slack has just sent an HTTP request to this process."""
        self._has_request = True

    def queue_missed(self, duration_ms: int | None = None) -> None:
        """Queue a backfill of what was missed, if no process has listened for a minute or more.

        If `duration_ms` is set, queue a backfill of that time, even if another process has listened.
        """
        if duration_ms is not None:
            self._queue_since(self._monotonic() - duration_ms / 1000)
            return

        async def queue_reading() -> bool:
            absence_ms = await self._heartbeat.find_absence_ms()
            is_short = absence_ms is not None and absence_ms < GAP_SECONDS * 1000
            return is_short or await self._queue_once(absence_ms)

        self._add(queue_reading)

    def queue_missed_since(self, moment_ms: int) -> None:
        """Queue a backfill of the messages since `moment_ms`, a time of Redis's clock."""

        async def queue_reading() -> bool:
            ago_ms = await self._heartbeat.get_age_ms(moment_ms)
            await self._backfill.queue_threads(ago_ms)
            await self._heartbeat.record_backfill(ago_ms, REQUEST_SILENCE_MS)
            self._metrics.backfills.inc()
            return True

        self._add(queue_reading)

    async def beat(self) -> None:
        """Record that this process listens.

        A process that starts soon after this knows that no message was missed.

        If a request has come after a long silence of Slack, record nothing, and queue a backfill of the
        silence.
        """
        with contextlib.suppress(RedisError):
            if self._has_request:
                silence_ms = await self._heartbeat.find_silence_ms()
                self._has_request = False
                if silence_ms is not None and silence_ms >= REQUEST_SILENCE_MS:
                    _log.info(
                        "requests from Slack arrive again after a silence, missed messages are read",
                        seconds=round(silence_ms / 1000),
                    )
                    # If this process dies before it has recorded the silence, the next request finds the
                    # silence again.
                    self._queue_since(self._monotonic() - silence_ms / 1000)
                    return
                await self._heartbeat.record_request()
            await self._heartbeat.beat()

    async def end(self) -> None:
        """Queue no more backfills."""
        if self._queuing is not None:
            await cancel_and_wait(self._queuing)

    def _queue_since(self, since_seconds: float) -> None:
        """Queue a backfill of the messages since `since_seconds`, by this process's monotonic clock.

        This clock is used because Redis's clock cannot be read while Redis is away.
        """
        self._add(lambda: self._queue_once(int((self._monotonic() - since_seconds) * 1000)))

    async def _queue_once(self, absence_ms: int | None) -> bool:
        if not await self._backfill.queue_once(absence_ms):
            return False
        await self._heartbeat.record_backfill(absence_ms, REQUEST_SILENCE_MS)
        return True

    def _add(self, queue_reading: Callable[[], Awaitable[bool]]) -> None:
        """Add a backfill to the list of backfills to queue.

        No backfill is dropped, because each reads a different span of time. `queue_reading` makes one try to
        queue this backfill.
        """
        self._pending.append(queue_reading)
        if self._queuing is None or self._queuing.done():
            self._queuing = asyncio.create_task(self._queue_all(), name="gap")

    async def _queue_all(self) -> None:
        while self._pending:
            await self._repeat_until_queued(self._pending.popleft())

    async def _repeat_until_queued(self, queue_reading: Callable[[], Awaitable[bool]]) -> None:
        """Call `queue_reading` until this or another process has queued the backfill.

        Redis may be away during this time.
        """
        while True:
            try:
                if await queue_reading():
                    return
            except RedisError as error:
                # The worker logs that Redis is away.
                _log.debug("backfill not queued yet, will retry", error=str(error))
            await asyncio.sleep(BACKFILL_RETRY_SECONDS)
