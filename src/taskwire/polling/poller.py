"""The poller: one list request every `TASKWIRE_POLL_INTERVAL` seconds (5 unless set) finds changed tasks.

`app/scheduler.py` calls `poll` at that interval, and sooner after a hint from Coder's webhook.

The poller only stores what it sees. One call to Redis stores a newer observation and appends the job about
it. The handler of that job decides what follows. An unchanged list costs one comparison. A changed list is
read in pieces, so that other work does not have to wait. `outbox/coder_health.py` tells people when Coder
cannot be reached.
"""

import asyncio
import contextlib
import hashlib
import time
from dataclasses import dataclass, field

from redis.exceptions import RedisError

from taskwire.coder import lists, models
from taskwire.coder.errors import NotFound, UnexpectedCoderAnswer
from taskwire.coder.lists import Item
from taskwire.coder.models import User
from taskwire.dependencies import Dependencies
from taskwire.domain.errors import OutsideError
from taskwire.domain.events import Vanished
from taskwire.domain.ids import LinkId, TaskId
from taskwire.domain.jobs import ApplyEvent, Job, PostText
from taskwire.domain.links import Link
from taskwire.domain.phases import Phase
from taskwire.domain.queues import to_thread
from taskwire.messages import notices, troubles
from taskwire.outbox.coder_health import CoderHealth
from taskwire.outbox.direct_messages import AdminAlerts
from taskwire.outbox.observing import observation_of
from taskwire.queue.batch import Batch
from taskwire.state.observations import Poll, PolledElsewhere, StoredObservation
from taskwire.telemetry import Metrics, logger

# The account that polls: the service account.
ACCOUNT = "service"
# Observations in one call to Redis, which then takes two or three milliseconds.
BATCH_SIZE = 50
# The poll lease lasts 9 s during a request, then one poll interval and up to 3.5 s more. The same replica
# therefore goes on polling. If it dies, another one takes over within 10 s.
POLL_LEASE_MS = 9_000
MAX_LEASE_MARGIN_MS = 3_500
# How old the last successful poll may be, in ms, when due timers are fired. It is longer for long poll
# intervals.
POLL_FRESH_MS = 60_000
# If more than five tasks and more than a tenth of all are gone at once, the account is in trouble, not the
# tasks.
MAX_GONE_AT_ONCE = 5
GONE_SHARE = 10
# How long administrators have to give the account its rights back, in ms. Tasks that are still gone then were
# deleted.
VANISHED_AFTER_MS = 24 * 3_600_000
# How long Redis keeps the roles with which this account has seen all linked tasks, in ms.
ROLES_TTL_MS = 30 * 24 * 3_600_000

Linked = dict[TaskId, LinkId]
Digests = dict[TaskId, int]
_log = logger("taskwire.polling.poller")


@dataclass
class _ListProgress:
    """What the poller has learned from the list so far.

    `changed` and `new` map a task's id to its JSON. `changed` has tasks to be stored. `new` has tasks without
    a link; Redis is asked whether they had one before. `unlinked` has tasks that never had a link. `revived`
    has tasks whose links were reopened.
    """

    digests: Digests = field(default_factory=dict)
    unlinked: set[TaskId] = field(default_factory=set)
    revived: Linked = field(default_factory=dict)
    changed: dict[TaskId, bytes] = field(default_factory=dict)
    new: dict[TaskId, bytes] = field(default_factory=dict)


