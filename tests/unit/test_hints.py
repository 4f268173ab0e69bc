"""Hints make a call happen sooner. Many hints do not cause many calls."""

import asyncio

from taskwire.app.scheduler import HintedCall


async def test_hints_within_a_moment_are_one_call() -> None:
    """Coder sends many notifications at the same moment. All of them cause one call."""
    calls = Calls()
    calls.may_end.set()

    for _ in range(20):
        calls.hint.request()

    assert await calls.made() == 1


async def test_hints_while_a_call_goes_on_are_one_more() -> None:
    """Hints come while a call runs. One more call follows, because the running call may miss what the hints
    are about."""
    calls = Calls()
    calls.hint.request()
    await calls.begun.acquire()

    for _ in range(20):
        calls.hint.request()
    calls.may_end.set()

    assert await calls.made() == 2


async def test_after_its_end_no_call_is_made() -> None:
    """After `end`, a hint causes no call, because the process is ending."""
    calls = Calls()
    calls.hint.request()

    await calls.hint.end()

    assert await calls.made() == 0


class Calls:
    """Counts calls, each of which ends when the test wants."""

    def __init__(self) -> None:
        self.begun = asyncio.Semaphore(0)
        self.may_end = asyncio.Event()
        self.hint = HintedCall("look", self._call)
        self._count = 0

    async def made(self) -> int:
        """Wait for the last call that the hints cause. Return the number of calls."""
        coming = [task for task in asyncio.all_tasks() if task.get_name() == "hint look"]
        await asyncio.gather(*coming, return_exceptions=True)
        return self._count

    async def _call(self) -> None:
        self._count += 1
        self.begun.release()
        await self.may_end.wait()
