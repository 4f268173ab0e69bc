"""Changes the stored owner of tasks whose Coder user was connected or disconnected.

A link's record names the owner of its task in Slack: the owner is called, and may share the task. If another
person connects the task's Coder user, the task is that person's from then on, and is no longer shared with
the people whom the former owner has named. Each link has a job of its own, before all others that call Coder
about this link. A link that is bound to an existing task, or that opens again, gets such a job too.
"""

from dataclasses import replace
from functools import partial

from taskwire.dependencies import Dependencies
from taskwire.domain.ids import from_ms, ts_of
from taskwire.domain.lifecycle.links import Link
from taskwire.domain.queueing.person_jobs import CheckOwner
from taskwire.domain.requester import Requester
from taskwire.job_context import Handler, JobContext, Outcome, done
from taskwire.outbox.enqueue import draw
from taskwire.outbox.home_requests import refresh_home_if_kept
from taskwire.outbox.owner_absence import hasten_jobs_of
from taskwire.outbox.share_messages import tell_of_shares
from taskwire.people.permissions import People
from taskwire.queue.batch import Batch
from taskwire.telemetry import logger

_log = logger("taskwire.tasks.owner_changes")


def handlers(deps: Dependencies, people: People) -> tuple[Handler, ...]:
    """Return the handlers: which function runs each kind of job."""
    return (Handler.with_open_link(CheckOwner, partial(_check, deps, people)),)


async def _check(deps: Dependencies, people: People, context: JobContext, link: Link) -> Outcome:
    """Write who owns the task, if that is another person than the record says. End all its shares."""
    former = link.record.owner_slack
    owner = await people.accounts.find_in_slack(link.record.owner_id)
    if owner is None or owner == former:
        # Jobs behind this one may wait for an account. How long they have waited still counts.
        return replace(done(), trouble="unchanged")
    name, batch = await people.find_name(owner), Batch()
    record = link.record.model_copy(update={"owner_slack": owner, "owner_slack_name": name})
    deps.writes.change_owner(batch, record, former)
    at = ts_of(from_ms(context.now_ms))
    requester, now = Requester(person=owner, channel=record.channel, at=at), {"record": record}
    await tell_of_shares(deps, people, requester, link.model_copy(update=now), (), batch)
    for person in (owner, former):
        if person is not None:
            await refresh_home_if_kept(deps, person, batch)
    hasten_jobs_of([link], batch)
    draw(link.id, batch)
    _log.info("task has another owner", link=link.id, owner=owner, former=former)
    return done(batch)
