"""Single flight: callers who ask for the same answer at the same time share one call."""

import asyncio
import contextvars
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class SingleFlight(Generic[T]):
    """Makes one call at a time. All callers who come during a call share the next call."""

    def __init__(self, call: Callable[[], Awaitable[T]]) -> None:
        self._call = call
        self._running: asyncio.Task[T] | None = None
        self._upcoming: asyncio.Task[T] | None = None

    @property
    def is_idle(self) -> bool:
        """Whether no call runs and nobody waits for a call."""
        return self._running is None and self._upcoming is None

    async def get(self) -> T:
        """Return the result of a call that begins after this method was called.

        Raise the errors of that call.
        """
        if self._upcoming is None:
            self._upcoming = asyncio.create_task(
                self._run_after(self._running), context=contextvars.Context()
            )
            self._upcoming.add_done_callback(self._forget)
        return await asyncio.shield(self._upcoming)

    async def _run_after(self, before: asyncio.Task[T] | None) -> T:
        if before is not None:
            # The call that runs now began before this caller asked, so its result is not used here.
            await asyncio.wait({before})
        self._running, self._upcoming = self._upcoming, None
        return await self._call()

    def _forget(self, done: asyncio.Task[T]) -> None:
        """Drop the finished call, so that only its callers keep its result in memory."""
        if self._running is done:
            self._running = None
        if not done.cancelled():
            # Callers who still wait get the exception. Reading it here stops asyncio's warning if nobody
            # waits.
            done.exception()
