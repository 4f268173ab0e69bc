"""From the name that a person typed to one task that they may see.

In service mode a person sees their own tasks and those whose thread is in the conversation where they ask;
administrators see all. What may not be seen does not exist in any answer or suggestion.
"""

from dataclasses import dataclass

from taskwire.bridge.bonds import bare_bond
from taskwire.bridge.doors import Doors
from taskwire.bridge.people import Account, People
from taskwire.coder.models import Task
from taskwire.model.commands import TaskName
from taskwire.model.errors import UserError
from taskwire.model.grammar import nearest
from taskwire.model.ids import ChannelId, LinkId, TaskId, UserId, ts_of
from taskwire.model.jobs import Asker
from taskwire.model.links import Link
from taskwire.words import refusals


@dataclass(frozen=True)
class Seen:
    """A task that a person may see, and its open link if it has one."""

    task: Task
    link: Link | None


class Lookup:
    """Finds tasks for people."""

    def __init__(self, doors: Doors, people: People) -> None:
        self._doors = doors
        self._people = people

    async def list_seen(self, person: UserId, channel: ChannelId) -> list[Seen]:
        """All tasks that this person may see here."""
        is_admin = await self._people.is_admin(person)
        account = await self.account_of(person)
        linked = await self._doors.links.list_open()
        tasks = await self._doors.coder.list_tasks()
        wanted: dict[TaskId, LinkId] = {
            TaskId(task.id): linked[TaskId(task.id)] for task in tasks if task.id in linked
        }
        links = await self._doors.links.list_links(wanted.values())
        seen = [Seen(task, links.get(wanted.get(TaskId(task.id), LinkId("")))) for task in tasks]
        return [
            each
            for each in seen
            if is_admin
            or (account is not None and each.task.owner_id == account.id)
            or (each.link is not None and each.link.bond.channel == channel)
        ]

    async def get(self, person: UserId, channel: ChannelId, name: TaskName) -> Seen:
        """The one task of this name; raises UserError that offers what comes near."""
        seen = await self.list_seen(person, channel)
        account = await self.account_of(person)
        found = _matching(seen, name, account.username if account else "")
        if len(found) == 1:
            return found[0]
        if found:
            raise UserError(*refusals.several_tasks(str(name), [_full_name(each.task) for each in found]))
        if name.id:
            raise UserError(*refusals.no_such_id())
        names = [each.task.name for each in seen]
        raise UserError(*refusals.no_such_task(str(name), nearest(name.name, names)))

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


def _matching(seen: list[Seen], name: TaskName, own: str) -> list[Seen]:
    """The exact one, one's own before others' of the same name; else those that begin so."""
    if name.id:
        return [each for each in seen if each.task.id.lower() == name.id]
    pool = [each for each in seen if not name.owner or each.task.owner_name.lower() == name.owner]
    exact = [each for each in pool if each.task.name.lower() == name.name]
    mine = [each for each in exact if each.task.owner_name == own]
    if exact:
        return mine if len(mine) == 1 else exact
    begins = [each for each in pool if each.task.name.lower().startswith(name.name)]
    mine = [each for each in begins if each.task.owner_name == own]
    return mine if len(mine) == 1 and len(begins) > 1 and not name.owner else begins


def _full_name(task: Task) -> str:
    return f"{task.owner_name}/{task.name}"
