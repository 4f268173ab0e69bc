"""Room: a place in Slack's limits for each call, in the order of how urgent they are.

The limits themselves are kept by whoever fulfils `Limiter`, for all replicas together. It calls nothing.
"""

import asyncio
import contextlib
import secrets
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Protocol

from taskwire.model.urgency import Urgency
from taskwire.slack import errors
from taskwire.telemetry import logger

# How long a method rests if Slack limits it without saying for how long.
REST_SECONDS = 10.0
# A 429 that is not in Slack's own words tells nothing of the method.
EVERYTHING = "*"
# For how long a call waits for its place where nobody could make it later.
PATIENCE_SECONDS = 10.0
ASKING_SECONDS = 1.0
# These need a trigger, which lives three seconds.
WITH_TRIGGER, TRIGGER_SECONDS = ("views.open",), 1.5

_log = logger("taskwire.room")


class Limiter(Protocol):
    """The pace that all replicas keep together."""

    async def wait(
        self, method: str, where: str = "", urgency: Urgency = Urgency.POST, claimant: str = ""
    ) -> float:
        """Take a place and return 0, or return after how many seconds the claimant should ask again."""
        ...

    async def rest(self, method: str, seconds: float) -> None:
        """Let nobody call this method before that; `EVERYTHING`: no method at all."""
        ...


class Unlimited:
    """For calls that are made before anybody knows whose limits count."""

    async def wait(
        self, method: str, where: str = "", urgency: Urgency = Urgency.POST, claimant: str = ""
    ) -> float:
        """There is always room."""
        del method, where, urgency, claimant
        return 0.0

    async def rest(self, method: str, seconds: float) -> None:
        """Nobody is told: who called knows how long to wait."""
        del method, seconds


_claimant: ContextVar[str] = ContextVar("taskwire_claimant", default="")


@contextlib.contextmanager
def claiming(name: str) -> Iterator[None]:
    """Ask for room in this name inside the block, and do not wait there: whoever bears it comes again.

    Outside of such a block nobody comes again, so a call waits for its place, though not for long.
    """
    before = _claimant.set(name)
    try:
        yield
    finally:
        _claimant.reset(before)


class Room:
    """Places for calls: one is taken before each; none is given while Slack wants no more."""

    def __init__(self, limiter: Limiter) -> None:
        self._limiter = limiter

    async def take(self, method: str, where: str = "", urgency: Urgency = Urgency.POST) -> None:
        """Take a place for one call, or raise `NoRoom`, which says when there may be one."""
        claimant = _claimant.get()
        if not claimant:
            await self._wait(method, where, urgency)
        elif (seconds := await self._limiter.wait(method, where, urgency, claimant)) > 0:
            raise errors.NoRoom(f"{method} has to wait", seconds)

    async def _wait(self, method: str, where: str, urgency: Urgency) -> None:
        """Take a place for what nobody would do later; where the limiter does not answer there is room."""
        claimant = f"once:{secrets.token_hex(8)}"
        patience = TRIGGER_SECONDS if method in WITH_TRIGGER else PATIENCE_SECONDS
        while True:
            try:
                async with asyncio.timeout(ASKING_SECONDS):
                    seconds = await self._limiter.wait(method, where, urgency, claimant)
            except Exception as error:  # noqa: BLE001 - what Slack allows it can say itself, for as long as that
                _log.warning("nobody says whether there is room", method=method, error=str(error))
                return
            if seconds == 0:
                return
            patience -= seconds
            if patience < 0:
                raise errors.NoRoom(f"{method} has to wait", seconds)
            await asyncio.sleep(seconds)

    async def closed(self, method: str, seconds: float | None) -> None:
        """Slack said that it was too much: nobody calls this method for as long as it said."""
        # What Slack said counts, also where the others cannot be told.
        with contextlib.suppress(Exception):
            await self._limiter.rest(method, REST_SECONDS if seconds is None else seconds)
