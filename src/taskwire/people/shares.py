"""Lets people and user groups steer a task, if they can be let in at all."""

from taskwire.dependencies import Dependencies
from taskwire.domain.errors import UserError
from taskwire.domain.ids import UserId
from taskwire.domain.links import Link, is_group
from taskwire.messages import refusals
from taskwire.people.permissions import NoAccount, People
from taskwire.queue.batch import Batch

# Each group costs a call to Slack when a person acts who is not let in by name.
MOST_SHARES = 20


async def let_in(
    deps: Dependencies, people: People, link: Link, who: tuple[str, ...], batch: Batch
) -> tuple[str, ...]:
    """Let these people and groups steer the task, and return all who may then, beside the owner.

    Raise UserError if somebody among them can never be let in. Then nobody is.
    """
    for each in who:
        if not is_group(each):
            await _require_possible(people, UserId(each))
    owner = link.record.owner_slack or ""
    shares = tuple(dict.fromkeys((*link.shares, *(each for each in who if each != owner))))
    if len(shares) > MOST_SHARES:
        raise UserError(*refusals.too_many_shares(link, MOST_SHARES))
    deps.writes.set_shares(batch, link.id, shares)
    return shares


async def _require_possible(people: People, person: UserId) -> None:
    """Raise UserError, for the person who shares, if this person can never be let in."""
    try:
        await people.get_account(person)
    except NoAccount:
        raise UserError(*refusals.cannot_let_in(await people.find_name(person))) from None
    except UserError as error:
        name = await people.find_name(person)
        raise UserError(*refusals.cannot_let_in(name, error.sentence)) from None
