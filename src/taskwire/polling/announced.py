"""What Coder has announced and does not show yet: looked for at short intervals until it does.

A stop takes seconds and more, and its notification comes when it begins. The task alone is asked for, so that
this costs little however many tasks there are; when it shows, the next poll comes at once.
"""

import asyncio
from collections.abc import Callable

from redis.exceptions import RedisError

from taskwire.coder.errors import NoTasks, NotFound, TokenRefused
from taskwire.coder.notifications import Announced
from taskwire.dependencies import Dependencies
from taskwire.domain.errors import OutsideError
from taskwire.domain.ids import TaskId
from taskwire.outbox.retries import wait_seconds
from taskwire.redis.decoding import CannotRead
from taskwire.telemetry import logger

LOOK_SECONDS = 1.0
# All tasks together are looked at no more often than this.
MOST_LOOKS_A_SECOND = 5
# A look that failed is followed by the next one later and later.
LONGEST_DELAY_SECONDS = 30.0
# A stop or start that takes longer shows at the next poll.
LONGEST_SECONDS = 600.0
# Whoever knows the webhook's address can make us ask Coder for no more than so many tasks at a time.
MOST_TASKS = 30

_log = logger("taskwire.polling.announced")


class AnnouncedChanges:
    """Looks after announced changes; `look` brings the next poll forward."""

    def __init__(self, deps: Dependencies, look: Callable[[], None]) -> None:
        self._deps = deps
        self._look = look
        self._following: dict[str, asyncio.Task[None]] = {}

    def expect(self, announced: Announced) -> None:
        """Look after a change until it shows; a newer one of the same task takes its place."""
        before = self._following.pop(announced.task_id, None)
        if before is not None:
            before.cancel()
        if len(self._following) < MOST_TASKS:
            following = asyncio.create_task(self._follow(announced), name="announced")
            self._following[announced.task_id] = following
            following.add_done_callback(lambda ended: self._forget(announced.task_id, ended))

    async def end(self) -> None:
        """Look no more."""
        following = list(self._following.values())
        for task in following:
            task.cancel()
        await asyncio.gather(*following, return_exceptions=True)

    def _forget(self, task_id: str, ended: asyncio.Task[None]) -> None:
        if self._following.get(task_id) is ended:
            del self._following[task_id]

    async def _follow(self, announced: Announced) -> None:
        try:
            async with asyncio.timeout(LONGEST_SECONDS):
                if await self._deps.links.find_by_task(TaskId(announced.task_id)) is None:
                    return
                if await self._is_seen(announced):
                    self._look()
        except TimeoutError:
            _log.info("announced change not seen in time", task=announced.task_id)
        except CannotRead as error:
            _log.info("task left to a newer version", task=announced.task_id, why=error.why)
        except RedisError as error:
            # The worker says so, once.
            _log.debug("announced change not looked for, will retry", error=str(error))

    async def _is_seen(self, announced: Announced) -> bool:
        """Ask until it shows, since Coder tells nobody; False where the account is in trouble.

        The poll tells of such a trouble, and nothing is to be seen before it is over.
        """
        failures = 0
        while True:
            try:
                if (await self._deps.coder.get_task(announced.task_id)).status in announced.shown_as:
                    return True
                failures = 0
            except NotFound:
                return True
            except (TokenRefused, NoTasks):
                return False
            except OutsideError as error:
                failures += 1
                await asyncio.sleep(wait_seconds(failures, LONGEST_DELAY_SECONDS, error.after_seconds))
            await asyncio.sleep(max(LOOK_SECONDS, len(self._following) / MOST_LOOKS_A_SECOND))
