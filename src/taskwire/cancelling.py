"""Cancelling: end a task that goes on until it is told to stop.

Python 3.11's `asyncio.wait_for`, which stands under every call to Redis, forgets a cancellation that comes
in the same moment as its result (https://bugs.python.org/issue37658). Once is not enough for a loop.
"""

import asyncio

AGAIN_SECONDS = 0.2


async def ended(task: "asyncio.Task[object]") -> None:
    """Cancel a task as often as it takes, and wait until it has ended; what it raised is not raised here."""
    while not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=AGAIN_SECONDS)
    await asyncio.gather(task, return_exceptions=True)
