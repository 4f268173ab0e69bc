"""From the name that a person typed to one task that they may see.

In service mode a person sees their own tasks and those whose thread is in the conversation where they ask;
administrators see all. What may not be seen does not exist in any answer or suggestion. An exact name costs
one task of Coder's, anything else the whole list; of links only those are read that matter.
"""

import asyncio
from dataclasses import dataclass

from taskwire.bridge.bonds import bare_bond
from taskwire.bridge.catalogue import Catalogue, Cataloguer, Listed
from taskwire.bridge.doors import Doors
from taskwire.bridge.people import Account, People
from taskwire.bridge.shared import Shared
from taskwire.coder.errors import Nonsense, NotFound
from taskwire.coder.models import Task
from taskwire.model.commands import TaskName
from taskwire.model.errors import UserError
from taskwire.model.grammar import nearest
from taskwire.model.ids import ChannelId, TaskId, UserId, ts_of
from taskwire.model.jobs import Asker
from taskwire.model.links import Link
from taskwire.telemetry import logger
from taskwire.words import refusals

PIECE = 50

_log = logger("taskwire.lookup")


@dataclass(frozen=True)
class Seen:
    """A task that a person may see, and its open link if it has one."""

    task: Task
    link: Link | None


@dataclass(frozen=True)
class _Viewer:
    """Who looks, and from where."""

    channel: ChannelId
    account: Account | None
    is_admin: bool

    @property
    def username(self) -> str:
        """The person's name in Coder, if they have one."""
        return self.account.username if self.account else ""

    def may_see(self, task: Task, link: Link | None) -> bool:
        """Whether a task is theirs, or its thread is here."""
        is_own = self.account is not None and task.owner_id == self.account.id
        return self.is_admin or is_own or (link is not None and link.bond.channel == self.channel)

    def looks_at(self, catalogue: Catalogue) -> list[Listed]:
        """The tasks that they may see."""
        owner_id = self.account.id if self.account else None
        return catalogue.all if self.is_admin else catalogue.of(owner_id, self.channel)


class Lookup:
    """Finds tasks for people."""

    def __init__(self, doors: Doors, people: People) -> None:
        self._doors = doors
        self._people = people
        self._catalogue = Shared(Cataloguer(doors).make)

    async def list_seen(self, person: UserId, channel: ChannelId) -> list[Seen]:
        """All tasks that this person may see here."""
        viewer = await self._viewer(person, channel)
        return await self._read(viewer.looks_at(await self._catalogue.get()))

    async def get(self, person: UserId, channel: ChannelId, name: TaskName) -> Seen:
        """The one task of this name; raises UserError that offers what comes near."""
        viewer = await self._viewer(person, channel)
        exact = await self._exact(name, viewer)
        return exact if exact is not None else await self._among_all(name, viewer)

    async def _viewer(self, person: UserId, channel: ChannelId) -> _Viewer:
        is_admin = await self._people.is_admin(person)
        return _Viewer(channel, await self.account_of(person), is_admin)

    async def _exact(self, name: TaskName, viewer: _Viewer) -> Seen | None:
        """The task of exactly this name, one's own before others'; Coder is asked for it alone."""
        owner = name.owner or viewer.username
        if not name.id and not owner:
            return None
        try:
            task = await self._doors.coder.get_task(name.id or f"{owner}/{name.name}")
        except NotFound:
            return None
        link = await self._doors.links.find_by_task(TaskId(task.id))
        return Seen(task, link) if viewer.may_see(task, link) else None

    async def _among_all(self, name: TaskName, viewer: _Viewer) -> Seen:
        """Another's task of this name, or the one that begins so; raises UserError if that is not one."""
        if name.id:
            raise UserError(*refusals.no_such_id())
        seen = viewer.looks_at(await self._catalogue.get())
        found = _matching(seen, name, viewer.username)
        if len(found) == 1:
            link = found[0].link
            return Seen(found[0].read(), await self._doors.links.find(link) if link is not None else None)
        if found:
            raise UserError(*refusals.several_tasks(str(name), [_full_name(each) for each in found]))
        raise UserError(*refusals.no_such_task(str(name), await _nearest(name.name, seen)))

    async def _read(self, listed: list[Listed]) -> list[Seen]:
        """Read tasks with their links, a few at a time."""
        links = await self._doors.links.list_links(each.link for each in listed if each.link is not None)
        seen: list[Seen] = []
        for start in range(0, len(listed), PIECE):
            for each in listed[start : start + PIECE]:
                try:
                    seen.append(Seen(each.read(), links.get(each.link) if each.link else None))
                except Nonsense as error:
                    # A task that a newer Coder shows in another way must not hide all the others.
                    _log.warning("a task cannot be read", task=each.entry.id, error=str(error))
            await asyncio.sleep(0)
        return seen

    async def get_steerable(self, person: UserId, channel: ChannelId, name: TaskName) -> Seen:
        """The same, if this person may act on it; raises UserError otherwise."""
        seen = await self.get(person, channel, name)
        asker = Asker(person=person, channel=channel, at=ts_of(seen.task.created_at))
        link = seen.link or Link(bond=bare_bond(seen.task, asker))
        await self._people.require_steer(person, link)
        return seen

    async def account_of(self, person: UserId) -> Account | None:
        """The person's account; an administrator needs none to see all."""
        try:
            return await self._people.get_account(person)
        except UserError:
            if not await self._people.is_admin(person):
                raise
            await self._people.get_profile(person)
            return None


def _matching(seen: list[Listed], name: TaskName, own: str) -> list[Listed]:
    """Those of exactly this name, else those that begin so, one's own before others'."""
    pool = [each for each in seen if not name.owner or each.entry.owner_name.lower() == name.owner]
    if exact := [each for each in pool if each.entry.name.lower() == name.name]:
        return exact
    begins = [each for each in pool if each.entry.name.lower().startswith(name.name)]
    mine = [each for each in begins if each.entry.owner_name == own]
    return mine if len(mine) == 1 and not name.owner else begins


async def _nearest(word: str, listed: list[Listed]) -> tuple[str, ...]:
    """The names that come near; in pieces, since comparing takes its time."""
    near: list[str] = []
    for start in range(0, len(listed), PIECE):
        names = (each.entry.name for each in listed[start : start + PIECE])
        near += [name for name in names if nearest(word, (name,))]
        await asyncio.sleep(0)
    return nearest(word, near)


def _full_name(listed: Listed) -> str:
    return f"{listed.entry.owner_name}/{listed.entry.name}"
