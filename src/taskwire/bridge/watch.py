"""The sweep: one list request a tick shows what has changed, what is gone, and what is back.

It only writes down: a newer observation is stored and appended to its link in one call, and everything that
follows is decided from there. An unchanged body costs a comparison; a changed one is read in pieces, so that
nothing else has to wait. What cannot be reached is `reach`'s to tell.
"""

import asyncio
import contextlib
import hashlib
import time
from collections.abc import Mapping

from redis.exceptions import RedisError

from taskwire.bridge.alerts import Alerts
from taskwire.bridge.doors import Doors
from taskwire.bridge.reach import Reach
from taskwire.bridge.sightings import observation_of
from taskwire.coder import models
from taskwire.coder.errors import Nonsense, NotFound
from taskwire.coder.models import User
from taskwire.model.changes import Vanished
from taskwire.model.errors import OutsideError
from taskwire.model.ids import LinkId, TaskId
from taskwire.model.jobs import Happened, Job, Say, tell
from taskwire.model.links import Link
from taskwire.model.phases import Phase
from taskwire.store.steps import Step
from taskwire.store.sweeps import Held, Sighting, Sweep
from taskwire.telemetry import Metrics, logger
from taskwire.words import notices, troubles

# The one account that watches, in service mode.
ACCOUNT = "service"
# Items that are read before others get a turn of the loop, and observations in one call to Redis.
PIECE = 100
# While a list is asked for; then for a tick and a little, so that one replica goes on and a dead one's
# sweeps go on elsewhere within 10 s.
LEASE_MS = 9_000
LONGEST_SPARE_MS = 3_500
# More than so many tasks gone at once is a trouble of the account, not of the tasks.
GONE_AT_ONCE = 5
GONE_SHARE = 10
# So long administrators have to give the account its rights back; then what is still gone was deleted.
VANISHED_MS = 24 * 3_600_000
# With which roles this account has seen all linked tasks.
ROLES_MS = 30 * 24 * 3_600_000

Linked = dict[TaskId, LinkId]
_log = logger("taskwire.watch")


