"""Actions of teammates on somebody else's task: watching it.

A person who watches a task is called beside its owner. Everybody who sees the thread may watch.
"""

from taskwire.dependencies import Dependencies
from taskwire.domain.jobs import Act
from taskwire.domain.links import Link
from taskwire.job_context import JobContext, Outcome, done
from taskwire.messages import teammates
from taskwire.queue.batch import Batch

# A notice mentions at most this many people beside the owner.
MOST_WATCHERS = 20


class Teammates:
    """Carries out these actions."""

    def __init__(self, deps: Dependencies) -> None:
        self._deps = deps

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
