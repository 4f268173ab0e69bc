"""Background work of the stand-in: deliveries, retries, file shares. The work ends with the stand-in."""

import asyncio
from collections.abc import Coroutine


class BackgroundTasks:
    """A set of running coroutines. `stop` raises the first error of these coroutines."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[object]] = set()
        self._failures: list[BaseException] = []

    def spawn(self, work: Coroutine[object, object, object]) -> None:
        """Run `work` in the background."""
        task = asyncio.get_running_loop().create_task(work)
        self._running.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[object]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (failure := task.exception()) is not None:
            self._failures.append(failure)

    @property
    def is_idle(self) -> bool:
        """Return whether no work is running."""
        return not self._running

    async def stop(self) -> None:
        """Cancel all running work. Raise the first error, if there was one."""
        running = list(self._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        if self._failures:
            raise self._failures[0]
