"""The poller: one list request every `TASKWIRE_POLL_INTERVAL` seconds (5 by default) finds changed tasks.

`app/scheduler.py` calls `poll` at that interval, and sooner after a hint from Coder's webhook. `task_list.py`
reads the list and stores the changes. If the list is too long, `owner_lists.py` requests the list of each
owner. `outbox/coder_health.py` tells people when Coder cannot be reached.
Without a service account, `personal_poller.py` takes the place of this poller.
"""

import asyncio
import contextlib
import time

from redis.exceptions import RedisError

from taskwire.coder.client import CoderClient
from taskwire.coder.errors import TooLong
from taskwire.coder.models import User
from taskwire.coder.rights import sees_every_task
from taskwire.dependencies import Dependencies
from taskwire.domain.durations import DAY_MS
from taskwire.domain.errors import OutsideError
from taskwire.domain.lifecycle.links import Link
from taskwire.messages import troubles
from taskwire.outbox.coder_health import CoderHealth
from taskwire.outbox.direct_messages import AdminAlerts
from taskwire.outbox.whole_list import is_list_too_long, list_all_tasks
from taskwire.polling.owner_lists import OwnerLists, ReadOwners
from taskwire.polling.task_list import POLL_LEASE_MS, Linked, ReadList, TaskListReader, report_gone
from taskwire.state.observations import Poll, PolledElsewhere
from taskwire.telemetry import Metrics, logger

# The account that polls: the service account.
ACCOUNT = "service"
# The poll lease lasts `POLL_LEASE_MS` (9 s) during a request, then one poll interval and up to 3.5 s more. So
# the replica that made the latest poll also makes the next poll. If this replica dies, another replica takes
# over when the lease ends: within 10 s at the default interval.
MAX_LEASE_MARGIN_MS = 3_500
# How old the last successful poll may be when due timers are fired, in ms. The value is higher for long poll
# intervals.
POLL_FRESH_MS = 60_000
# If more than five tasks and more than a tenth of all tasks are gone at once, the problem is the account and
# not the tasks.
MAX_GONE_AT_ONCE = 5
GONE_SHARE = 10
# How long administrators have to give the account its rights back, in ms. Tasks that are still gone after
# this time were deleted.
VANISHED_AFTER_MS = 24 * 3_600_000
# How long Redis keeps the roles with which this account has seen all linked tasks, in ms.
ROLES_TTL_MS = 30 * 24 * 3_600_000

_log = logger("taskwire.polling.poller")


