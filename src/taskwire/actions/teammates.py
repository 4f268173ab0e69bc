"""Actions about teammates: who watches a task, and whom its owner lets steer it.

A person who watches a task is called beside its owner. Everybody who sees the thread may watch. A person who
is let in may steer the task, but may not share, detach or delete it: `people/permissions.py` decides that.
"""

from taskwire.dependencies import Dependencies
from taskwire.domain.errors import UserError
from taskwire.domain.ids import UserId
from taskwire.domain.jobs import Act
from taskwire.domain.links import Link, is_group
from taskwire.job_context import JobContext, Outcome, done
from taskwire.messages import refusals, teammates
from taskwire.people.permissions import NoAccount, People
from taskwire.queue.batch import Batch

# A notice mentions at most this many people beside the owner.
MOST_WATCHERS = 20
# Each group costs a call to Slack when a person acts who is not let in by name.
MOST_SHARES = 20


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
        if work.verb == "share":
            batch, link = await let_in(self._deps, self._people, link, work.who)
        else:
            left = tuple(each for each in link.shares if each not in work.who)
            batch = self._deps.writes.set_shares(Batch(), link.id, left)
            link = link.model_copy(update={"shares": left})
        let_in_now = await self._people.list_let_in(link)
        return done(batch, (work.requester, teammates.who_may_steer(link, let_in_now)))


async def let_in(deps: Dependencies, people: People, link: Link, who: tuple[str, ...]) -> tuple[Batch, Link]:
    """Return a batch that lets these people and groups steer the task, and the link as it is then.

    Raise UserError if somebody among them can never be let in. Then nobody is.
    """
    for each in who:
        if not is_group(each):
            await _require_possible(people, UserId(each))
    owner = link.record.owner_slack or ""
    shares = tuple(dict.fromkeys((*link.shares, *(each for each in who if each != owner))))
    if len(shares) > MOST_SHARES:
        raise UserError(*refusals.too_many_shares(link, MOST_SHARES))
    batch = deps.writes.set_shares(Batch(), link.id, shares)
    return batch, link.model_copy(update={"shares": shares})


async def _require_possible(people: People, person: UserId) -> None:
    """Raise UserError, for the person who shares, if this person can never be let in."""
    try:
        await people.get_account(person)
    except NoAccount:
        raise UserError(*refusals.cannot_let_in(await people.find_name(person))) from None
    except UserError as error:
        name = await people.find_name(person)
        raise UserError(*refusals.cannot_let_in(name, error.sentence)) from None
