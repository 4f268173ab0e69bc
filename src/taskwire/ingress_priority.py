"""Ingress priority: while a delivery is being claimed, no worker acquires a new lease.

Slack is waiting for the claim; nobody waits for the job. A worker waits for LONGEST_SECONDS at most, however
many deliveries come in.
"""

import asyncio
import contextlib
from types import TracebackType
from typing import Self

# In seconds. A worker continues after this time, so that endless deliveries cannot stop all jobs.
LONGEST_SECONDS = 0.25
# In seconds. Deliveries of the same moment arrive a few milliseconds apart.
LINGER_SECONDS = 0.005


class IngressPriority:
    """A context manager around the claim of a delivery. Workers wait while such a claim runs."""

    def __init__(self) -> None:
        self._count = 0
        self._is_free = asyncio.Event()
        self._is_free.set()
        self._ending: asyncio.TimerHandle | None = None

    def __enter__(self) -> Self:
        """Make workers wait."""
        self._count += 1
        if self._ending is not None:
            self._ending.cancel()
        self._is_free.clear()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._count -= 1
        if not self._count:
            self._ending = asyncio.get_running_loop().call_later(LINGER_SECONDS, self._is_free.set)

    async def wait(self) -> None:
        """Wait until no delivery is being claimed, for LONGEST_SECONDS at most."""
        if self._is_free.is_set():
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LONGEST_SECONDS):
                await self._is_free.wait()
