"""One answer for many who ask at once, where an answer is long and all get the same.

Coder's list of ten thousand tasks takes 50 MB and a tenth of a second: thirty people who ask at the same time
must not have thirty of them. Nobody gets an answer to a question that was put before their own. The call is
nobody's in particular: neither the first caller's deadline nor their place in a queue is that of the others.
"""

import asyncio
import contextvars
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class SingleFlight(Generic[T]):
    """A call that goes on once at a time; who comes meanwhile shares the next one."""

    def __init__(self, call: Callable[[], Awaitable[T]]) -> None:
        self._call = call
        self._now: asyncio.Task[T] | None = None
        self._next: asyncio.Task[T] | None = None

    @property
    def is_idle(self) -> bool:
        """Whether nobody waits for an answer."""
        return self._now is None and self._next is None

    async def get(self) -> T:
        """Return the answer of a call that begins from now on; raises what the call raises."""
        if self._next is None:
            self._next = asyncio.create_task(self._after(self._now), context=contextvars.Context())
            self._next.add_done_callback(self._forget)
        return await asyncio.shield(self._next)

    async def _after(self, before: asyncio.Task[T] | None) -> T:
        if before is not None:
            # Whatever became of it was for those who asked then.
            await asyncio.wait({before})
        self._now, self._next = self._next, None
        return await self._call()

    def _forget(self, done: asyncio.Task[T]) -> None:
        """Keep no answer for longer than somebody holds it."""
        if self._now is done:
            self._now = None
        if not done.cancelled():
            # Whoever is still there hears of a failure; where nobody is, it is nobody's.
            done.exception()
