"""Appends jobs that publish a person's Home tab.

The tab is published after the person opens it, after a change, and to answer a press. Slack keeps showing the
tab as it was last published. If a person has not opened the tab for a week, changes are no longer published.
`home/publish.py` handles the jobs.
"""

import secrets

from taskwire.dependencies import Dependencies
from taskwire.domain.durations import DAY_MS
from taskwire.domain.ids import UserId
from taskwire.domain.lifecycle.links import Link
from taskwire.domain.queueing.jobs import Job
from taskwire.domain.queueing.person_jobs import PublishHome
from taskwire.domain.queueing.queues import home
from taskwire.domain.text.message import Message
from taskwire.queue.batch import Batch

# After a person has opened the Home tab, changes are published for this long.
OPENED_TTL_MS = 7 * DAY_MS
# The note that keeps the answer to a person's latest press in the tab.
HOME_ANSWER = "home_answer"


def show_opened_home(person: UserId) -> Batch:
    """Append a job that publishes the Home tab that a person has just opened."""
    work = PublishHome(person=person, is_opened=True)
    return Batch().redo(home(person), Job(id="opened", work=work))


def refresh_home(person: UserId, batch: Batch | None = None) -> Batch:
    """Append a job that publishes a Home tab after a change. Several changes need only one waiting job."""
    job = Job(id="changed", work=PublishHome(person=person))
    return (batch or Batch()).redo(home(person), job)


def answer_in_home(person: UserId, message: Message) -> Batch:
    """Append a job that shows the answer to a press at the top of the person's Home tab."""
    work = PublishHome(person=person, answer=message)
    return Batch().append(home(person), Job(id=f"answer:{secrets.token_hex(8)}", work=work))


def forget_home_answer(deps: Dependencies, person: UserId, batch: Batch) -> None:
    """Show the answer to the latest press no longer, because it may be untrue with another Coder account."""
    deps.notes.forget_in(batch, HOME_ANSWER, person)


async def is_home_kept(deps: Dependencies, person: UserId) -> bool:
    """Return whether the person has opened the Home tab within a week. If so, changes must be published."""
    return await deps.notes.find("home", person) is not None


async def refresh_home_if_kept(deps: Dependencies, person: UserId, batch: Batch) -> None:
    """Append a job that publishes a changed Home tab, if the person has opened the tab within a week."""
    if await is_home_kept(deps, person):
        refresh_home(person, batch)


async def refresh_owners_home(deps: Dependencies, link: Link, batch: Batch) -> None:
    """Append a job that publishes the changed Home tab of the task's owner, if the owner looks at it."""
    if link.record.owner_slack is not None:
        await refresh_home_if_kept(deps, link.record.owner_slack, batch)


def keep_home(deps: Dependencies, person: UserId) -> Batch:
    """Return a batch that records, for a week, that the person has opened the Home tab."""
    return deps.notes.keep_in(Batch(), "1", "home", person, ttl_ms=OPENED_TTL_MS)


def forget_home(deps: Dependencies, person: UserId, batch: Batch) -> None:
    """Record that changes are not published to the person any more, until they open the Home tab again."""
    deps.notes.forget_in(batch, "home", person)
