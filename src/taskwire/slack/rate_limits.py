"""Waits for capacity in Slack's rate limits before each call; more important calls go first.

The limits themselves are kept by a `Limiter`, for all processes together. This module calls nothing.
"""

import asyncio
import contextlib
import secrets
from collections.abc import Awaitable, Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Protocol, TypeVar

from taskwire.domain.priority import Priority
from taskwire.slack import errors
from taskwire.telemetry import logger

# How long a method rests if Slack limits it without saying for how long.
REST_SECONDS = 10.0
# A 429 that is not in Slack's own words tells nothing of the method.
EVERYTHING = "*"
# For how long a call waits for its place where nobody could make it later: Slack takes an answer by a
# response URL for half an hour, and the answer itself still has to be made.
PATIENCE_SECONDS = 25 * 60.0
# Who waits looks at least so often whether those ahead are gone.
LONGEST_SLEEP_SECONDS = 10.0
# So often a call is made again that Slack had no room for.
MOST_REFUSALS = 10
ASKING_SECONDS = 1.0
# These need a trigger, which lives three seconds.
WITH_TRIGGER, TRIGGER_SECONDS = ("views.open",), 1.5

_log = logger("taskwire.slack.rate_limits")


class Limiter(Protocol):
    """The pace that all replicas keep together."""

    async def wait(
        self, method: str, where: str = "", priority: Priority = Priority.POST, claimant: str = ""
    ) -> float:
        """Take a place and return 0, or return after how many seconds the claimant should ask again."""
        ...

    async def rest(self, method: str, seconds: float) -> None:
        """Let nobody call this method before that; `EVERYTHING`: no method at all."""
        ...


class Unlimited:
    """For calls that are made before anybody knows whose limits count."""

    async def wait(
        self, method: str, where: str = "", priority: Priority = Priority.POST, claimant: str = ""
    ) -> float:
        """There is always room."""
        del method, where, priority, claimant
        return 0.0

    async def rest(self, method: str, seconds: float) -> None:
        """Nobody is told: who called knows how long to wait."""
        del method, seconds


@dataclass(frozen=True)
class _Patience:
    """Until when calls wait for their places, by the loop's clock, and what steps aside meanwhile."""

    until: float
    aside: "Aside"


T = TypeVar("T")
Aside = Callable[[], contextlib.AbstractAsyncContextManager[None]]
_claimant: ContextVar[str] = ContextVar("taskwire_claimant", default="")
_patience: ContextVar[_Patience | None] = ContextVar("taskwire_patience", default=None)


@contextlib.contextmanager
def claiming(name: str) -> Iterator[None]:
    """Ask for room in this name inside the block, and do not wait there: whoever bears it comes again.

    Outside of such a block nobody comes again, so a call waits for its place.
    """
    before = _claimant.set(name)
    try:
        yield
    finally:
        _claimant.reset(before)


@contextlib.contextmanager
def waiting(aside: Aside) -> Iterator[None]:
    """Wait for places inside the block, for all of them together no longer than an answer is of use.

    `aside` lets others go on while nothing is done but wait.
    """
    until = asyncio.get_running_loop().time() + PATIENCE_SECONDS
    before = _claimant.set(""), _patience.set(_Patience(until, aside))
    try:
        yield
    finally:
        _claimant.reset(before[0])
        _patience.reset(before[1])


async def until_taken(call: Callable[[], Awaitable[T]]) -> T:
    """Make a call that nobody else repeats again while Slack answers that it was too much.

    Its method rests meanwhile, and the call waits for its place as any other. Only for what may be done anew
    from its beginning.
    """
    for _ in range(MOST_REFUSALS):
        with contextlib.suppress(errors.SlackRateLimited):
            return await call()
    return await call()


async def until_capacity(call: Callable[[], Awaitable[T]]) -> T:
    """Make a call that is shared with others: where there was no place for it, wait as this caller would.

    It is made in a name of its own, so it does not wait itself. Raises NoRoom to a caller who comes again,
    and when an answer is of no use any more.
    """
    now = asyncio.get_running_loop().time
    patience = _patience.get() or _Patience(now() + PATIENCE_SECONDS, contextlib.nullcontext)
    while True:
        try:
            return await call()
        except errors.NoCapacity as error:
            seconds = error.after_seconds or 1.0
            if _claimant.get() or now() + seconds > patience.until:
                raise
        async with patience.aside():
            await asyncio.sleep(min(seconds, LONGEST_SLEEP_SECONDS))


class RateLimits:
    """Places for calls: one is taken before each; none is given while Slack wants no more."""

    def __init__(self, limiter: Limiter) -> None:
        self._limiter = limiter

    async def take(self, method: str, where: str = "", priority: Priority = Priority.POST) -> None:
        """Take a place for one call, or raise `NoRoom`, which says when there may be one."""
        claimant = _claimant.get()
        if not claimant:
            await self._wait(method, where, priority)
        elif (seconds := await self._limiter.wait(method, where, priority, claimant)) > 0:
            raise errors.NoCapacity(f"{method} has to wait", seconds)

    async def _wait(self, method: str, where: str, priority: Priority) -> None:
        """Take a place for what nobody would do later; where the limiter does not answer there is room."""
        claimant = f"once:{secrets.token_hex(8)}"
        now = asyncio.get_running_loop().time
        patience = _patience.get() or _Patience(now() + PATIENCE_SECONDS, contextlib.nullcontext)
        until = now() + TRIGGER_SECONDS if method in WITH_TRIGGER else patience.until
        while True:
            try:
                async with asyncio.timeout(ASKING_SECONDS):
                    seconds = await self._limiter.wait(method, where, priority, claimant)
            except Exception as error:  # noqa: BLE001 - what Slack allows it can say itself, for as long as that
                # Mostly the store is away, which is said once where work is taken from it.
                _log.debug("rate limiter unreachable, call goes ahead", method=method, error=str(error))
                return
            if seconds == 0:
                return
            if now() + seconds > until:
                raise errors.NoCapacity(f"{method} has to wait", seconds)
            async with patience.aside():
                await asyncio.sleep(min(seconds, LONGEST_SLEEP_SECONDS))

    async def closed(self, method: str, seconds: float | None) -> None:
        """Slack said that it was too much: nobody calls this method for as long as it said."""
        # What Slack said counts, also where the others cannot be told.
        with contextlib.suppress(Exception):
            await self._limiter.rest(method, REST_SECONDS if seconds is None else seconds)
