"""Single flight: many callers share the answer of one call. The answer is never older than a caller's
question."""

import asyncio
import contextlib
from contextvars import ContextVar

import pytest

from taskwire.single_flight import SingleFlight
from taskwire.slack.call_priorities import (
    NoLimiter,
    Priority,
    RateLimits,
    as_claimant,
    retry_until_capacity,
    wait_for_capacity,
)
from taskwire.slack.errors import NoCapacity


async def test_a_caller_during_a_call_gets_the_next_answer() -> None:
    """A caller that comes during a call gets the answer of the next call. The running call may have started
    before an event that this caller knows of."""
    calls = Calls()
    first = asyncio.create_task(calls.shared.get())
    await calls.begun.acquire()

    others = [asyncio.create_task(calls.shared.get()) for _ in range(5)]
    calls.may_end.set()

    assert await first == 1
    assert await asyncio.gather(*others) == [2] * 5


async def test_a_cancelled_caller_does_not_cancel_the_call() -> None:
    """One caller is cancelled. The other callers still get their answer."""
    calls = Calls()
    first, other = (asyncio.create_task(calls.shared.get()) for _ in range(2))
    await calls.begun.acquire()

    first.cancel()
    calls.may_end.set()

    assert await other == 1


async def test_a_failure_is_raised_only_for_the_callers_of_that_call() -> None:
    """If a shared call fails, its callers get the error. A caller that comes later starts a new call."""
    calls = Calls()
    calls.error = OSError("away")
    calls.may_end.set()
    with pytest.raises(OSError, match="away"):
        await calls.shared.get()

    calls.error = None

    assert await calls.shared.get() == 2


async def test_the_shared_call_waits_in_the_rate_limiter_itself() -> None:
    """Two callers share a call that gets no place in the rate limit. A caller that must not wait gets
    NoCapacity. The other caller waits, and then gets the answer."""
    room = RateLimits(FirstCallWaits())

    async def ask() -> str:
        with as_claimant("shared"):
            await room.take("users.info")
        return "alice"

    shared = SingleFlight(ask)

    async def in_a_turn() -> str:
        with as_claimant("a turn"):
            return await retry_until_capacity(shared.get)

    async def behind() -> str:
        with wait_for_capacity(contextlib.nullcontext):
            return await retry_until_capacity(shared.get)

    turn, other = await asyncio.gather(in_a_turn(), behind(), return_exceptions=True)

    assert isinstance(turn, NoCapacity)
    assert other == "alice"


async def test_the_first_callers_deadline_is_only_its_own() -> None:
    """A shared call does not have the deadline of its first caller, which may pass long before the other
    callers get their answer."""
    marked: ContextVar[str] = ContextVar("marked", default="nobody's")

    async def whose() -> str:
        return marked.get()

    marked.set("the first caller's")

    assert await SingleFlight(whose).get() == "nobody's"


class FirstCallWaits(NoLimiter):
    """A rate limiter that has no capacity for the first call. It has capacity for each later call."""

    def __init__(self) -> None:
        self._is_full = True

    async def take_place(
        self, method: str, where: str = "", priority: Priority = Priority.POST, claimant: str = ""
    ) -> float:
        """Return a wait for the first call and none for later calls. Check that the first call has the shared
        call's own name."""
        del method, where, priority
        assert claimant == "shared"
        was_full, self._is_full = self._is_full, False
        return 0.01 if was_full else 0.0


class Calls:
    """Makes calls that end when the test wants. Each call returns the number of calls so far."""

    def __init__(self) -> None:
        self.begun = asyncio.Semaphore(0)
        self.may_end = asyncio.Event()
        self.error: OSError | None = None
        self.shared = SingleFlight(self._call)
        self._count = 0

    async def _call(self) -> int:
        self._count += 1
        count = self._count
        self.begun.release()
        await self.may_end.wait()
        if self.error is not None:
            raise self.error
        return count
