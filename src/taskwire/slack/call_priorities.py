"""The priorities of calls to Slack, and the wait for a place in Slack's rate limits before each call.

The numbers are in `queue/rate_limiter.py`: a `Limiter` keeps them for all processes together. This
module makes no calls to Slack.
"""

import asyncio
import contextlib
import secrets
from collections.abc import Awaitable, Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol, TypeVar

from taskwire.slack import errors
from taskwire.telemetry import logger


class Priority(IntEnum):
    """The purpose of a call to Slack. A lower number goes first."""

    # A message that mentions somebody or asks a question.
    CALL = 0
    # Any other message, and the reads and look-ups that it needs.
    POST = 1
    RECEIPT = 2
    # The drawing that gives a new card its task and its buttons.
    FIRST_CARD = 3
    # A card whose task has ended shows this for long. Other cards soon change again.
    FINAL_CARD = 4
    CARD = 5
    # Backfill of threads.
    CATCHING_UP = 6


# How long a method rests if Slack rate-limits it without a Retry-After.
REST_SECONDS = 10.0
# Stands for all methods. A 429 without Slack's own error code does not show which method it concerns.
ALL_METHODS = "*"
# How long a call that nobody would repeat waits for its place. Slack accepts an answer by response URL for
# half an hour; five minutes are left for making the answer itself.
PATIENCE_SECONDS = 25 * 60.0
# A waiting call asks for a place at least this often, because the calls ahead of it may be gone.
LONGEST_SLEEP_SECONDS = 10.0
# How many refusals by Slack are followed by another try.
MOST_REFUSALS = 10
ASKING_SECONDS = 1.0
# These methods need a trigger, which expires after three seconds.
WITH_TRIGGER, TRIGGER_SECONDS = ("views.open",), 1.5

_log = logger("taskwire.slack.call_priorities")


class Limiter(Protocol):
    """The rate limiter that all replicas share."""

    async def take_place(
        self, method: str, where: str = "", priority: Priority = Priority.POST, claimant: str = ""
    ) -> float:
        """Take a place and return 0, or return after how many seconds the claimant should ask again."""
        ...

    async def block(self, method: str, seconds: float) -> None:
        """Block all calls of this method for that time. `ALL_METHODS` blocks all methods."""
        ...


class Unlimited:
    """A limiter without limits, for calls before the workspace is known."""

    async def take_place(
        self, method: str, where: str = "", priority: Priority = Priority.POST, claimant: str = ""
    ) -> float:
        """Return 0: a place is always free."""
        del method, where, priority, claimant
        return 0.0

    async def block(self, method: str, seconds: float) -> None:
        """Do nothing. The caller gets Slack's waiting time with the error."""
        del method, seconds


@dataclass(frozen=True)
class _Patience:
    """How long calls may wait for their places, by the event loop's clock, and what to do while they wait."""

    until: float
    aside: "Aside"


T = TypeVar("T")
Aside = Callable[[], contextlib.AbstractAsyncContextManager[None]]
_claimant: ContextVar[str] = ContextVar("taskwire_claimant", default="")
_patience: ContextVar[_Patience | None] = ContextVar("taskwire_patience", default=None)


@contextlib.contextmanager
def claiming(name: str) -> Iterator[None]:
    """Inside the block, take places under this name and raise `NoCapacity` instead of waiting.

    Something must try again under the same name: the queue does so for a job, and `until_capacity` for a
    shared call. Outside such a block nobody tries again, so a call waits for its place.
    """
    before = _claimant.set(name)
    try:
        yield
    finally:
        _claimant.reset(before)


@contextlib.contextmanager
def waiting(aside: Aside) -> Iterator[None]:
    """Inside the block, calls wait for their places, all together for at most PATIENCE_SECONDS.

    `aside` is entered during each wait, so that others can go on.
    """
    until = asyncio.get_running_loop().time() + PATIENCE_SECONDS
    before = _claimant.set(""), _patience.set(_Patience(until, aside))
    try:
        yield
    finally:
        _claimant.reset(before[0])
        _patience.reset(before[1])


async def until_taken(call: Callable[[], Awaitable[T]]) -> T:
    """Make a call and repeat it while Slack rate-limits it. Use this only for calls that nobody else repeats.

    Meanwhile the method rests, and the repeated call waits for a place like any other. The call must be safe
    to repeat from its beginning.
    """
    for _ in range(MOST_REFUSALS):
        with contextlib.suppress(errors.SlackRateLimited):
            return await call()
    return await call()


async def until_capacity(call: Callable[[], Awaitable[T]]) -> T:
    """Make a call whose answer several callers share, and wait for its place.

    The call itself runs under a name of its own and raises `NoCapacity` instead of waiting. A caller inside
    `claiming` gets that error, because the queue tries its job again. Any other caller waits here, as long as
    the answer is useful.
    """
    now = asyncio.get_running_loop().time
    patience = _patience.get() or _Patience(now() + PATIENCE_SECONDS, contextlib.nullcontext)
    while True:
        try:
            return await call()
        except errors.NoCapacity as error:
            seconds = error.retry_after_seconds or 1.0
            if _claimant.get() or now() + seconds > patience.until:
                raise
        async with patience.aside():
            await asyncio.sleep(min(seconds, LONGEST_SLEEP_SECONDS))


class RateLimits:
    """Takes places in the rate limits for calls. A method that rests has no places."""

    def __init__(self, limiter: Limiter) -> None:
        self._limiter = limiter

    async def take(self, method: str, where: str = "", priority: Priority = Priority.POST) -> None:
        """Take a place for one call, or raise `NoCapacity`, which says when to ask again."""
        claimant = _claimant.get()
        if not claimant:
            await self._wait(method, where, priority)
        elif (seconds := await self._limiter.take_place(method, where, priority, claimant)) > 0:
            raise errors.NoCapacity(f"{method} has to wait", seconds)

    async def _wait(self, method: str, where: str, priority: Priority) -> None:
        """Wait for a place for a call that nobody would repeat. If the limiter fails, go ahead."""
        claimant = f"once:{secrets.token_hex(8)}"
        now = asyncio.get_running_loop().time
        patience = _patience.get() or _Patience(now() + PATIENCE_SECONDS, contextlib.nullcontext)
        until = now() + TRIGGER_SECONDS if method in WITH_TRIGGER else patience.until
        while True:
            try:
                async with asyncio.timeout(ASKING_SECONDS):
                    seconds = await self._limiter.take_place(method, where, priority, claimant)
            except Exception as error:  # noqa: BLE001 - without the limiter, Slack itself still limits calls
                # Usually Redis is unreachable. The worker logs that once.
                _log.debug("rate limiter unreachable, call goes ahead", method=method, error=str(error))
                return
            if seconds == 0:
                return
            if now() + seconds > until:
                raise errors.NoCapacity(f"{method} has to wait", seconds)
            async with patience.aside():
                await asyncio.sleep(min(seconds, LONGEST_SLEEP_SECONDS))

    async def closed(self, method: str, seconds: float | None) -> None:
        """Let a method rest after Slack has rate-limited it."""
        # This caller still gets Slack's error if the other processes cannot be told.
        with contextlib.suppress(Exception):
            await self._limiter.block(method, REST_SECONDS if seconds is None else seconds)
