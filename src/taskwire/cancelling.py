"""Ends a task that otherwise runs until it is told to stop.

Every call to Redis uses `asyncio.wait_for`. In Python 3.11, `wait_for` ignores a cancellation that comes at
the same moment as the call's result (https://bugs.python.org/issue37658). So one cancellation is not enough
to end a loop.
"""

import asyncio

REPEAT_SECONDS = 0.2


async def cancel_and_wait(task: "asyncio.Task[object]") -> None:
    """Cancel a task again and again until it has ended. Its result and its exception are ignored."""
    while not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=REPEAT_SECONDS)
    await asyncio.gather(task, return_exceptions=True)
