"""Reads a person's tasks from Redis: what needs the person, what runs, and what ended recently.

Coder is not asked, so the tasks are shown during an outage too. Tasks without a thread are not in Redis.
"""

from collections.abc import Sequence
from typing import NamedTuple

from taskwire.dependencies import Dependencies
from taskwire.domain.durations import DAY_MS
from taskwire.domain.ids import UserId
from taskwire.domain.link_state import NEEDS_PERSON_PHASES
from taskwire.domain.links import Link
from taskwire.domain.phases import Phase
from taskwire.messages import blocks
from taskwire.messages.cards import get_reported_url
from taskwire.messages.task_lists import RUNNING_PHASES, TaskLine, get_rank
from taskwire.outbox.permalinks import find_permalink

# For how long a paused or finished task is shown as recent.
LATELY_MS = 7 * DAY_MS
# For how long a finished pull request needs its person; then it is shown as recent. Slack does not say
# whether a person has looked at it.
PULL_REQUEST_MS = DAY_MS


class PersonTasks(NamedTuple):
    """A person's open links, each list in the order in which it is shown."""

    needs: Sequence[Link]
    running: Sequence[Link]
    lately: Sequence[Link]


def sort_links(links: Sequence[Link], now_ms: int) -> PersonTasks:
    """Divide a person's links into three lists, each with the newest first.

    The lists are: tasks that need the person (questions, then failures, then pull requests), running tasks,
    and other tasks that changed lately. Links whose last change is older are left out.
    """
    newest = sorted(links, key=lambda link: link.state.since_ms, reverse=True)
    needs = sorted(
        (link for link in newest if needs_owner(link, now_ms)),
        key=get_rank,
    )
    rest = [link for link in newest if not needs_owner(link, now_ms)]
    running = [link for link in rest if link.state.phase in RUNNING_PHASES]
    lately = [
        link
        for link in rest
        if link.state.phase not in RUNNING_PHASES and now_ms - link.state.since_ms < LATELY_MS
    ]
    return PersonTasks(needs, running, lately)


def needs_owner(link: Link, now_ms: int) -> bool:
    """Return whether the task waits for its owner: a question, a failure or a pull request is open."""
    if link.state.open_phase in NEEDS_PERSON_PHASES:
        return True
    is_new = now_ms - link.state.since_ms < PULL_REQUEST_MS
    return link.state.phase is Phase.DONE and is_new and blocks.is_pull_request(get_reported_url(link))


async def read_tasks(deps: Dependencies, person: UserId, now_ms: int) -> PersonTasks:
    """Read the open links of a person's tasks."""
    return sort_links(await deps.links.list_of(person), now_ms)


async def find_threads(deps: Dependencies, links: Sequence[Link], most: int) -> list[TaskLine]:
    """Return the links as lines of a list. The first `most` have the addresses of their threads."""
    shown = [TaskLine(link, await find_permalink(deps, link.record)) for link in links[:most]]
    return [*shown, *(TaskLine(link) for link in links[most:])]
