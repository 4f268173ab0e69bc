"""The priorities of calls to Slack, and the wait for a place in Slack's rate limits before each call.

A place is the right to make one call now. `queue/rate_limiter.py` counts the places for all processes. This
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

from taskwire.domain.errors import NoPlace
from taskwire.slack import errors
from taskwire.telemetry import logger


class Priority(IntEnum):
    """The purpose of a call to Slack. A lower number goes first."""

    # A message that mentions a person or asks a question, and the edit that shows that a press was received.
    MENTION = 0
    # Any other message, and the reads and look-ups for that message.
    POST = 1
    # A receipt that says what became of a reply.
    RECEIPT = 2
    # The edit that gives a new card its task and its buttons.
    FIRST_CARD = 3
    # The last edit of a card whose task has ended. It goes before `CARD`, because other cards soon change
    # again and get another edit.
    FINAL_CARD = 4
    CARD = 5
    # The edit of a card whose owner's other cards have had many edits in this minute.
    LATER_CARD = 6
    BACKFILL = 7
    # An edit of the message that follows an agent. The next edit soon replaces it.
    LIVE = 8
    # A receipt that only says that a reply waits. The next state of the reply soon replaces it.
    WAITING_RECEIPT = 9
    # A search for the link of an unknown thread. Anybody may cause it, by a message below any of the bot's.
    SEARCH = 10


# How long a method is blocked if Slack rate-limits it without a Retry-After.
DEFAULT_BLOCK_SECONDS = 10.0
# This name stands for all methods. A 429 without Slack's own error code does not show which method is
# limited.
ALL_METHODS = "*"
# The longest wait for a place if no caller would repeat the call, in seconds. Slack accepts an answer by
# response URL for half an hour; five minutes are left for making the answer.
LONGEST_CAPACITY_WAIT_SECONDS = 25 * 60.0
# A waiting call asks for a place at least this often, because earlier calls may have stopped waiting.
LONGEST_SLEEP_SECONDS = 10.0
# How many times `retry_while_rate_limited` tries again.
MOST_RATE_LIMIT_RETRIES = 10
LIMITER_TIMEOUT_SECONDS = 1.0
# These methods need a trigger, which expires after three seconds. So they wait only this many seconds for a
# place.
TRIGGER_METHODS, LONGEST_TRIGGER_WAIT_SECONDS = ("views.open",), 1.5

_log = logger("taskwire.slack.call_priorities")


class Limiter(Protocol):
    """The rate limiter that all processes share."""

    async def take_place(
        self, method: str, where: str = "", priority: Priority = Priority.POST, claimant: str = ""
    ) -> float:
        """Take a place and return 0. If no place is free, return the seconds after which to ask again.

        `where` is a channel or a message that has a limit of its own. `claimant` names the waiting call, so
        that the call keeps its position when it asks again.
        """
        ...

    async def block(self, method: str, seconds: float) -> None:
        """Block all calls of this method for `seconds`. `ALL_METHODS` blocks all methods."""
        ...


class NoLimiter:
    """A limiter without limits, for calls before the workspace is known."""

    async def take_place(
        self, method: str, where: str = "", priority: Priority = Priority.POST, claimant: str = ""
    ) -> float:
        """Return 0: a place is always free."""
        del method, where, priority, claimant
        return 0.0

    async def block(self, method: str, seconds: float) -> None:
        """Do nothing."""
        del method, seconds


@dataclass(frozen=True)
class _WaitLimit:
    """How calls wait for a place: until when, and in which block.

    `until` is a time of the event loop's clock. Each wait is inside a block of `while_waiting()`.
    """

    until: float
    while_waiting: "WaitContext"


T = TypeVar("T")
WaitContext = Callable[[], contextlib.AbstractAsyncContextManager[None]]
_claimant: ContextVar[str] = ContextVar("taskwire_claimant", default="")
_least_priority: ContextVar[Priority] = ContextVar("taskwire_least_priority", default=Priority.MENTION)
_wait_limit: ContextVar[_WaitLimit | None] = ContextVar("taskwire_patience", default=None)


@contextlib.contextmanager
def as_claimant(name: str) -> Iterator[None]:
    """Inside the block, a call that finds no free place raises `NoCapacity` instead of waiting.

    Then the caller must make the call again with the same `name`, or the call loses its position among the
    waiting calls. The queue runs a job again in this way. `retry_until_capacity` repeats a call whose answer
    is shared. Outside of such a block, a call waits for its place.
    """
    before = _claimant.set(name)
    try:
        yield
    finally:
        _claimant.reset(before)


@contextlib.contextmanager
def with_least_priority(priority: Priority) -> Iterator[None]:
    """Inside the block, each call has this priority, or its own if that is lower."""
    before = _least_priority.set(priority)
    try:
        yield
    finally:
        _least_priority.reset(before)


def get_least_priority() -> Priority:
    """Return the priority of the innermost block of `with_least_priority`."""
    return _least_priority.get()


@contextlib.contextmanager
def wait_for_capacity(while_waiting: WaitContext) -> Iterator[None]:
    """Inside the block, calls wait for their places, for LONGEST_CAPACITY_WAIT_SECONDS in all.

    Each of these waits is inside a block of `while_waiting()`. During the wait, this block may give the
    caller's slot to another task.
    """
    until = asyncio.get_running_loop().time() + LONGEST_CAPACITY_WAIT_SECONDS
    before = _claimant.set(""), _wait_limit.set(_WaitLimit(until, while_waiting))
    try:
        yield
    finally:
        _claimant.reset(before[0])
        _wait_limit.reset(before[1])


async def retry_while_rate_limited(call: Callable[[], Awaitable[T]]) -> T:
    """Make a call. Repeat the call while Slack answers that its rate limit is exceeded.

    Raise `SlackRateLimited` after MOST_RATE_LIMIT_RETRIES repetitions. Each repetition waits until Slack
    allows the method again. `call` must be safe to repeat. Use this only in code that no caller repeats.
    """
    for _ in range(MOST_RATE_LIMIT_RETRIES):
        with contextlib.suppress(errors.SlackRateLimited):
            return await call()
    return await call()


async def retry_until_capacity(call: Callable[[], Awaitable[T]]) -> T:
    """Make a call. Repeat the call while it raises `NoPlace`: its answer may be shared by several callers, or
    one of our own limits has no place for it.

    A job runs inside `as_claimant`. There, raise `NoPlace` at once, because the queue repeats the job. For
    other callers, wait between the calls. Raise `NoPlace` only after the longest wait that
    `wait_for_capacity` allows.
    """
    now = asyncio.get_running_loop().time
    wait_limit = _wait_limit.get() or _WaitLimit(
        now() + LONGEST_CAPACITY_WAIT_SECONDS, contextlib.nullcontext
    )
    while True:
        try:
            return await call()
        except NoPlace as error:
            seconds = error.retry_after_seconds or 1.0
            if _claimant.get() or now() + seconds > wait_limit.until:
                raise
        async with wait_limit.while_waiting():
            await asyncio.sleep(min(seconds, LONGEST_SLEEP_SECONDS))


class RateLimits:
    """Takes a place for each call in the rate limits that all processes share."""

    def __init__(self, limiter: Limiter) -> None:
        self._limiter = limiter

    async def take(self, method: str, where: str = "", priority: Priority = Priority.POST) -> None:
        """Take a place for one call. Inside `as_claimant`, raise `NoCapacity` instead of waiting."""
        claimant, priority = _claimant.get(), max(priority, _least_priority.get())
        if not claimant:
            await self._wait(method, where, priority)
        elif (seconds := await self._limiter.take_place(method, where, priority, claimant)) > 0:
            raise errors.NoCapacity(f"{method} has to wait", seconds)

    async def _wait(self, method: str, where: str, priority: Priority) -> None:
        """Wait for a place. Raise `NoCapacity` if that takes too long.

        Return without a place if the rate limiter cannot be reached.
        """
        claimant = f"once:{secrets.token_hex(8)}"
        now = asyncio.get_running_loop().time
        wait_limit = _wait_limit.get() or _WaitLimit(
            now() + LONGEST_CAPACITY_WAIT_SECONDS, contextlib.nullcontext
        )
        until = now() + LONGEST_TRIGGER_WAIT_SECONDS if method in TRIGGER_METHODS else wait_limit.until
        while True:
            try:
                async with asyncio.timeout(LIMITER_TIMEOUT_SECONDS):
                    seconds = await self._limiter.take_place(method, where, priority, claimant)
            except Exception as error:  # noqa: BLE001 - without the limiter, Slack itself still limits calls
                # Usually Redis is unreachable. The worker logs that once.
                _log.debug("rate limiter unreachable, call goes ahead", method=method, error=str(error))
                return
            if seconds == 0:
                return
            if now() + seconds > until:
                raise errors.NoCapacity(f"{method} has to wait", seconds)
            async with wait_limit.while_waiting():
                await asyncio.sleep(min(seconds, LONGEST_SLEEP_SECONDS))

    async def record_rate_limited(self, method: str, seconds: float | None) -> None:
        """Block a method for all processes, because Slack has rate-limited the method. Raises nothing."""
        # If Redis cannot store the block for the other processes, this caller still gets Slack's error.
        with contextlib.suppress(Exception):
            await self._limiter.block(method, DEFAULT_BLOCK_SECONDS if seconds is None else seconds)
