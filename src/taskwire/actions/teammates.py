"""Actions about teammates: who watches a task, and whom its owner lets steer it.

A person who watches a task is called beside its owner. Everybody who sees the thread may watch. A person who
is let in may steer the task, but may not share, detach or delete it: `people/permissions.py` decides that.
"""

from taskwire.dependencies import Dependencies
from taskwire.domain.errors import UserError
from taskwire.domain.jobs import Act
from taskwire.domain.links import Link
from taskwire.job_context import JobContext, Outcome, done
from taskwire.messages import refusals, teammates
from taskwire.people.permissions import People
from taskwire.people.shares import let_in
from taskwire.queue.batch import Batch

# A notice mentions at most this many people beside the owner.
MOST_WATCHERS = 20


class Teammates:
    """Carries out these actions."""

    def __init__(self, deps: Dependencies, people: People) -> None:
        self._deps = deps
        self._people = people

    async def watch(self, context: JobContext, link: Link, work: Act) -> Outcome:
        """Let the person be called when the task needs somebody, or not any more."""
        del context
        person = work.requester.person
        others = [each for each in link.watchers if each != person]
        if person == link.record.owner_slack:
            return done(None, (work.requester, teammates.owner_watches(link)))
        if work.verb == "unwatch":
            batch = self._deps.writes.set_people(Batch(), link.id, "watchers", others)
            return done(batch, (work.requester, teammates.not_watching(link)))
        if len(others) >= MOST_WATCHERS:
            return done(None, (work.requester, teammates.too_many_watch(link, MOST_WATCHERS)))
        batch = self._deps.writes.set_people(Batch(), link.id, "watchers", [*others, person])
        return done(batch, (work.requester, teammates.watching(link)))

    async def share(self, context: JobContext, link: Link, work: Act) -> Outcome:
        """Let people and user groups steer the task, or not any more. Without any, say who may."""
        del context
        if work.text:
            raise UserError(*refusals.not_mentioned(work.text, work.verb))
        batch = Batch()
        if work.verb == "share":
            shares = await let_in(self._deps, self._people, link, work.who, batch)
        else:
            shares = tuple(each for each in link.shares if each not in work.who)
            self._deps.writes.set_shares(batch, link.id, shares)
        shown = await self._people.list_let_in(link.model_copy(update={"shares": shares}))
        return done(batch, (work.requester, teammates.who_may_steer(link, shown)))
