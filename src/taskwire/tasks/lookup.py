"""Finds the task that a person names, if the person may see the task.

A person sees their own tasks and the tasks that an owner shares with the person. A person also sees tasks
whose thread is in the conversation where the person asks. Administrators see all tasks. No answer and no
suggestion shows any other task. An exact name costs one request to Coder. Every other search needs Coder's
whole list of tasks.

Without a service account, a person sees the tasks that Coder shows to the person's own account. The person
also sees tasks that an owner shares with the person.

The list may have ten thousand tasks. People who ask at the same time share one request. `catalogue` reads the
list, and `matching` decides which tasks a name fits.
"""

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from taskwire.agent.observing import LONGEST_PROMPT, Mask, make_safe_title, observation_of, with_observation
from taskwire.coder.errors import NotFound, PersonTokenRefused, TooLong, UnexpectedCoderAnswer
from taskwire.coder.lists import TaskEntry
from taskwire.coder.models import Task
from taskwire.dependencies import Dependencies
from taskwire.domain.errors import OutsideError, UserError
from taskwire.domain.ids import LinkId, TaskId, UserId, microseconds
from taskwire.domain.lifecycle.events import Observed
from taskwire.domain.lifecycle.links import Link, LinkRecord
from taskwire.domain.lifecycle.transitions import initial_state
from taskwire.domain.masking.secrets import mask_beginning
from taskwire.domain.parsing import task_names
from taskwire.domain.parsing.naming import digest
from taskwire.domain.parsing.near_misses import MOST_TASKS_OFFERED, SeveralTasks, TaskRow, UnknownTask
from taskwire.domain.parsing.task_names import TaskName
from taskwire.domain.queueing.jobs import ActVerb
from taskwire.domain.requester import Requester
from taskwire.domain.text.agent_text import AgentText, sanitize_for_agent
from taskwire.domain.text.mrkdwn import fold_words
from taskwire.domain.text.thread_context import remove_context
from taskwire.messages import refusals, task_limits
from taskwire.messages.cards import make_unlinked
from taskwire.messages.task_lists import Hosts, TaskLine, get_task_text, task_row
from taskwire.outbox.permalinks import find_permalink
from taskwire.outbox.whole_list import list_all_tasks
from taskwire.people.account_errors import AccountNeeded
from taskwire.people.permissions import People
from taskwire.single_flight import SingleFlight
from taskwire.tasks.catalogue import Catalogue, CatalogueEntry, CatalogueReader
from taskwire.tasks.matching import (
    TASKS_PER_PIECE,
    NearTasks,
    count_words_of_titles,
    list_named,
    list_near,
    list_titled,
)
from taskwire.tasks.viewers import Viewer
from taskwire.telemetry import logger

_log = logger("taskwire.tasks.lookup")


@dataclass(frozen=True)
class VisibleTask:
    """A task that a person may see, and the task's open link, if it has one."""

    task: Task
    link: Link | None


class Following(NamedTuple):
    """The text that follows a task's name in a command. Its first words may belong to the task's title.

    `is_for_agent` is false if the text can only be the title or people.
    """

    text: str = ""
    is_for_agent: bool = False


class TasksNotListed(UserError):
    """Coder's list of tasks is too long to be read, so only a task's whole name finds the task."""


class _ShownTasks(NamedTuple):
    """The names of tasks that may be meant. The first of them also have rows, and links as displayed."""

    names: list[str]
    rows: list[TaskRow]
    links: list[Link]