class Watcher:
    """Watches all linked tasks through one account."""

    def __init__(self, doors: Doors, metrics: Metrics, alerts: Alerts, poll_seconds: float) -> None:
        self._doors = doors
        self._metrics = metrics
        self._kept_ms = int(poll_seconds * 1000 + min(poll_seconds * 700, LONGEST_SPARE_MS))
        self._alerts = alerts
        self._reach = Reach(doors, alerts)
        self._last = 0
        self._body = b""
        self._linked: Linked = {}
        # What was stored of each task by this process, so that only what differs is sent to Redis again.
        self._stored: dict[tuple[TaskId, LinkId], bytes] = {}
        self._has_noted_roles = False
        self._vanished = ""
        self._one_at_a_time = asyncio.Lock()

    @property
    def trouble(self) -> str:
        """What is wrong with watching, in a sentence; empty if nothing is."""
        return self._reach.trouble or self._vanished

    async def sweep(self, *, is_hinted: bool = False) -> float:
        """Look at all tasks once; a failure of Coder's is noted and, if it lasts, shown, and never raised.

        Where another replica sweeps there is nothing to do, unless Coder has given a hint to this one.
        Returns the seconds after which that one may have died, or 0.
        """
        async with self._one_at_a_time:
            sweep = await self._doors.sweeps.claim(ACCOUNT, LEASE_MS, takes_over=is_hinted)
            if isinstance(sweep, Held):
                return sweep.wait_ms / 1000
            await self._swept(sweep)
            return 0.0

    async def _swept(self, sweep: Sweep) -> None:
        started = time.monotonic()
        # Read first: what is linked while the list is on its way may not be in it.
        linked = await self._doors.links.list_open()
        try:
            body = await self._doors.coder.list_tasks_raw()
            outcome = await self._look(sweep, body, linked)
        except OutsideError as error:
            self._metrics.sweeps.labels("failed").inc()
            await self._reach.failed(error, sweep.began_ms)
        else:
            self._metrics.sweeps.labels(outcome).inc()
            self._metrics.sweep_seconds.observe(time.monotonic() - started)
            self._metrics.last_sweep.set_to_current_time()
            await self._reach.answered()
        finally:
            await self._doors.sweeps.keep(ACCOUNT, self._kept_ms)

    async def leave(self) -> None:
        """Sweep no more; another replica need not wait."""
        with contextlib.suppress(RedisError):
            await self._doors.sweeps.leave(ACCOUNT)

    async def _look(self, sweep: Sweep, body: bytes, linked: Linked) -> str:
        if sweep.number != self._last + 1:
            # Another process has swept meanwhile: what this one has stored may not be the newest.
            self._body, self._stored = b"", {}
        self._last = sweep.number
        if body == self._body and linked == self._linked:
            return "unchanged"
        items = _by_id(models.cut_list(body))
        linked = linked | await self._revived(sweep, items, linked)
        self._metrics.links.set(len(linked))
        if not await self._store(sweep, items, linked):
            return "overtaken"
        missing = [task for task in linked if task not in items]
        await self._miss(sweep, missing, linked)
        if not missing:
            await self._note_roles(linked)
        # What is missing is looked for again at the next tick, whatever the body.
        self._body, self._linked = b"" if missing else body, linked
        return "done"

    async def _store(self, sweep: Sweep, items: Mapping[TaskId, bytes], linked: Linked) -> bool:
        marks = {(task, link): _mark(items[task]) for task, link in linked.items() if task in items}
        changed = [place for place, mark in marks.items() if self._stored.get(place) != mark]
        for start in range(0, len(changed), PIECE):
            piece = changed[start : start + PIECE]
            if not await self._doors.sweeps.observe(ACCOUNT, sweep, self._sightings(items, piece)):
                return False
            self._stored.update({place: marks[place] for place in piece})
            await asyncio.sleep(0)
        self._stored = {place: mark for place, mark in self._stored.items() if place in marks}
        return True

    def _sightings(self, items: Mapping[TaskId, bytes], piece: list[tuple[TaskId, LinkId]]) -> list[Sighting]:
        found = []
        for task, _ in piece:
            self._metrics.tasks_read.inc()
            try:
                found.append(Sighting.of(observation_of(models.parse_task(items[task]))))
            except Nonsense as error:
                # A task that a newer Coder shows in another way must not hide all the others.
                _log.warning("a task cannot be read", task=task, error=str(error))
        return found

    async def _revived(self, sweep: Sweep, items: Mapping[TaskId, bytes], linked: Linked) -> Linked:
        """Open the links again whose tasks were gone and are back."""
        back: Linked = {}
        for task, gone in (await self._doors.sweeps.list_gone()).items():
            if task not in items or task in linked or gone.at_ms >= sweep.began_ms:
                continue
            link = await self._doors.links.find(gone.link)
            if link is None:
                continue
            said = Say(message=notices.back(link, coder_url=self._doors.coder_url))
            job = Job(id=f"back:{sweep.number}", work=said)
            if await self._doors.sweeps.revive(ACCOUNT, sweep, task, gone.link, job):
                back[task] = gone.link
        return back

    async def _miss(self, sweep: Sweep, missing: list[TaskId], linked: Linked) -> None:
        """A linked task that two lists did not show may be gone; be certain before it is said."""
        links = await self._doors.sweeps.miss(ACCOUNT, sweep, missing) if missing else []
        found = await self._doors.links.list_links(links)
        # One that is told already waits for its notice to be posted.
        suspects = [link for link in found.values() if link.story.phase is not Phase.GONE]
        if not await self._are_few(sweep, len(suspects), len(linked)):
            return
        if not suspects or not await self._reads_as_before():
            return
        for link in suspects:
            if await self._is_gone(link):
                job = Job(id=f"vanished:{sweep.number}", work=Happened(event=Vanished()))
                await self._doors.queue.write(Step().append(tell(link.id), job))

    async def _are_few(self, sweep: Sweep, count: int, linked: int) -> bool:
        """Whether so many may be gone at once; for more, whether that has been so for a day."""
        memory = self._doors.memory
        since = await memory.find("vanished", ACCOUNT)
        if count <= max(GONE_AT_ONCE, linked // GONE_SHARE):
            if since is not None:
                await memory.forget("vanished", ACCOUNT)
            self._vanished = ""
            return True
        if since is not None and sweep.began_ms - int(since) >= VANISHED_MS:
            return True
        if since is None:
            await memory.keep(str(sweep.began_ms), "vanished", ACCOUNT, ttl_ms=7 * VANISHED_MS)
        trouble = troubles.vanished(count, linked)
        if trouble != self._vanished:
            _log.warning("too many tasks are gone at once", count=count, linked=linked)
            self._vanished = trouble
            await self._alerts.warn("vanished", trouble)
        return False

    async def _reads_as_before(self) -> bool:
        """Whether the account still reads itself, with the roles with which it has seen all linked tasks."""
        me = await self._doors.coder.me()
        known = await self._doors.memory.find("roles", ACCOUNT)
        is_same = me.is_owner if known is None else _roles(me) == known
        if not is_same:
            _log.warning("the account's roles have changed", account=me.username)
        return is_same

    async def _note_roles(self, linked: Linked) -> None:
        """Once a process: remember with which roles all linked tasks are seen."""
        if linked and not self._has_noted_roles:
            try:
                me = await self._doors.coder.me()
            except OutsideError as error:
                # The list has come all the same: nothing is wrong with watching.
                _log.info("the account cannot be read", error=str(error))
                return
            await self._doors.memory.keep(_roles(me), "roles", ACCOUNT, ttl_ms=ROLES_MS)
            self._has_noted_roles = True

    async def _is_gone(self, link: Link) -> bool:
        if link.bond.task_id is None:
            return False
        try:
            await self._doors.coder.get_task(link.bond.task_id)
        except NotFound:
            return True
        return False


def _roles(me: User) -> str:
    return " ".join(sorted(f"{role.name}@{role.organization_id}" for role in me.roles)) or "none"


def _by_id(items: list[bytes]) -> dict[TaskId, bytes]:
    found = {}
    for item in items:
        try:
            found[TaskId(models.item_id(item))] = item
        except Nonsense as error:
            _log.warning("a task has no id", error=str(error))
    return found


def _mark(item: bytes) -> bytes:
    return hashlib.blake2b(item, digest_size=16).digest()
