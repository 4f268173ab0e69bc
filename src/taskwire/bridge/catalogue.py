"""All of Coder's tasks as they stand, by whose they are and by where their threads are.

The list may be of ten thousand tasks. It is gone through once for all who ask at the same time, in pieces,
and of each task only that is read which tells it from others, until somebody wants to see it.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from taskwire.bridge.doors import Doors
from taskwire.coder import lists, models
from taskwire.coder.errors import Nonsense
from taskwire.coder.lists import Entry, Item
from taskwire.coder.models import Task
from taskwire.model.ids import ChannelId, LinkId, TaskId
from taskwire.telemetry import logger

_log = logger("taskwire.catalogue")


@dataclass(frozen=True, slots=True)
class Listed:
    """One task, as it stands in the list, and its open link if it has one."""

    place: int
    entry: Entry
    link: LinkId | None
    _item: Item

    def read(self) -> Task:
        """Read all of it; raises `Unknown` on nonsense."""
        return models.parse_task(bytes(self._item))


class Catalogue:
    """The list at one moment."""

    def __init__(self) -> None:
        self.all: list[Listed] = []
        self._of_owner: dict[str, list[Listed]] = defaultdict(list)
        self._in_channel: dict[ChannelId, list[Listed]] = defaultdict(list)

    def add(self, item: Item, entry: Entry, link: LinkId | None, channel: ChannelId | None) -> None:
        """Add the next task."""
        listed = Listed(len(self.all), entry, link, item)
        self.all.append(listed)
        self._of_owner[entry.owner_id].append(listed)
        if channel is not None:
            self._in_channel[channel].append(listed)

    def of(self, owner_id: str | None, channel: ChannelId) -> list[Listed]:
        """The tasks of an owner, and those whose threads are in a channel, in Coder's order."""
        own = self._of_owner.get(owner_id, []) if owner_id else []
        here = self._in_channel.get(channel, [])
        found = {listed.place: listed for listed in (*own, *here)}
        return [found[place] for place in sorted(found)]


class Cataloguer:
    """Makes catalogues."""

    def __init__(self, doors: Doors) -> None:
        self._doors = doors
        # Where a link's thread is never changes.
        self._channels: dict[LinkId, ChannelId] = {}

    async def make(self) -> Catalogue:
        """Ask Coder for all tasks, and note where their threads are."""
        body = await self._doors.coder.list_tasks_raw()
        linked = await self._doors.links.list_open()
        await self._learn(linked.values())
        made = Catalogue()
        for piece in lists.pieces(body):
            for item in piece:
                self._add(item, linked, made)
            await asyncio.sleep(0)
        return made

    def _add(self, item: Item, linked: dict[TaskId, LinkId], made: Catalogue) -> None:
        try:
            entry = lists.entry(item)
        except Nonsense as error:
            _log.warning("a task cannot be listed", error=str(error))
            return
        link = linked.get(TaskId(entry.id))
        made.add(item, entry, link, self._channels.get(link) if link is not None else None)

    async def _learn(self, links: Iterable[LinkId]) -> None:
        """Read in which channels the links are that are not known yet, and forget those that have ended."""
        known = {link: self._channels.get(link) for link in links}
        found = await self._doors.links.list_channels(link for link, where in known.items() if where is None)
        self._channels = {link: where for link, where in (known | found).items() if where is not None}