class Lookup:
    """Finds tasks for people."""

    def __init__(self, deps: Dependencies, people: People) -> None:
        self._deps = deps
        self._people = people
        self._reader = CatalogueReader(deps)
        # People who ask at the same time share one reading of the service account's list.
        self._catalogue = SingleFlight(partial(self._reader.read, partial(list_all_tasks, deps)))

    async def list_visible(self, requester: Requester) -> list[VisibleTask]:
        """List the tasks that this person may see in the conversation where the person asks."""
        viewer = await self._get_viewer(requester)
        return await self._read_tasks(await self._list_visible(viewer))

    async def _list_visible(self, viewer: Viewer) -> list[CatalogueEntry]:
        """List the tasks that the person may see, without those of threads that are about to end.

        Raise TasksNotListed if Coder's list is too long to be read.
        """
        seen = viewer.list_visible(await self._get_catalogue(viewer))
        hidden = await self._people.list_out_of_reach(viewer.list_links_of_channel(seen))
        return [each for each in seen if each.link not in hidden] if hidden else seen

    async def _get_catalogue(self, viewer: Viewer) -> Catalogue:
        """Return the tasks that Coder lists. Raise TasksNotListed if Coder's list is too long to be read."""
        try:
            return await self._read_catalogue(viewer)
        except TooLong:
            raise TasksNotListed(*task_limits.list_too_long_to_search()) from None

    async def _read_catalogue(self, viewer: Viewer) -> Catalogue:
        if self._people.accounts.has_service:
            return await self._catalogue.get()
        catalogue = await self._reader.read(viewer.coder.list_tasks_raw)
        for link in (await self._deps.links.list_links(viewer.shared)).values():
            if not catalogue.has_link(link.id):
                await self._add_shared(link, catalogue)
        return catalogue

    async def _add_shared(self, link: Link, catalogue: Catalogue) -> None:
        """Add a task that Coder shows only to its owner, because the owner shares the task.

        Leave the task out if it cannot be read.
        """
        coder = await self._people.accounts.get_owners_client(link)
        with contextlib.suppress(NotFound, PersonTokenRefused, TooLong):
            task = await coder.get_task(str(link.record.task_id))
            entry = TaskEntry(task.id, task.name, task.owner_id, task.owner_name)
            catalogue.add(task, entry, link.id, link.record.channel)

    async def get(
        self, requester: Requester, name: TaskName, following: Following | None = None
    ) -> VisibleTask:
        """Return the task of this name. If there is none, raise UserError with those that may be meant."""
        try:
            viewer = await self._get_viewer(requester)
        except AccountNeeded:
            shared = await self._find_among_shared(requester.person, name)
            if shared is None:
                raise
            return shared
        exact = await self._find_exact(name, viewer) if not name.title else None
        if exact is not None:
            return exact
        return await self._get_among_all(requester, name, viewer, following or Following())

    async def _find_among_shared(self, person: UserId, name: TaskName) -> VisibleTask | None:
        """Find a task for a person who has connected no account: only what others share with them.

        Without a service account, such a person acts through the owner's account.
        """
        if self._people.accounts.has_service:
            return None
        links = await self._deps.links.list_links(await self._people.list_shared_links(person))
        title = fold_words(name.title)
        found = [each for each in links.values() if each.end_reason is None and _is_named(each, name, title)]
        if len(found) != 1 or found[0].record.task_id is None:
            return None
        coder = await self._people.accounts.get_owners_client(found[0])
        return VisibleTask(await coder.get_task(found[0].record.task_id), found[0])

    async def take_title(self, requester: Requester, name: TaskName, text: str) -> tuple[TaskName, str]:
        """Return NAME and TEXT of `VERB NAME TEXT`. `name` is the first word, and `text` is what follows it.

        If a task's title has several words, and `name` and `text` together begin with these words, NAME is
        the title. A `name` with a hyphen is never the beginning of a title.

        A title of the person's own comes before a shorter title or a name of other people's tasks. If a title
        of theirs is longer, raise SeveralTasks: other people must not take the beginning of a text.
        """
        if name.id or name.owner or name.title or "-" in name.name:
            return name, text
        try:
            viewer = await self._get_viewer(requester)
        except AccountNeeded:
            return name, text
        try:
            seen = await self._list_visible(viewer)
        except TasksNotListed:
            # A whole name is still found.
            return name, text
        own, others = viewer.split_own(seen)
        if any(each.entry.name.lower() == name.name for each in own):
            return name, text
        of_own = await self._count_title_words(own, name, text)
        own_count = max(of_own.values(), default=0)
        if not own_count and any(each.entry.name.lower() == name.name for each in others):
            return name, text
        counts = of_own | await self._count_title_words(others, name, text)
        count = max(counts.values(), default=0)
        if not own_count or count == own_count:
            return task_names.take_words(count, name, text)
        fitting = [each for each in own if counts.get(each.entry.id) == own_count]
        fitting += [each for each in others if counts.get(each.entry.id) == count]
        # Only these are offered. The text may be long.
        offered = fitting[:MOST_TASKS_OFFERED]
        rests = [task_names.take_words(counts[each.entry.id], name, text)[1] for each in offered]
        typed, _ = task_names.take_words(own_count, name, text)
        raise await self._make_several(requester, viewer, str(typed), fitting, rests)

    async def _count_title_words(
        self, listed: list[CatalogueEntry], name: TaskName, text: str
    ) -> dict[str, int]:
        """Return, by the task's id, how many of the typed words are the task's whole title."""
        read = await self._read_tasks(listed)
        titles = ((each.task.id, (each.link or each.task).title) for each in read)
        return await count_words_of_titles(titles, name, text)

    async def find_link(self, requester: Requester, link_id: LinkId) -> Link:
        """Return the link that a button names. Raise UserError if the person may not see the link's task."""
        link = await self._people.find_visible(requester, await self._deps.links.find(link_id))
        if link is None:
            raise UserError(*refusals.no_such_id(), reason="no_such_task")
        return link

    async def find_thread(self, seen: VisibleTask) -> str:
        """Return the address of the task's thread.

        Return an empty text if there is no thread, or if Slack does not return the address.
        """
        if seen.link is None:
            return ""
        try:
            return await find_permalink(self._deps, seen.link.record)
        except OutsideError as error:
            _log.info("permalink not available, answered without it", link=seen.link.id, error=str(error))
            return ""

    async def _get_viewer(self, requester: Requester) -> Viewer:
        is_admin = await self._people.is_admin(requester.person)
        has_service = self._people.accounts.has_service
        shared = await self._people.list_shared_links(requester.person)
        return Viewer(
            requester.person,
            await self._people.places.find_conversation(requester),
            await self._people.find_usable_account(requester.person),
            is_admin or not has_service,
            self._deps.service_coder
            if has_service
            else await self._people.accounts.get_client(requester.person),
            shared,
        )

    async def _find_exact(self, name: TaskName, viewer: Viewer) -> VisibleTask | None:
        """Find the task of exactly this name with one request to Coder.

        A name without an owner means a task of the person who asks.
        """
        owner = name.owner or viewer.username
        if not name.id and not owner:
            return None
        try:
            task = await viewer.coder.get_task(name.id or f"{owner}/{name.name}")
        except NotFound:
            return await self._find_shared(name, viewer)
        link = await self._deps.links.find_by_task(TaskId(task.id))
        if link is not None:
            is_own, accounts = viewer.owns(task), self._people.accounts
            await accounts.check_owner_unless_stored(viewer.person, link, is_own=is_own)
        if not viewer.has_right(task, link) and link is not None and await self._people.is_out_of_reach(link):
            return None
        return VisibleTask(task, link) if viewer.can_see(task, link) else None

    async def _find_shared(self, name: TaskName, viewer: Viewer) -> VisibleTask | None:
        """Find a shared task by its id, although Coder does not show the task to the person's own account."""
        link = await self._deps.links.find_by_task(TaskId(name.id)) if name.id else None
        if self._people.accounts.has_service or link is None or link.id not in viewer.shared:
            return None
        coder = await self._people.accounts.get_owners_client(link)
        return VisibleTask(await coder.get_task(name.id), link)

    async def _get_among_all(
        self, requester: Requester, name: TaskName, viewer: Viewer, following: Following
    ) -> VisibleTask:
        """Return the only task of this name or title. If there is none, look for names that begin with it.

        Raise UserError unless exactly one task fits.
        """
        if name.id:
            raise UserError(*refusals.no_such_id(), reason="no_such_task")
        seen, titles = await self._list_visible(viewer), dict[str, str]()
        found = list_named(seen, name, viewer.username) if not name.title else []
        # A word with a hyphen is a name. A search for titles costs more: it reads tasks and links whole. If
        # only names of other people's tasks fit, the titles of the person's own tasks count too.
        if not name.owner and "-" not in name.name and not viewer.split_own(found)[0]:
            searched = viewer.split_own(seen)[0] if found else seen
            read = await self._read_tasks(searched)
            titles = {each.task.id: fold_words((each.link or each.task).title) for each in read}
            found += list_titled(searched, titles, name.title or name.name, viewer.username)
        if len(found) == 1:
            link = found[0].link
            return VisibleTask(
                found[0].read(), await self._deps.links.find(link) if link is not None else None
            )
        if found:
            found.sort(key=lambda each: each.entry.owner_name != viewer.username)
            raise await self._make_several(requester, viewer, str(name), found)
        near = await list_near(seen, titles, name, following.text)
        raise await self._make_unknown(requester, name, viewer, near, following)

    async def _make_several(
        self,
        requester: Requester,
        viewer: Viewer,
        typed: str,
        found: list[CatalogueEntry],
        rests: Sequence[str] = (),
    ) -> SeveralTasks:
        """Return the error that says that several tasks fit what was typed."""
        names, rows, links = await self._show_tasks(requester, viewer, found)
        return SeveralTasks(*refusals.several_tasks(typed, names), typed, names, rows, links, rests)

    async def _make_unknown(
        self, requester: Requester, name: TaskName, viewer: Viewer, near: NearTasks, following: Following
    ) -> UserError:
        """Return the error that says that no task has this name. It offers the tasks that may be meant."""
        near.entries.sort(key=lambda each: each.entry.owner_name != viewer.username)
        names, rows, links = await self._show_tasks(requester, viewer, near.entries)
        short = [each.entry.name for each in near.entries[: len(rows)]]
        words = near.words
        if not rows and following.text and not following.is_for_agent:
            words = f"{words} {following.text}"
        if name.title or " " in words:
            refusal = refusals.no_such_title(words, short)
        else:
            refusal = refusals.no_such_task(words, short)
        if not rows and not name.title:
            return UserError(*refusal, reason="no_such_task")
        return UnknownTask(*refusal, name.title, names, rows, near.rest, links)

    async def _show_tasks(
        self, requester: Requester, viewer: Viewer, found: list[CatalogueEntry]
    ) -> _ShownTasks:
        """Return the names of these tasks, and the first tasks in the form of a list."""
        read = await self._read_tasks(found[:MOST_TASKS_OFFERED])
        names = [f"{each.task.owner_name}/{each.task.name}" for each in read]
        names += [f"{each.entry.owner_name}/{each.entry.name}" for each in found[MOST_TASKS_OFFERED:]]
        rows = await self.make_rows(requester, read, viewer.username)
        now_ms = microseconds(requester.at) // 1000
        return _ShownTasks(names, rows, [make_displayed_link(self._deps, each, now_ms) for each in read])

    async def make_rows(
        self, requester: Requester, seen: Sequence[VisibleTask], username: str
    ) -> list[TaskRow]:
        """Return a row of a list for each task. `username` is the reader's name in Coder."""
        rows, hosts = [], Hosts(self._deps.coder_url, self._deps.forges)
        for number, each in enumerate(seen):
            link = make_displayed_link(self._deps, each, microseconds(requester.at) // 1000)
            item = TaskLine(link, await self.find_thread(each), is_own=each.task.owner_name == username)
            rows.append((task_row(f"task.{number}", item, hosts), get_task_text(item)))
        return rows

    async def _read_tasks(self, listed: list[CatalogueEntry]) -> list[VisibleTask]:
        """Read the whole tasks with their links, a few tasks at a time."""
        links = await self._deps.links.list_links(each.link for each in listed if each.link is not None)
        seen: list[VisibleTask] = []
        for start in range(0, len(listed), TASKS_PER_PIECE):
            for each in listed[start : start + TASKS_PER_PIECE]:
                try:
                    seen.append(VisibleTask(each.read(), links.get(each.link) if each.link else None))
                except UnexpectedCoderAnswer as error:
                    # If one task cannot be parsed, for example because Coder is newer, the other tasks must
                    # still be found.
                    _log.warning("task not readable, left out", task=each.entry.id, error=str(error))
            await asyncio.sleep(0)
        return seen

    async def get_permitted(self, verb: ActVerb, requester: Requester, name: TaskName) -> VisibleTask:
        """Return the task of this name. Raise UserError if the person may not do `verb` to the task."""
        seen = await self.get(requester, name)
        link = seen.link or Link(record=bare_record(seen.task, requester, self._deps.mask))
        await self._people.require_right_to(verb, requester, link)
        return seen


def _is_named(link: Link, name: TaskName, title: str) -> bool:
    """Return whether this is the id, the name or the title of the link's task. `title` is folded."""
    record = link.record
    if name.id:
        return record.task_id == name.id
    if name.owner and record.owner_name.lower() != name.owner:
        return False
    return title == fold_words(link.title) if title else record.name.lower() == name.name


def make_displayed_link(deps: Dependencies, seen: VisibleTask, now_ms: int) -> Link:
    """Return the link with the task's present state.

    For a task without a link, make one from Coder's list.
    """
    observed = Observed(observation=observation_of(seen.task, deps.mask))
    if seen.link is None:
        return make_unlinked(observed.observation, initial_state(observed, deps.rules, now_ms))
    return with_observation(seen.link, observed, deps.rules, now_ms)


def bare_record(task: Task, requester: Requester, mask: Mask) -> LinkRecord:
    """Return a new record for an existing task without a thread. The record's prompt may be shortened, and
    has no messages of an earlier thread, so it is only for display."""
    # Made safe before it is cut: a cut prompt that is shorter than the limit would count as the whole prompt.
    prompt = sanitize_for_agent(remove_context(task.initial_prompt[: 10 * LONGEST_PROMPT]))
    return LinkRecord(
        id=LinkId("task-" + digest(task.id)[:12]),
        channel=requester.channel,
        made_at=requester.at,
        requested_by=requester.person,
        owner_id=task.owner_id,
        owner_name=task.owner_name,
        prompt=AgentText(mask_beginning(mask, prompt, LONGEST_PROMPT)),
        name=task.name,
        title=make_safe_title(task, mask),
        template=task.template_display_name or task.template_name,
        task_id=TaskId(task.id),
        created_at=task.created_at,
    )