class Poller:
    """Polls all linked tasks with the service account."""

    # A regular poll is made in one call, not in several parts.
    is_amid_round = False

    def __init__(
        self, deps: Dependencies, metrics: Metrics, alerts: AdminAlerts, poll_seconds: float
    ) -> None:
        self._deps = deps
        self._metrics = metrics
        self._poll_lease_ms = int(poll_seconds * 1000 + min(poll_seconds * 700, MAX_LEASE_MARGIN_MS))
        self._fresh_ms = max(POLL_FRESH_MS, int(poll_seconds * 3000))
        # How long the latest poll counts as recent.
        self._polled_ttl_ms = self._fresh_ms
        self._alerts = alerts
        self._coder_health = CoderHealth(deps, alerts)
        self._reader = TaskListReader(deps, metrics, ACCOUNT)
        self._owner_lists = OwnerLists(deps, metrics, ACCOUNT, self._note_owner_read)
        self._told_of_long_list_ms = 0
        self._has_recorded_roles = False
        self._vanished_trouble = ""
        self._lock = asyncio.Lock()

    @property
    def trouble(self) -> str:
        """A sentence that says what is wrong with polling; empty if nothing is wrong."""
        return self._coder_health.trouble or self._vanished_trouble

    async def poll(self, *, is_hinted: bool = False) -> float:
        """Poll all tasks once and return 0, unless another replica has the right to poll.

        If another replica has it, return the seconds until that right expires. With a hint from Coder
        (`is_hinted`), take the right over and poll at once. Errors of Coder are recorded, and reported if
        they last. They are never raised.
        """
        async with self._lock:
            # Do not end another replica's round of all owners, which takes long.
            takes_over = is_hinted and not await is_list_too_long(self._deps)
            poll = await self._deps.observations.claim(ACCOUNT, POLL_LEASE_MS, takes_over=takes_over)
            if isinstance(poll, PolledElsewhere):
                return poll.wait_ms / 1000
            await self._poll_list(poll)
            return 0.0

    async def _poll_list(self, poll: Poll) -> None:
        started = time.monotonic()
        # Read the links first: a task that is linked during the request may be missing from the list.
        linked = await self._deps.links.list_open(includes_unreadable=True)
        try:
            outcome = await self._read_tasks(poll, linked)
        except OutsideError as error:
            self._metrics.polls.labels("failed").inc()
            await self._coder_health.record_failure(error, poll.began_ms)
        else:
            self._metrics.polls.labels(outcome).inc()
            self._metrics.poll_seconds.observe(time.monotonic() - started)
            self._metrics.last_poll_timestamp_seconds.set_to_current_time()
            if outcome != "overtaken":
                # Another poll has overtaken this list, so the list says nothing about the present.
                await self._coder_health.record_success()
                # A round of all owners may take long. The next one must end before this note does.
                self._polled_ttl_ms = max(self._fresh_ms, int((time.monotonic() - started) * 3000))
                await self._deps.notes.keep("1", "polled", ACCOUNT, ttl_ms=self._polled_ttl_ms)
        finally:
            await self._deps.observations.renew(ACCOUNT, self._poll_lease_ms)

    async def _read_tasks(self, poll: Poll, linked: Linked) -> str:
        """Read the list of all tasks. If it is too long, read the list of each owner of a linked task."""
        try:
            body = await list_all_tasks(self._deps)
        except TooLong:
            # The request has taken a part of the time for which the right to poll lasts.
            await self._deps.observations.renew(ACCOUNT, POLL_LEASE_MS)
            return await self._read_owners(poll, linked)
        return await self._process_list(poll, body, linked)

    async def _read_owners(self, poll: Poll, linked: Linked) -> str:
        seen = await self._owner_lists.read(self._deps.service_coder, poll, linked)
        if seen is None or not await self._check_missing(poll, seen.missing, len(linked)):
            return "overtaken"
        if poll.began_ms - self._told_of_long_list_ms > DAY_MS:
            self._told_of_long_list_ms = poll.began_ms
            _log.warning("Coder's list of tasks too long, polled owner by owner", longest=seen.longest)
            await self._alerts.warn("list too long", await self._describe_long_list(seen))
        return "by_owner"

    async def _note_owner_read(self) -> None:
        """Let the present round, which may take minutes, count as a recent poll.

        Timers go on if they may fire already. After an outage they wait for the end of the round, because
        the tasks of some owners have not been observed since.
        """
        self._metrics.last_poll_timestamp_seconds.set_to_current_time()
        if await self._deps.notes.find("polled", ACCOUNT) is not None:
            await self._deps.notes.keep("1", "polled", ACCOUNT, ttl_ms=self._polled_ttl_ms)

    async def _describe_long_list(self, seen: ReadOwners) -> str:
        name = ""
        if seen.longest:
            with contextlib.suppress(OutsideError):
                name = (await self._deps.service_coder.get_user(seen.longest)).username
        return troubles.list_too_long(name, seen.longest_bytes)

    async def get_client(self, link: Link) -> CoderClient:
        """Return the client of the account that sees this link's task."""
        del link
        return self._deps.service_coder

    def expect_change(self, link: Link) -> None:
        """Do nothing, because every poll of this poller looks at all links.

        `PersonalPoller` polls the account of the link's owner next.
        """

    async def fire_timers(self) -> None:
        """Fire due timers, if a recent poll has succeeded.

        Without a recent poll, the observations may be from before an outage or a data loss. Such observations
        must not cause a notice.
        """
        if await self._deps.notes.find("polled", ACCOUNT) is not None:
            await self._deps.links.fire_timers()

    def forget(self) -> None:
        """Forget which observations this process has stored, because Redis may have lost them.

        The next poll stores all observations again.
        """
        self._reader.forget()
        self._owner_lists.forget()

    async def release(self) -> None:
        """Stop polling, so that another replica can start at once."""
        with contextlib.suppress(RedisError):
            await self._deps.observations.release(ACCOUNT)

    async def _process_list(self, poll: Poll, body: bytes, linked: Linked) -> str:
        seen = await self._reader.read(poll, body, linked)
        if not isinstance(seen, ReadList):
            return seen
        self._metrics.links.set(len(seen.linked))
        if not await self._check_missing(poll, seen.missing, len(seen.linked)):
            return "overtaken"
        if not seen.missing:
            await self._record_roles(seen.linked)
        return "done"

    async def _check_missing(self, poll: Poll, missing: Linked, linked: int) -> bool:
        """Check the linked tasks that are missing from the list. Report the tasks that are certainly gone.

        Return False if a newer poll has begun. Then the newer poll checks the tasks.
        """
        suspects = await self._reader.count_missing(poll, missing)
        if suspects is None:
            return False
        can_be_gone = await self._can_be_gone(poll, len(suspects), linked)
        if can_be_gone and suspects and await self._has_same_roles():
            await report_gone(self._deps, self._deps.service_coder, poll, suspects)
        return True

    async def _can_be_gone(self, poll: Poll, count: int, linked: int) -> bool:
        """Return whether `count` missing tasks of `linked` linked tasks can really be gone.

        They can be gone if they are few, or if many tasks have been missing for a day. Otherwise our account
        has probably lost rights, and administrators are warned.
        """
        notes = self._deps.notes
        since = await notes.find("vanished", ACCOUNT)
        if count <= max(MAX_GONE_AT_ONCE, linked // GONE_SHARE):
            if since is not None:
                await notes.forget("vanished", ACCOUNT)
            self._vanished_trouble = ""
            return True
        if since is not None and poll.began_ms - int(since) >= VANISHED_AFTER_MS:
            return True
        if since is None:
            await notes.keep(str(poll.began_ms), "vanished", ACCOUNT, ttl_ms=7 * VANISHED_AFTER_MS)
        trouble = troubles.tasks_vanished(count, linked)
        if trouble != self._vanished_trouble:
            _log.warning(
                "too many tasks missing from Coder's list, none treated as gone", count=count, linked=linked
            )
            self._vanished_trouble = trouble
            await self._alerts.warn("vanished", trouble)
        return False

    async def _has_same_roles(self) -> bool:
        """Return whether our account still has the roles with which it once saw all linked tasks.

        If those roles were never recorded, return whether the account's present rights show it every task.
        Raises the errors of Coder's client.
        """
        coder = self._deps.service_coder
        me = await coder.get_own_user()
        known = await self._deps.notes.find("account_roles", ACCOUNT)
        is_same = await sees_every_task(coder, me) if known is None else _roles(me) == known
        if not is_same:
            _log.warning(
                "service account lacks its roles, missing tasks not treated as gone", account=me.username
            )
        return is_same

    async def _record_roles(self, linked: Linked) -> None:
        """Record our account's roles after a list that shows all linked tasks.

        Do this once for each process.
        """
        if linked and not self._has_recorded_roles:
            try:
                me = await self._deps.service_coder.get_own_user()
            except OutsideError as error:
                # The list has arrived, so polling works in spite of this error.
                _log.info(
                    "roles of the service account not readable, recorded after a later poll", error=str(error)
                )
                return
            await self._deps.notes.keep(_roles(me), "account_roles", ACCOUNT, ttl_ms=ROLES_TTL_MS)
            self._has_recorded_roles = True


def _roles(me: User) -> str:
    return " ".join(sorted(f"{role.name}@{role.organization_id}" for role in me.roles)) or "none"