class Poller:
    """Polls all linked tasks with one account."""

    def __init__(
        self, deps: Dependencies, metrics: Metrics, alerts: AdminAlerts, poll_seconds: float
    ) -> None:
        self._deps = deps
        self._metrics = metrics
        self._poll_lease_ms = int(poll_seconds * 1000 + min(poll_seconds * 700, MAX_LEASE_MARGIN_MS))
        self._fresh_ms = max(POLL_FRESH_MS, int(poll_seconds * 3000))
        self._alerts = alerts
        self._coder_health = CoderHealth(deps, alerts)
        self._last_poll_number = 0
        # The digest of the last list that was processed. The list of ten thousand tasks has 13 MB.
        self._list_digest = b""
        self._last_linked: Linked = {}
        # Digests of the observations that this process has stored, so that only changes are sent to Redis.
        self._stored_digests: Digests = {}
        # Tasks without a link. When a task is first seen, Redis is asked whether it had a link before.
        self._unlinked: set[TaskId] = set()
        self._has_recorded_roles = False
        self._vanished_trouble = ""
        self._lock = asyncio.Lock()

    @property
    def trouble(self) -> str:
        """A sentence that says what is wrong with polling; empty if nothing is wrong."""
        return self._coder_health.trouble or self._vanished_trouble

    async def poll(self, *, is_hinted: bool = False) -> float:
        """Poll all tasks once and return 0, unless another replica has the right to poll.

        In that case, return the seconds until that right expires. With a hint from Coder (`is_hinted`), this
        replica takes the right over. Errors of Coder are recorded and, if they last, reported, but never
        raised.
        """
        async with self._lock:
            poll = await self._deps.observations.claim(ACCOUNT, POLL_LEASE_MS, takes_over=is_hinted)
            if isinstance(poll, PolledElsewhere):
                return poll.wait_ms / 1000
            await self._poll_list(poll)
            return 0.0

    async def _poll_list(self, poll: Poll) -> None:
        started = time.monotonic()
        # Read the links first: a task that is linked during the request may be missing from the list.
        linked = await self._deps.links.list_open()
        try:
            body = await self._deps.service_coder.list_tasks_raw()
            outcome = await self._process_list(poll, body, linked)
        except OutsideError as error:
            self._metrics.polls.labels("failed").inc()
            await self._coder_health.record_failure(error, poll.began_ms)
        else:
            self._metrics.polls.labels(outcome).inc()
            self._metrics.poll_seconds.observe(time.monotonic() - started)
            self._metrics.last_poll_timestamp_seconds.set_to_current_time()
            if outcome != "overtaken":
                # An older list shows nothing about the present.
                await self._coder_health.record_success()
                await self._deps.notes.keep("1", "polled", ACCOUNT, ttl_ms=self._fresh_ms)
        finally:
            await self._deps.observations.renew(ACCOUNT, self._poll_lease_ms)

    async def fire_timers(self) -> None:
        """Fire due timers, if a recent poll has succeeded.

        Observations from before an outage, or from an older copy of the store, are too old to cause a notice.
        """
        if await self._deps.notes.find("polled", ACCOUNT) is not None:
            await self._deps.links.fire_timers()

    def forget(self) -> None:
        """Forget which tasks this process has stored, because the store may have lost writes.

        The next poll stores all again.
        """
        self._list_digest, self._stored_digests, self._unlinked = b"", {}, set()

    async def release(self) -> None:
        """Stop polling, so that another replica can start at once."""
        with contextlib.suppress(RedisError):
            await self._deps.observations.release(ACCOUNT)

    async def _process_list(self, poll: Poll, body: bytes, linked: Linked) -> str:
        if poll.number != self._last_poll_number + 1:
            # Another process has polled since, so this process may not know the newest stored observations.
            self.forget()
        self._last_poll_number = poll.number
        # Parsing takes some milliseconds, so a worker thread does it and the event loop goes on.
        digest = (await asyncio.to_thread(hashlib.sha256, body)).digest()
        if digest == self._list_digest and linked == self._last_linked:
            return "unchanged"
        seen = await self._read_list(poll, body, linked)
        if seen is None:
            return "overtaken"
        linked = linked | seen.revived
        self._metrics.links.set(len(linked))
        missing = [task for task in linked if task not in seen.digests]
        if not await self._check_missing(poll, missing, linked):
            return "overtaken"
        if not missing:
            await self._record_roles(linked)
        # A missing task is looked for again at the next poll, even if the list is unchanged.
        self._list_digest, self._last_linked = b"" if missing else digest, linked
        return "done"

    async def _read_list(self, poll: Poll, body: bytes, linked: Linked) -> _ListProgress | None:
        """Read the list in pieces and store what has changed. Return None if a newer poll has begun."""
        seen = _ListProgress()
        for piece in lists.iter_chunks(body):
            for item in piece:
                self._sort(item, linked, seen)
            if len(seen.changed) + len(seen.new) >= BATCH_SIZE and not await self._store(poll, seen):
                return None
            await asyncio.sleep(0)
        if not await self._store(poll, seen):
            return None
        self._stored_digests, self._unlinked = seen.digests, seen.unlinked
        return seen

    def _sort(self, item: Item, linked: Linked, seen: _ListProgress) -> None:
        try:
            task = TaskId(lists.read_item_id(item))
        except UnexpectedCoderAnswer as error:
            _log.warning("task without an id in Coder's list", error=str(error))
            return
        text, link = bytes(item), linked.get(task)
        if link is None:
            seen.unlinked.add(task)
            if task not in self._unlinked:
                seen.new[task] = text
            return
        seen.digests[task] = _digest_of(link, text)
        if self._stored_digests.get(task) != seen.digests[task]:
            seen.changed[task] = text

    async def _store(self, poll: Poll, seen: _ListProgress) -> bool:
        await self._revive(poll, seen)
        changed = list(seen.changed.items())
        for start in range(0, len(changed), BATCH_SIZE):
            piece = changed[start : start + BATCH_SIZE]
            if not await self._deps.observations.observe(ACCOUNT, poll, self._parse_observations(piece)):
                return False
            self._stored_digests.update({task: seen.digests[task] for task, _ in piece})
        seen.changed.clear()
        return True

    def _parse_observations(self, piece: list[tuple[TaskId, bytes]]) -> list[StoredObservation]:
        found = []
        for task, text in piece:
            self._metrics.tasks_read.inc()
            try:
                found.append(StoredObservation.of(observation_of(models.parse_task(text), self._deps.mask)))
            except UnexpectedCoderAnswer as error:
                # If a newer Coder shows one task in another format, the other tasks must still be observed.
                _log.warning("task not readable", task=task, error=str(error))
        return found

    async def _revive(self, poll: Poll, seen: _ListProgress) -> None:
        """Reopen the links of tasks that were gone and are back."""
        gone_before = await self._deps.observations.list_gone(seen.new)
        for task, gone in gone_before.items():
            if gone.at_ms >= poll.began_ms:
                # The task went missing after the list was requested. The next list shows whether it is there
                # again.
                seen.unlinked.discard(task)
                continue
            link = (await self._deps.links.list_links([gone.link])).get(gone.link)
            if link is None:
                continue
            notice = PostText(message=notices.task_found_again(link, coder_url=self._deps.coder_url))
            job = Job(id=f"back:{poll.number}", work=notice)
            if await self._deps.observations.revive(ACCOUNT, poll, task, gone.link, job):
                seen.revived[task] = gone.link
                seen.changed[task] = seen.new[task]
                seen.digests[task] = _digest_of(gone.link, seen.new[task])
        seen.new.clear()

    async def _check_missing(self, poll: Poll, missing: list[TaskId], linked: Linked) -> bool:
        """Check the linked tasks that the list did not show, and report those that are certainly gone.

        A task is suspected if two lists have not shown it. Return False if a newer poll has begun; the newer
        poll then checks the tasks.
        """
        links: list[LinkId] = []
        for start in range(0, len(missing), BATCH_SIZE):
            missed = await self._deps.observations.count_missing(
                ACCOUNT, poll, missing[start : start + BATCH_SIZE]
            )
            if missed is None:
                return False
            links += missed
        found = await self._deps.links.list_links(links)
        # If a task is already reported as gone, its notice waits to be posted.
        suspects = [link for link in found.values() if link.state.phase is not Phase.GONE]
        can_be_gone = await self._can_be_gone(poll, len(suspects), len(linked))
        if can_be_gone and suspects and await self._has_same_roles():
            await self._report_gone(poll, suspects)
        return True

    async def _report_gone(self, poll: Poll, suspects: list[Link]) -> None:
        for link in suspects:
            if await self._is_gone(link):
                job = Job(id=f"vanished:{poll.number}", work=ApplyEvent(event=Vanished()))
                await self._deps.queues.write(Batch().append(to_thread(link.id), job))

    async def _can_be_gone(self, poll: Poll, count: int, linked: int) -> bool:
        """Return whether `count` missing tasks of `linked` ones can really be gone.

        This is so if they are few, or if many have been missing for a day. Otherwise our account has probably
        lost rights, and administrators are warned.
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
        """Return whether our account still has the roles with which it saw all linked tasks.

        If no roles were recorded, it must be an Owner. Raises the errors of Coder's client.
        """
        me = await self._deps.service_coder.get_own_user()
        known = await self._deps.notes.find("account_roles", ACCOUNT)
        is_same = me.is_owner if known is None else _roles(me) == known
        if not is_same:
            _log.warning(
                "service account lacks its roles, missing tasks not treated as gone", account=me.username
            )
        return is_same

    async def _record_roles(self, linked: Linked) -> None:
        """Record our account's roles after a list that shows all linked tasks, once for each process."""
        if linked and not self._has_recorded_roles:
            try:
                me = await self._deps.service_coder.get_own_user()
            except OutsideError as error:
                # The list has arrived, so polling works.
                _log.info("service account not readable", error=str(error))
                return
            await self._deps.notes.keep(_roles(me), "account_roles", ACCOUNT, ttl_ms=ROLES_TTL_MS)
            self._has_recorded_roles = True

    async def _is_gone(self, link: Link) -> bool:
        if link.record.task_id is None:
            return False
        try:
            await self._deps.service_coder.get_task(link.record.task_id)
        except NotFound:
            return True
        return False


def _roles(me: User) -> str:
    return " ".join(sorted(f"{role.name}@{role.organization_id}" for role in me.roles)) or "none"


def _digest_of(link: LinkId, text: bytes) -> int:
    """Return a 64-bit digest of a link and its task's JSON. It changes when either changes."""
    return hash((link, text))
