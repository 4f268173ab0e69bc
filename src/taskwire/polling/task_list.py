"""Reads Coder's list of tasks for one account, and stores the changes.

One call to Redis stores a newer observation and appends the job about it. The handler of that job decides
what to do. An unchanged list costs one comparison. A changed list is read in pieces, so that other work does
not have to wait. `poller.py` and `personal_poller.py` request the lists from Coder. If an owner's list
is too long, the owner's linked tasks are read one by one.
"""

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

from taskwire.agent.observing import observation_of
from taskwire.coder import lists, models
from taskwire.coder.client import CoderClient
from taskwire.coder.errors import BadRequest, NotFound, TooLong, UnexpectedCoderAnswer
from taskwire.coder.lists import Item
from taskwire.dependencies import Dependencies
from taskwire.domain.errors import AccountRefused, OutsideError
from taskwire.domain.ids import LinkId, TaskId
from taskwire.domain.lifecycle.events import Vanished
from taskwire.domain.lifecycle.links import Link
from taskwire.domain.lifecycle.phases import Phase
from taskwire.domain.queueing.jobs import ApplyEvent, Job, PostText
from taskwire.domain.queueing.queues import to_thread
from taskwire.messages import notices
from taskwire.queue.batch import Batch
from taskwire.state.observations import Poll, StoredObservation
from taskwire.telemetry import Metrics, logger

# How many observations one call to Redis stores. Such a call takes two or three milliseconds.
BATCH_SIZE = 50
# How long the right to poll lasts during a request, in ms.
POLL_LEASE_MS = 9_000
# How many tasks of an owner are read one by one in a poll.
MOST_SINGLE_TASKS = 20

Linked = dict[TaskId, LinkId]
Digests = dict[TaskId, int]
_log = logger("taskwire.polling.task_list")


