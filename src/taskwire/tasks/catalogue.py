"""Reads Coder's whole list of tasks, with the link and the channel of each task.

The list may have ten thousand tasks. It is read in pieces, so that other work can run in between. At first
only the id, owner and name of each task are read.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

from taskwire.coder import lists, models
from taskwire.coder.errors import UnexpectedCoderAnswer
from taskwire.coder.lists import Item, TaskEntry
from taskwire.coder.models import Task
from taskwire.dependencies import Dependencies
from taskwire.domain.ids import ChannelId, LinkId, TaskId
from taskwire.telemetry import logger

_log = logger("taskwire.tasks.catalogue")


@dataclass(frozen=True, slots=True)
class CatalogueEntry:
    """A task in Coder's list, and the task's open link, if it has one."""

    position: int
    entry: TaskEntry
    link: LinkId | None
    _item: Item | Task

    def read(self) -> Task:
        """Return the whole task. Parse it if it was not parsed yet. Raises `OutcomeUnknown` if that fails."""
        return self._item if isinstance(self._item, Task) else models.parse_task(bytes(self._item))


class Catalogue:
    """Coder's list of all tasks at one moment."""

    def __init__(self) -> None:
        self.entries: list[CatalogueEntry] = []
        self._by_owner: dict[str, list[CatalogueEntry]] = defaultdict(list)
        self._by_link: dict[LinkId, CatalogueEntry] = {}
        self._by_channel: dict[ChannelId, list[CatalogueEntry]] = defaultdict(list)

    def add(
        self, item: Item | Task, entry: TaskEntry, link: LinkId | None, channel: ChannelId | None
    ) -> None:
        """Add the next task of Coder's list."""
        listed = CatalogueEntry(len(self.entries), entry, link, item)
        self.entries.append(listed)
        self._by_owner[entry.owner_id].append(listed)
        if link is not None:
            self._by_link[link] = listed
        if channel is not None:
            self._by_channel[channel].append(listed)

    def has_link(self, link: LinkId) -> bool:
        """Return whether the list has the task of this link."""
        return link in self._by_link

    def list_of(
        self, owner_id: str | None, channel: ChannelId, links: Iterable[LinkId]
    ) -> list[CatalogueEntry]:
        """List an owner's tasks, the tasks with a thread in this channel, and the tasks of these links."""
        own = self._by_owner.get(owner_id, []) if owner_id else []
        here = self._by_channel.get(channel, [])
        shared = [self._by_link[link] for link in links if link in self._by_link]
        found = {listed.position: listed for listed in (*own, *here, *shared)}
        return [found[position] for position in sorted(found)]


class CatalogueReader:
    """Reads the list of all tasks from Coder."""

    def __init__(self, deps: Dependencies) -> None:
        self._deps = deps
        # The channel of a link's thread never changes.
        self._channels: dict[LinkId, ChannelId] = {}

    async def read(self, list_tasks: Callable[[], Awaitable[bytes]]) -> Catalogue:
        """Read the list of all tasks that an account sees. Also read the channels of the tasks' threads.

        `list_tasks` requests the list. Raise TooLong if the list is too long to be read.
        """
        body = await list_tasks()
        linked = await self._deps.links.list_open()
        await self._update_channels(linked.values())
        catalogue = Catalogue()
        for piece in lists.iter_chunks(body):
            for item in piece:
                self._add(item, linked, catalogue)
            await asyncio.sleep(0)
        return catalogue

    def _add(self, item: Item, linked: dict[TaskId, LinkId], catalogue: Catalogue) -> None:
        try:
            entry = lists.read_entry(item)
        except UnexpectedCoderAnswer as error:
            _log.warning("task in Coder's list not readable, left out", error=str(error))
            return
        link = linked.get(TaskId(entry.id))
        catalogue.add(item, entry, link, self._channels.get(link) if link is not None else None)

    async def _update_channels(self, links: Iterable[LinkId]) -> None:
        """Read the channels of new links, and forget the channels of links that have ended."""
        known = {link: self._channels.get(link) for link in links}
        found = await self._deps.links.list_channels(link for link, where in known.items() if where is None)
        self._channels = {link: where for link, where in (known | found).items() if where is not None}
