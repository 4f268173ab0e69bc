"""An asyncio task that is told to stop does stop, even if code in it swallows a cancellation."""

import asyncio

from taskwire.cancelling import cancel_and_wait


async def test_a_task_that_swallows_a_cancellation_is_ended() -> None:
    """An asyncio task swallows two cancellations. `cancel_and_wait` cancels it again, and the task ends.

    This really happens: `wait_for` swallows a cancellation if its call, for example to Redis, ends at the
    same moment.
    """
    began, forgotten = asyncio.Event(), 0

    async def goes_on() -> None:
        nonlocal forgotten
        while True:
            began.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                if forgotten == 2:
                    raise
                forgotten += 1

    task = asyncio.create_task(goes_on())
    await began.wait()
    await cancel_and_wait(task)

    assert task.cancelled()
    assert forgotten == 2


async def test_ending_a_task_does_not_raise_its_error() -> None:
    """An asyncio task has failed with an error. `cancel_and_wait` does not raise this error, because it was
    logged before or nobody needs it."""

    async def breaks() -> None:
        raise ValueError

    task = asyncio.create_task(breaks())
    await asyncio.wait({task})
    await cancel_and_wait(task)

    assert isinstance(task.exception(), ValueError)
