"""The sweep: one list request a tick shows what has changed, and what is gone.

It only writes down: a newer observation is stored and appended to its link in one call, and everything that
follows is decided from there. An unchanged body costs a comparison; a changed one is read in pieces, so that
nothing else has to wait.
"""

import asyncio
import hashlib
import time

from taskwire.bridge.doors import Doors
from taskwire.bridge.saying import draw
from taskwire.bridge.sightings import observation_of
from taskwire.coder import models
from taskwire.coder.errors import NotFound, TokenRefused
from taskwire.model.changes import Vanished
from taskwire.model.errors import OutsideError
from taskwire.model.ids import LinkId, TaskId
from taskwire.model.jobs import Happened, Job, tell
from taskwire.model.links import Link
from taskwire.store.links import Sighting
from taskwire.store.steps import Step
from taskwire.telemetry import Metrics, logger

# The one account that watches, in service mode.
ACCOUNT = "service"
# Items that are read before others get a turn of the loop, and observations in one call to Redis.
PIECE = 100
LEASE_MS = 20_000
# More than so many tasks gone at once is a trouble of the account, not of the tasks.
GONE_AT_ONCE = 5
GONE_SHARE = 10
# Coder is called away when this many sweeps in a row have failed.
FAILURES = 2
AWAY_MS = 7 * 24 * 3_600_000

_log = logger("taskwire.watch")


class Watcher:
    """Watches all linked tasks through one account."""

    def __init__(self, doors: Doors, metrics: Metrics) -> None:
        self._doors = doors
        self._metrics = metrics
        self._body = b""
        # What was stored of each task by this process, so that only what differs is sent to Redis again.
        self._stored: dict[TaskId, bytes] = {}
        self._role_is_owner: bool | None = None
        self._failures = 0
        self.trouble = ""

    async def sweep(self) -> None:
        """Look at all tasks once; a failure is noted, told on the cards if it lasts, and never raised."""
        number = await self._doors.links.claim_sweep(ACCOUNT, LEASE_MS)
        if number is None:
            return
        started = time.monotonic()
        try:
            body = await self._doors.coder.list_tasks_raw()
            await self._look(number, body)
        except OutsideError as error:
            await self._failed(error)
        else:
            await self._succeeded(time.monotonic() - started)
        finally:
            await self._doors.links.end_sweep(ACCOUNT, number)

    async def _look(self, number: int, body: bytes) -> None:
        linked = await self._doors.links.list_open()
        self._metrics.links.set(len(linked))
        if body == self._body and not linked.keys() - self._stored.keys():
            return
        items = {TaskId(models.item_id(item)): item for item in models.cut_list(body)}
        if await self._store(number, items, linked):
            await self._miss(number, [task for task in linked if task not in items], linked)
            self._body = body

    async def _store(self, number: int, items: dict[TaskId, bytes], linked: dict[TaskId, LinkId]) -> bool:
        changed = [task for task in linked if task in items and self._stored.get(task) != _mark(items[task])]
        for start in range(0, len(changed), PIECE):
            piece = changed[start : start + PIECE]
            sightings = [Sighting.of(observation_of(models.parse_task(items[task]))) for task in piece]
            if not await self._doors.links.observe(ACCOUNT, number, sightings):
                return False
            self._stored.update({task: _mark(items[task]) for task in piece})
            await asyncio.sleep(0)
        self._stored = {task: mark for task, mark in self._stored.items() if task in linked}
        return True

    async def _miss(self, number: int, missing: list[TaskId], linked: dict[TaskId, LinkId]) -> None:
        """A linked task that two lists did not show may be gone; be certain before it is said."""
        # What is missing is looked for again at the next tick, whatever the body.
        for task in missing:
            self._stored.pop(task, None)
        links = await self._doors.links.miss(ACCOUNT, number, missing)
        if not links:
            return
        if len(links) > max(GONE_AT_ONCE, len(linked) // GONE_SHARE):
            self.trouble = (
                f"{len(links)} of {len(linked)} tasks vanished at once: has the account lost rights?"
            )
            _log.error("too many tasks are gone at once", count=len(links), linked=len(linked))
            return
        if not await self._reads_as_before():
            return
        found = await self._doors.links.list_bonds(links)
        for link in found.values():
            if await self._is_gone(link):
                job = Job(id=f"vanished:{number}", work=Happened(event=Vanished()))
                await self._doors.queue.write(Step().append(tell(link.id), job))

    async def _reads_as_before(self) -> bool:
        """Whether the account still reads itself with the same role."""
        is_owner = (await self._doors.coder.me()).is_owner
        if self._role_is_owner is None:
            self._role_is_owner = is_owner
        return is_owner == self._role_is_owner

    async def _is_gone(self, link: Link) -> bool:
        if link.bond.task_id is None:
            return False
        try:
            await self._doors.coder.get_task(link.bond.task_id)
        except NotFound:
            return True
        return False

    async def _failed(self, error: OutsideError) -> None:
        self._failures += 1
        self._metrics.sweeps.labels("failed").inc()
        _log.warning("sweep failed", error=str(error), in_a_row=self._failures)
        is_refused = isinstance(error, TokenRefused)
        self.trouble = "Coder refuses the token" if is_refused else str(error)
        if self._failures >= FAILURES or is_refused:
            now_ms = int(time.time() * 1000)
            if await self._doors.memory.is_first("coder-away", value=str(now_ms), ttl_ms=AWAY_MS):
                await self._redraw()

    async def _succeeded(self, seconds: float) -> None:
        self._metrics.sweeps.labels("done").inc()
        self._metrics.sweep_seconds.observe(seconds)
        self._metrics.last_sweep.set_to_current_time()
        if self._role_is_owner is None:
            self._role_is_owner = (await self._doors.coder.me()).is_owner
        was_away = self._failures or self.trouble
        self._failures, self.trouble = 0, ""
        if was_away or await self._doors.memory.find("coder-away"):
            await self._doors.memory.forget("coder-away")
            await self._redraw()

    async def _redraw(self) -> None:
        """Let every card say that Coder cannot be reached, or that it is back."""
        for link in (await self._doors.links.list_open()).values():
            await self._doors.queue.write(draw(link))


def _mark(item: bytes) -> bytes:
    return hashlib.blake2b(item, digest_size=16).digest()