@dataclass
class _ListProgress:
    """What the poller has read from the list so far.

    `changed` has the tasks to store: each task's id with its link and its JSON. `new` maps the ids of tasks
    without a link to their JSON; Redis is asked whether these tasks had a link before. `unlinked` has tasks
    that never had a link. `revived` has tasks whose links were reopened.
    """

    digests: Digests = field(default_factory=dict)
    unlinked: set[TaskId] = field(default_factory=set)
    revived: Linked = field(default_factory=dict)
    changed: dict[TaskId, tuple[LinkId, bytes]] = field(default_factory=dict)
    new: dict[TaskId, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class ReadList:
    """A list that was read.

    `linked` maps its tasks to their links, including links that were just reopened. `missing` are the linked
    tasks that the list does not have.
    """

    linked: Linked
    missing: Linked


class TaskListReader:
    """Reads the task lists of one account.

    `account` is the name under which the polls of this account are numbered.
    """

    def __init__(self, deps: Dependencies, metrics: Metrics, account: str) -> None:
        self._deps = deps
        self._metrics = metrics
        self._account = account
        self._last_poll_number = 0
        # The digest of the latest list that was processed. A list of ten thousand tasks has 13 MB.
        self._list_digest = b""
        self._last_linked: Linked = {}
        # Digests of the observations that this process has stored, so that only changes are sent to Redis.
        self._stored_digests: Digests = {}
        # Tasks without a link. When a task is first seen, Redis is asked whether it had a link before.
        self._unlinked: set[TaskId] = set()
        # The length of the latest list, and whether the latest list was too long to be read.
        self.list_bytes, self.is_too_long = 0, False
        # How many tasks were read one by one so far.
        self._read_singly = 0

    def forget(self) -> None:
        """Forget which observations this process has stored. All tasks of the next list are stored."""
        self._list_digest, self._stored_digests, self._unlinked = b"", {}, set()

    async def read(self, poll: Poll, body: bytes, linked: Linked) -> ReadList | str:
        """Read a list, store the changes, and return what was read.

        Return the word `unchanged` if there are no changes. Return the word `overtaken` if a newer poll has
        begun.
        """
        if poll.number not in (self._last_poll_number, self._last_poll_number + 1):
            # Another process has polled in the meantime. So perhaps this process does not know the newest
            # stored observations.
            self.forget()
        self._last_poll_number = poll.number
        self.list_bytes, self.is_too_long = len(body), False
        # Hashing takes some milliseconds, so a worker thread does it. The event loop goes on in the meantime.
        digest = (await asyncio.to_thread(hashlib.sha256, body)).digest()
        if digest == self._list_digest and linked == self._last_linked:
            return "unchanged"
        seen = await self._read_list(poll, body, linked)
        if seen is None:
            return "overtaken"
        linked = linked | seen.revived
        missing = {task: link for task, link in linked.items() if task not in seen.digests}
        # A missing task is searched for again at the next poll, even if the list is unchanged.
        self._list_digest, self._last_linked = b"" if missing else digest, linked
        return ReadList(linked, missing)

    async def read_owner(self, poll: Poll, coder: CoderClient, owner: str, linked: Linked) -> ReadList | str:
        """Ask Coder for the list of one owner, and read it as `read` does.

        If the list is too long, or Coder does not know the owner, read the linked tasks one by one.
        """
        try:
            body = await coder.list_tasks_raw(f"owner:{owner}")
        except (TooLong, BadRequest) as error:
            self.is_too_long = isinstance(error, TooLong)
            return await self.read_singly(poll, coder, linked)
        return await self.read(poll, body, linked)

    async def read_singly(self, poll: Poll, coder: CoderClient, linked: Linked) -> ReadList | str:
        """Ask Coder for the next few of these tasks one by one, and store what it shows of them.

        Return what was read of these few, or the word `overtaken` if a newer poll has begun. If no task can
        be read, raise the latest error of Coder's client.
        """
        # Tasks that were stored one by one are not in the digests.
        self.forget()
        part = self._choose_next(linked)
        found, missing, failed = list[StoredObservation](), Linked(), None
        for task, link in part.items():
            # The requests together take longer than the right to poll lasts.
            await self._deps.observations.renew(self._account, POLL_LEASE_MS)
            try:
                seen = observation_of(await coder.get_task(task), self._deps.mask)
            except NotFound:
                missing[task] = link
            except AccountRefused:
                raise
            except OutsideError as error:
                _log.warning("task not readable, its last observation kept", task=task, error=str(error))
                failed = error
            else:
                self._metrics.tasks_read.inc()
                found.append(StoredObservation.of(link, seen))
        if failed is not None and not found and not missing:
            raise failed
        if found and not await self._deps.observations.observe(self._account, poll, found):
            return "overtaken"
        return ReadList(part, missing)

    def _choose_next(self, linked: Linked) -> Linked:
        tasks = sorted(linked)
        start = self._read_singly % max(1, len(tasks))
        chosen = (tasks[start:] + tasks[:start])[:MOST_SINGLE_TASKS]
        self._read_singly = start + len(chosen)
        return {task: linked[task] for task in chosen}

    async def count_missing(self, poll: Poll, missing: Linked) -> list[Link] | None:
        """Record that a list did not show these tasks. Return the links of those tasks that may be gone.

        A task may be gone if two lists in a row have not shown it. Return None if a newer poll has begun.
        """
        links, pairs = list[LinkId](), list(missing.items())
        for start in range(0, len(pairs), BATCH_SIZE):
            piece = pairs[start : start + BATCH_SIZE]
            missed = await self._deps.observations.count_missing(self._account, poll, piece)
            if missed is None:
                self._list_digest = b""
                return None
            links += missed
        found = await self._deps.links.list_links(links)
        # Leave out tasks that are already reported as gone.
        return [link for link in found.values() if link.state.phase is not Phase.GONE]

    async def _read_list(self, poll: Poll, body: bytes, linked: Linked) -> _ListProgress | None:
        """Read the list in pieces and store the changes. Return None if a newer poll has begun."""
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
            _log.warning("task without an id in Coder's list, left out", error=str(error))
            return
        text, link = bytes(item), linked.get(task)
        if link is None:
            seen.unlinked.add(task)
            if task not in self._unlinked:
                seen.new[task] = text
            return
        seen.digests[task] = _digest_of(link, text)
        if self._stored_digests.get(task) != seen.digests[task]:
            seen.changed[task] = (link, text)

    async def _store(self, poll: Poll, seen: _ListProgress) -> bool:
        await self._revive(poll, seen)
        changed = list(seen.changed.items())
        for start in range(0, len(changed), BATCH_SIZE):
            piece = changed[start : start + BATCH_SIZE]
            if not await self._deps.observations.observe(
                self._account, poll, self._parse_observations(piece)
            ):
                return False
            self._stored_digests.update({task: seen.digests[task] for task, _ in piece})
        seen.changed.clear()
        return True

    def _parse_observations(
        self, piece: list[tuple[TaskId, tuple[LinkId, bytes]]]
    ) -> list[StoredObservation]:
        found = []
        for task, (link, text) in piece:
            self._metrics.tasks_read.inc()
            try:
                seen = observation_of(models.parse_task(text), self._deps.mask)
                found.append(StoredObservation.of(link, seen))
            except UnexpectedCoderAnswer as error:
                # If a newer Coder shows one task in another format, the other tasks must still be observed.
                _log.warning("task not readable, its last observation kept", task=task, error=str(error))
        return found

    async def _revive(self, poll: Poll, seen: _ListProgress) -> None:
        """Reopen the links of tasks that were reported as gone and are in the list again."""
        gone_before = await self._deps.links.list_gone(seen.new)
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
            if await self._deps.observations.revive(self._account, poll, task, gone.link, job):
                seen.revived[task] = gone.link
                seen.changed[task] = (gone.link, seen.new[task])
                seen.digests[task] = _digest_of(gone.link, seen.new[task])
        seen.new.clear()


async def report_gone(deps: Dependencies, coder: CoderClient, poll: Poll, suspects: Sequence[Link]) -> None:
    """Report the tasks that Coder no longer shows to the account."""
    for link in suspects:
        if await _is_gone(coder, link):
            job = Job(id=f"vanished:{poll.number}", work=ApplyEvent(event=Vanished()))
            await deps.queues.write(Batch().append(to_thread(link.id), job))


async def _is_gone(coder: CoderClient, link: Link) -> bool:
    if link.record.task_id is None:
        return False
    try:
        await coder.get_task(link.record.task_id)
    except NotFound:
        return True
    return False


def _digest_of(link: LinkId, text: bytes) -> int:
    """Return a 64-bit digest of a link and its task's JSON.

    The digest changes when the link or the JSON changes.
    """
    return hash((link, text))
