"""Absences: for how long nobody listened to Slack, and that what was missed meanwhile is read.

What was said while no process ran, or none had a store, is read at once. Where there is a socket, a process
knows besides whether it hears Slack. Over HTTP only what Slack brings shows that it can reach us: a silence
may be a quiet hour, or a proxy that leads nowhere. So what may have been said in a long one is looked for
when Slack comes again; what was read at a start is no part of it any more. How it is read is
`recovery/backfill`'s.
"""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Awaitable, Callable

from redis.exceptions import RedisError

from taskwire.cancelling import ended
from taskwire.recovery.backfill import Backfill
from taskwire.state.heartbeat import Heartbeat
from taskwire.telemetry import Metrics, logger

# Slack brings an event again for about six minutes; a shorter absence loses nothing.
GAP_SECONDS = 60.0
# Where little is said, each first request after so long has the channels looked through. A shorter one has
# lost nothing, for the same reason.
SILENCE_MS = 300_000
RETRY_SECONDS = 5.0

_log = logger("taskwire.recovery.downtime")


class Downtime:
    """What this process knows of when Slack was heard; without a socket it has to be told of each request.

    `seconds` is a clock that only goes forward: while Redis is away, its own cannot be asked.
    """

    def __init__(
        self,
        backfill: Backfill,
        heartbeat: Heartbeat,
        metrics: Metrics,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self._gaps = backfill
        self._heartbeat = heartbeat
        self._metrics = metrics
        self._seconds = seconds
        self._was_reached = False
        # What is not written down yet, one after the other: each says whether it is.
        self._left: deque[Callable[[], Awaitable[bool]]] = deque()
        self._noting: asyncio.Task[None] | None = None

    @property
    def has_noted(self) -> bool:
        """Whether it is known, since the last start or gap, what is to be read, and written down."""
        return self._noting is not None and self._noting.done()

    def reached(self) -> None:
        """Slack has just come here by HTTP."""
        self._was_reached = True

    def look(self, lasted_ms: int | None = None) -> None:
        """Read what was missed in so long, or since any process listened last, if that is long enough ago."""
        if lasted_ms is not None:
            self._read_since(self._seconds() - lasted_ms / 1000)
            return

        async def noted() -> bool:
            absence_ms = await self._heartbeat.absence_ms()
            is_short = absence_ms is not None and absence_ms < GAP_SECONDS * 1000
            return is_short or await self._is_noted(absence_ms)

        self._begin(noted)

    def look_since(self, moment_ms: int) -> None:
        """Read what was said since a moment of Redis's clock."""

        async def noted() -> bool:
            ago_ms = await self._heartbeat.ago_ms(moment_ms)
            await self._gaps.note(ago_ms)
            await self._heartbeat.covered(ago_ms, SILENCE_MS)
            self._metrics.backfills.inc()
            return True

        self._begin(noted)

    async def beat(self) -> None:
        """Say that this process listens: another that begins to listen meanwhile has missed nothing.

        Where Slack has come again after a long silence, what may have been said in it is read first.
        """
        with contextlib.suppress(RedisError):
            if self._was_reached:
                silence_ms = await self._heartbeat.silence_ms()
                self._was_reached = False
                if silence_ms is not None and silence_ms >= SILENCE_MS:
                    _log.info("Slack's requests are back after a silence", seconds=round(silence_ms / 1000))
                    # A process that dies before that is noted leaves the silence to the next request.
                    self._read_since(self._seconds() - silence_ms / 1000)
                    return
                await self._heartbeat.reached()
            await self._heartbeat.beat()

    async def end(self) -> None:
        """Write nothing more down."""
        if self._noting is not None:
            await ended(self._noting)

    def _read_since(self, moment: float) -> None:
        """Read what was said since a moment of our own clock, which stays where it is while Redis is away."""
        self._begin(lambda: self._is_noted(int((self._seconds() - moment) * 1000)))

    async def _is_noted(self, absence_ms: int | None) -> bool:
        if not await self._gaps.note_once(absence_ms):
            return False
        await self._heartbeat.covered(absence_ms, SILENCE_MS)
        return True

    def _begin(self, noted: Callable[[], Awaitable[bool]]) -> None:
        """Have this written down too; what is being written down may be about less."""
        self._left.append(noted)
        if self._noting is None or self._noting.done():
            self._noting = asyncio.create_task(self._note_all(), name="gap")

    async def _note_all(self) -> None:
        while self._left:
            await self._until(self._left.popleft())

    async def _until(self, noted: Callable[[], Awaitable[bool]]) -> None:
        """Have written down what is to be read, however long Redis takes, or another replica that does it."""
        while True:
            try:
                if await noted():
                    return
            except RedisError as error:
                # The worker says so.
                _log.debug("backfill not noted yet, will retry", error=str(error))
            await asyncio.sleep(RETRY_SECONDS)
