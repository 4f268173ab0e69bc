"""Who goes first: while something that came in is being written down, nobody begins to carry anything out.

Slack waits for the one and nobody for the other. It only delays, and not for long: whoever has waited for so
long goes ahead however much comes in.
"""

import asyncio
import contextlib
from types import TracebackType
from typing import Self

LONGEST_SECONDS = 0.25
# What people do at the same time comes a few milliseconds apart.
LINGER_SECONDS = 0.005


class IngressPriority:
    """Held by who takes something in; others wait for it."""

    def __init__(self) -> None:
        self._count = 0
        self._is_free = asyncio.Event()
        self._is_free.set()
        self._ending: asyncio.TimerHandle | None = None

    def __enter__(self) -> Self:
        """Go first."""
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
        """Let those go first who take something in."""
        if self._is_free.is_set():
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LONGEST_SECONDS):
                await self._is_free.wait()
