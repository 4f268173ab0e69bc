"""Follows changes that Coder has announced, until Coder shows them.

Coder announces a stop when the stop begins, and the stop takes seconds or longer. Only the announced task is
requested, so the cost does not grow with the number of tasks. When Coder shows the change, the next poll
starts early.

A sender who knows the webhook's address can announce anything, without end. So a newer change of a task does
not start anew, and all requests together keep a distance: see MAX_REQUESTS_A_SECOND.
"""

import asyncio
from collections.abc import Callable

from redis.exceptions import RedisError

from taskwire.coder.client import CoderClient
from taskwire.coder.errors import NotFound
from taskwire.coder.notifications import AnnouncedChange
from taskwire.dependencies import Dependencies
from taskwire.domain.errors import AccountRefused, OutsideError
from taskwire.domain.ids import TaskId
from taskwire.domain.queueing.retry_policies import ANNOUNCED_CHANGE
from taskwire.polling.personal_poller import AnyPoller
from taskwire.redis.decoding import CannotRead
from taskwire.telemetry import logger

SECONDS_BETWEEN_REQUESTS = 1.0
# The most requests a second, for all followed tasks together.
MAX_REQUESTS_A_SECOND = 5
# The most tasks that are followed at the same time. This keeps a sender who knows the webhook's URL from
# overloading Coder.
MAX_FOLLOWED_TASKS = 30

_log = logger("taskwire.polling.announced")


class AnnouncedChanges:
    """Follows changes that Coder has announced. `poll_soon` starts the next poll of `poller` early."""

    def __init__(self, deps: Dependencies, poller: AnyPoller, poll_soon: Callable[[], None]) -> None:
        self._deps = deps
        self._poller = poller
        self._poll_soon = poll_soon
        self._following: dict[str, asyncio.Task[None]] = {}
        # The newest change that was announced of each followed task.
        self._announced: dict[str, AnnouncedChange] = {}
        self._turn = asyncio.Lock()
        self._next_request_at = 0.0

    def follow(self, announced: AnnouncedChange) -> None:
        """Follow a change until Coder shows it. A newer change of the task replaces an older change.

        Ignore the change if MAX_FOLLOWED_TASKS tasks are followed already.
        """
        task_id, before = announced.task_id, self._following.get(announced.task_id)
        if before is not None and not before.done():
            self._announced[task_id] = announced
        elif len(self._following) < MAX_FOLLOWED_TASKS:
            self._announced[task_id] = announced
            following = asyncio.create_task(self._follow_until_seen(announced), name="announced")
            self._following[task_id] = following
            following.add_done_callback(lambda ended: self._forget(task_id, ended))

    async def end(self) -> None:
        """Stop following all announced changes."""
        following = list(self._following.values())
        for task in following:
            task.cancel()
        await asyncio.gather(*following, return_exceptions=True)

    def _forget(self, task_id: str, ended: asyncio.Task[None]) -> None:
        if self._following.get(task_id) is ended:
            del self._following[task_id], self._announced[task_id]

    async def _follow_until_seen(self, announced: AnnouncedChange) -> None:
        try:
            async with asyncio.timeout(ANNOUNCED_CHANGE.max_duration.total_seconds()):
                link = await self._deps.links.find_by_task(TaskId(announced.task_id))
                if link is None:
                    return
                if await self._wait_until_seen(announced.task_id, await self._poller.get_client(link)):
                    self._poller.expect_change(link)
                    self._poll_soon()
        except TimeoutError:
            _log.info(
                "change announced by Coder not seen in time, left to the next poll", task=announced.task_id
            )
        except CannotRead as error:
            _log.info(
                "announced change not followed, only a newer version can read its link",
                task=announced.task_id,
                why=error.why,
            )
        except RedisError as error:
            # The worker logs an outage of Redis, once.
            _log.debug("announced change not checked, left to the next poll", error=str(error))

    async def _wait_until_seen(self, task_id: str, coder: CoderClient) -> bool:
        """Request the task until it shows its newest change or is gone, then return True.

        Return False if Coder refuses the account. Coder would then never show the change; the poller reports
        the problem.
        """
        failures = 0
        while True:
            try:
                await self._wait_for_turn()
                status = (await coder.get_task(task_id)).status
                if status in self._announced[task_id].expected_statuses:
                    return True
                failures = 0
            except NotFound:
                return True
            except AccountRefused:
                return False
            except OutsideError as error:
                failures += 1
                await asyncio.sleep(ANNOUNCED_CHANGE.wait_seconds(failures, error.retry_after_seconds))
            await asyncio.sleep(SECONDS_BETWEEN_REQUESTS)

    async def _wait_for_turn(self) -> None:
        """Wait until the next request may be made. Tasks get their turns in the order in which they wait."""
        loop = asyncio.get_running_loop()
        async with self._turn:
            await asyncio.sleep(max(0.0, self._next_request_at - loop.time()))
            self._next_request_at = loop.time() + 1 / MAX_REQUESTS_A_SECOND
