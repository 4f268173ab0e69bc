"""Polls the linked tasks owner by owner, while Coder's list of all tasks is too long to be read.

A round requests each owner's list. So only owners whose own list is too long are polled task by task, and
their tasks delay nobody else's for long. The requests keep a distance, so a round with many owners takes
longer than a poll of the whole list. Only owners of linked tasks are polled.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from taskwire.coder.client import CoderClient
from taskwire.dependencies import Dependencies
from taskwire.domain.errors import AccountRefused, OutsideError
from taskwire.domain.ids import LinkId
from taskwire.polling.task_list import POLL_LEASE_MS, Linked, ReadList, TaskListReader
from taskwire.state.links import LinkOwner
from taskwire.state.observations import Poll
from taskwire.telemetry import Metrics, logger

# The time between two requests. Coder answers 512 requests for lists a minute, and people ask for lists too.
LIST_DISTANCE_SECONDS = 0.25

_log = logger("taskwire.polling.owner_lists")


class ReadOwners(NamedTuple):
    """A round that was read: the linked tasks that are missing, and the owner of the longest list.

    `longest` is this owner's id in Coder, and `longest_bytes` is the length of the list; 0 if the list is too
    long to be read.
    """

    missing: Linked
    longest: str = ""
    longest_bytes: int = 0


class OwnerLists:
    """Polls the linked tasks of one account owner by owner.

    `account` is the name under which the polls of this account are numbered. `note_owner_read` is called
    after each owner whose tasks were read.
    """

    def __init__(
        self,
        deps: Dependencies,
        metrics: Metrics,
        account: str,
        note_owner_read: Callable[[], Awaitable[None]],
    ) -> None:
        self._deps = deps
        self._metrics = metrics
        self._account = account
        self._note_owner_read = note_owner_read
        self._readers: dict[str, TaskListReader] = {}
        self._owners: dict[LinkId, LinkOwner] = {}
        # The number of the latest poll that has begun to read each owner's tasks.
        self._last_polls: dict[str, int] = {}

    def forget(self) -> None:
        """Forget which observations this process has stored. The next round stores all of them again."""
        self._readers = {}

    async def read(self, coder: CoderClient, poll: Poll, linked: Linked) -> ReadOwners | None:
        """Read the tasks of every owner once, and store the changes. Return None if a newer poll has begun.

        If no owner's tasks can be read, raise the latest error of Coder's client.
        """
        tasks = await self._group_by_owner(linked)
        missing, failed, is_any_read = Linked(), None, False
        # If a newer poll ends this round, the next round begins with the owners that this one did not reach.
        for owner in sorted(tasks, key=lambda each: (self._last_polls.get(each, 0), each)):
            # Note this before the reading. Otherwise an owner whose reading is always overtaken would come
            # first in every round, and nobody else would have a turn.
            self._last_polls[owner] = poll.number
            try:
                seen = await self._read_owner(coder, poll, owner, tasks[owner])
            except AccountRefused:
                raise
            except OutsideError as error:
                _log.warning("tasks of one owner not polled, will poll again", owner=owner, error=str(error))
                failed = error
            else:
                if seen == "overtaken":
                    return None
                missing |= seen.missing if isinstance(seen, ReadList) else {}
                is_any_read = True
                await self._note_owner_read()
            await self._deps.observations.renew(self._account, POLL_LEASE_MS)
            await asyncio.sleep(LIST_DISTANCE_SECONDS)
        if failed is not None and not is_any_read:
            raise failed
        return self._find_longest(missing)

    async def _group_by_owner(self, linked: Linked) -> dict[str, Linked]:
        """Return the linked tasks of each owner. Tasks whose owner is not known have an empty owner."""
        known = {link: self._owners[link] for link in linked.values() if link in self._owners}
        unknown = [link for link in linked.values() if link not in known]
        self._owners = known | await self._deps.links.list_owners(unknown)
        tasks: dict[str, Linked] = {}
        for task, link in linked.items():
            owner = self._owners[link].user_id if link in self._owners else ""
            tasks.setdefault(owner, {})[task] = link
        self._readers = {
            owner: self._readers.get(owner) or TaskListReader(self._deps, self._metrics, self._account)
            for owner in tasks
        }
        self._last_polls = {owner: number for owner, number in self._last_polls.items() if owner in tasks}
        return tasks

    async def _read_owner(self, coder: CoderClient, poll: Poll, owner: str, linked: Linked) -> ReadList | str:
        reader = self._readers[owner]
        if not owner:
            return await reader.read_singly(poll, coder, linked)
        return await reader.read_owner(poll, coder, owner, linked)

    def _find_longest(self, missing: Linked) -> ReadOwners:
        too_long = next((owner for owner, reader in self._readers.items() if reader.is_too_long), "")
        if too_long:
            return ReadOwners(missing, too_long)
        longest = max(self._readers, key=lambda owner: self._readers[owner].list_bytes, default="")
        return ReadOwners(missing, longest, self._readers[longest].list_bytes if longest else 0)
