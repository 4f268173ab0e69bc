"""Single flight: callers who want the same answer at once share one call.

It is for long answers that are the same for all. Coder's list of ten thousand tasks takes 50 MB and a tenth
of a second, so thirty people must not cause thirty lists at a time. Nobody gets the answer of a call that
began before they asked. The call runs in a context of its own, without the first caller's deadline and claim
on a rate limit.
"""

import asyncio
import contextvars
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class SingleFlight(Generic[T]):
    """A call that runs once at a time. Callers who come meanwhile share the next run."""

    def __init__(self, call: Callable[[], Awaitable[T]]) -> None:
        self._call = call
        self._now: asyncio.Task[T] | None = None
        self._next: asyncio.Task[T] | None = None

    @property
    def is_idle(self) -> bool:
        """Whether no call runs and nobody waits for one."""
        return self._now is None and self._next is None

    async def get(self) -> T:
        """Return the answer of a call that begins from now on. Raise what the call raises."""
        if self._next is None:
            self._next = asyncio.create_task(self._after(self._now), context=contextvars.Context())
            self._next.add_done_callback(self._forget)
        return await asyncio.shield(self._next)

    async def _after(self, before: asyncio.Task[T] | None) -> T:
        if before is not None:
            # The result of the earlier call is only for its own callers.
            await asyncio.wait({before})
        self._now, self._next = self._next, None
        return await self._call()

    def _forget(self, done: asyncio.Task[T]) -> None:
        """Drop the answer, so that only its callers keep it in memory."""
        if self._now is done:
            self._now = None
        if not done.cancelled():
            # Callers who still wait get the exception. Reading it here stops asyncio's warning if nobody
            # waits.
            done.exception()
