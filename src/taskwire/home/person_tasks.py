"""Reads a person's tasks from Redis: tasks that need the person, run, changed recently, or are shared.

Coder is not asked for tasks, so they are also shown while Coder is down. Tasks without a thread are not in
Redis.
"""

from collections.abc import Sequence
from typing import NamedTuple

from taskwire.dependencies import Dependencies
from taskwire.domain.durations import DAY_MS
from taskwire.domain.ids import UserId
from taskwire.domain.lifecycle.links import Link
from taskwire.messages.task_lists import TaskLine, get_age_order, get_order, is_running, needs_owner
from taskwire.outbox.permalinks import find_permalink
from taskwire.outbox.readers import Reader
from taskwire.people.permissions import People

# For how long a paused or finished task is shown as recent.
LATELY_MS = 7 * DAY_MS


class PersonTasks(NamedTuple):
    """A person's open links in four lists. Each list has the order in which it is shown."""

    needs: Sequence[Link]
    running: Sequence[Link]
    lately: Sequence[Link]
    shared: Sequence[Link] = ()


def sort_links(links: Sequence[Link], now_ms: int, shared: Sequence[Link] = ()) -> PersonTasks:
    """Divide links into four lists: tasks that need the person, that run, that changed, and that are shared.

    `links` are the person's own. The first two lists have the same order as in `/task`. The third list has
    the other own tasks that have changed in the last seven days, the latest change first.

    `shared` are links that other people share with the person. Running tasks of `shared` are at the end of
    the second list. The fourth list has two other kinds of tasks of `shared`: those that wait for their
    owner, and those that have changed in the last seven days.
    """
    ordered = sorted(links, key=get_order)
    needs = [link for link in ordered if needs_owner(link, now_ms)]
    running = [link for link in ordered if is_running(link, now_ms)]
    shown = {link.id for link in (*needs, *running)}
    newest = sorted(links, key=get_age_order)
    lately = [link for link in newest if link.id not in shown and now_ms - link.state.since_ms < LATELY_MS]
    theirs = sorted(shared, key=get_order)
    running += [link for link in theirs if is_running(link, now_ms)]
    others = [
        link
        for link in theirs
        if not is_running(link, now_ms)
        and (needs_owner(link, now_ms) or now_ms - link.state.since_ms < LATELY_MS)
    ]
    return PersonTasks(needs, running, lately, others)


async def read_tasks(deps: Dependencies, people: People, reader: Reader, now_ms: int) -> PersonTasks:
    """Read the open links of a person's tasks, and the links that other people share with the person.

    A task that belongs to another Coder account than the person has now is left out.
    """
    person = reader.person
    found = await deps.links.list_links(await people.list_shared_links(person))
    shared = [
        link for link in found.values() if link.end_reason is None and not link.record.is_owned_by(person)
    ]
    own = [link for link in await deps.links.list_of(person) if reader.owns(link)]
    return sort_links(own, now_ms, shared)


async def find_threads(
    deps: Dependencies, person: UserId, links: Sequence[Link], most: int
) -> list[TaskLine]:
    """Return the links as lines of a person's list. Only the first `most` lines have the thread's address."""
    return [
        TaskLine(
            link,
            await find_permalink(deps, link.record) if number < most else "",
            is_own=link.record.is_owned_by(person),
        )
        for number, link in enumerate(links)
    ]
