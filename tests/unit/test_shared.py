"""One answer for many: never an older one than was asked for, and never more calls than need be."""

import asyncio

import pytest

from taskwire.bridge.shared import Shared


async def test_who_asks_while_a_call_goes_on_gets_the_next_answer() -> None:
    """The one that goes on may have left out what they know of."""
    calls = Calls()
    first = asyncio.create_task(calls.shared.get())
    await calls.begun.acquire()

    others = [asyncio.create_task(calls.shared.get()) for _ in range(5)]
    calls.may_end.set()

    assert await first == 1
    assert await asyncio.gather(*others) == [2] * 5


async def test_who_goes_away_takes_the_answer_from_nobody() -> None:
    """A person's question is cancelled, another's is not."""
    calls = Calls()
    first, other = (asyncio.create_task(calls.shared.get()) for _ in range(2))
    await calls.begun.acquire()

    first.cancel()
    calls.may_end.set()

    assert await other == 1


async def test_a_failure_is_told_to_those_who_shared_it_alone() -> None:
    """The next call is a new one."""
    calls = Calls()
    calls.error = OSError("away")
    calls.may_end.set()
    with pytest.raises(OSError, match="away"):
        await calls.shared.get()

    calls.error = None

    assert await calls.shared.get() == 2


class Calls:
    """A call that takes as long as it is told to, and answers how many there were."""

    def __init__(self) -> None:
        self.begun = asyncio.Semaphore(0)
        self.may_end = asyncio.Event()
        self.error: OSError | None = None
        self.shared = Shared(self._call)
        self._count = 0

    async def _call(self) -> int:
        self._count += 1
        count = self._count
        self.begun.release()
        await self.may_end.wait()
        if self.error is not None:
            raise self.error
        return count
