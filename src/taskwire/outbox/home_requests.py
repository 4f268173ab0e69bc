"""Asks for a person's Home tab to be published: when it was opened, after a change, and to answer there.

Slack shows the last published content. The Home tab of a person who has not opened it for a week is left as
it is. `home/publish.py` publishes it.
"""

import secrets

from taskwire.dependencies import Dependencies
from taskwire.domain.durations import DAY_MS
from taskwire.domain.ids import UserId
from taskwire.domain.jobs import Job
from taskwire.domain.message import Message
from taskwire.domain.person_jobs import PublishHome
from taskwire.domain.queues import home
from taskwire.queue.batch import Batch

# How long a Home tab is kept up to date after it was opened.
OPENED_TTL_MS = 7 * DAY_MS


def show_opened_home(person: UserId) -> Batch:
    """Publish the Home tab that a person has just opened."""
    work = PublishHome(person=person, is_opened=True)
    return Batch().redo(home(person), Job(id="opened", work=work))


def refresh_home(person: UserId, batch: Batch | None = None) -> Batch:
    """Publish a Home tab again. Changes that come before it is published are shown together."""
    job = Job(id="changed", work=PublishHome(person=person))
    return (batch or Batch()).redo(home(person), job)


def answer_in_home(person: UserId, message: Message) -> Batch:
    """Show the answer to a press of a button at the top of the Home tab."""
    work = PublishHome(person=person, answer=message)
    return Batch().append(home(person), Job(id=f"answer:{secrets.token_hex(8)}", work=work))


async def is_home_kept(deps: Dependencies, person: UserId) -> bool:
    """Whether the person has opened the Home tab within a week, so that it must be kept up to date."""
    return await deps.notes.find("home", person) is not None


def keep_home(deps: Dependencies, person: UserId) -> Batch:
    """Record that the person has opened the Home tab."""
    return deps.notes.keep_in(Batch(), "1", "home", person, ttl_ms=OPENED_TTL_MS)
