"""From the name that a person typed to one task that they may see.

In service mode a person sees their own tasks and those whose thread is in the conversation where they ask;
administrators see all. What may not be seen does not exist in any answer or suggestion. An exact name costs
one task of Coder's, anything else the whole list; of links only those are read that matter.
"""

import asyncio
from dataclasses import dataclass

from taskwire.bridge.bonds import bare_bond
from taskwire.bridge.doors import Doors
from taskwire.bridge.people import Account, People
from taskwire.bridge.shared import Shared
from taskwire.coder.errors import NotFound
from taskwire.coder.models import Task
from taskwire.model.commands import TaskName
from taskwire.model.errors import UserError
from taskwire.model.grammar import nearest
from taskwire.model.ids import ChannelId, LinkId, TaskId, UserId, ts_of
from taskwire.model.jobs import Asker
from taskwire.model.links import Link
from taskwire.words import refusals

PIECE = 100


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

    def has(self, task: Task) -> bool:
        """Whether the task may be seen wherever its thread is."""
        return self.is_admin or (self.account is not None and task.owner_id == self.account.id)


class Lookup:
    """Finds tasks for people."""

    def __init__(self, doors: Doors, people: People) -> None:
        self._doors = doors
        self._people = people
        self._tasks = Shared(doors.coder.list_tasks)
        # Where a link's thread is never changes.
        self._channels: dict[LinkId, ChannelId] = {}

    async def list_seen(self, person: UserId, channel: ChannelId) -> list[Seen]:
        """All tasks that this person may see here."""
        viewer = await self._viewer(person, channel)
        return await self._with_links(await self._visible(await self._tasks.get(), viewer))

    async def get(self, person: UserId, channel: ChannelId, name: TaskName) -> Seen:
        """The one task of this name; raises UserError that offers what comes near."""
        viewer = await self._viewer(person, channel)
        found = await self._exact(name, viewer) or await self._among_all(name, viewer)
        if len(found) > 1:
            raise UserError(*refusals.several_tasks(str(name), [_full_name(task) for task in found]))
        return (await self._with_links(found))[0]

    async def _viewer(self, person: UserId, channel: ChannelId) -> _Viewer:
        is_admin = await self._people.is_admin(person)
        return _Viewer(channel, await self.account_of(person), is_admin)

    async def _exact(self, name: TaskName, viewer: _Viewer) -> list[Task]:
        """The task of exactly this name, one's own before others'; Coder is asked for it alone."""
        owner = name.owner or viewer.username
        if not name.id and not owner:
            return []
        try:
            task = await self._doors.coder.get_task(name.id or f"{owner}/{name.name}")
        except NotFound:
            return []
        return await self._visible([task], viewer)

    async def _among_all(self, name: TaskName, viewer: _Viewer) -> list[Task]:
        """Others' tasks of this name, or those that begin so; raises UserError if there are none."""
        if name.id:
            raise UserError(*refusals.no_such_id())
        seen = await self._visible(await self._tasks.get(), viewer)
        pool = [task for task in seen if not name.owner or task.owner_name.lower() == name.owner]
        if exact := [task for task in pool if task.name.lower() == name.name]:
            return exact
        if begins := [task for task in pool if task.name.lower().startswith(name.name)]:
            mine = [task for task in begins if task.owner_name == viewer.username]
            return mine if len(mine) == 1 and not name.owner else begins
        raise UserError(*refusals.no_such_task(str(name), await _nearest(name.name, seen)))

    async def _visible(self, tasks: list[Task], viewer: _Viewer) -> list[Task]:
        """Those of the tasks that the viewer may see."""
        foreign = [TaskId(task.id) for task in tasks if not viewer.has(task)]
        channels = await self._where(foreign) if foreign else {}
        return [task for task in tasks if viewer.has(task) or channels.get(TaskId(task.id)) == viewer.channel]

    async def _where(self, tasks: list[TaskId]) -> dict[TaskId, ChannelId]:
        """In which channel the thread of each of these tasks is; each link is read once for that."""
        linked = await self._doors.links.list_open()
        links = {task: linked[task] for task in tasks if task in linked}
        unknown = [link for link in links.values() if link not in self._channels]
        known = self._channels | await self._doors.links.list_channels(unknown)
        self._channels = {link: known[link] for link in linked.values() if link in known}
        return {task: known[link] for task, link in links.items() if link in known}

    async def _with_links(self, tasks: list[Task]) -> list[Seen]:
        if len(tasks) == 1:
            return [Seen(tasks[0], await self._doors.links.find_by_task(TaskId(tasks[0].id)))]
        linked = await self._doors.links.list_open()
        wanted = {task.id: linked[TaskId(task.id)] for task in tasks if task.id in linked}
        links = await self._doors.links.list_links(wanted.values())
        return [Seen(task, links.get(wanted.get(task.id, LinkId("")))) for task in tasks]

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


async def _nearest(word: str, tasks: list[Task]) -> tuple[str, ...]:
    """The names that come near; in pieces, since comparing takes its time."""
    near: list[str] = []
    for start in range(0, len(tasks), PIECE):
        near += [task.name for task in tasks[start : start + PIECE] if nearest(word, (task.name,))]
        await asyncio.sleep(0)
    return nearest(word, near)


def _full_name(task: Task) -> str:
    return f"{task.owner_name}/{task.name}"
