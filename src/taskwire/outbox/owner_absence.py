"""Shows on the cards of a person's tasks that these tasks are not watched while the person's account is away.

An account is away if the person has not connected it, or if Coder no longer accepts its token. Without a
service account, a task is watched with the account of its owner (`polling/personal_poller.py`). With a
service account, every task is watched, and no card shows this.
"""

from taskwire.dependencies import Dependencies
from taskwire.domain.ids import UserId, to_ms
from taskwire.domain.lifecycle.links import Link
from taskwire.outbox.enqueue import draw
from taskwire.queue.batch import Batch


async def find_unwatched_since(deps: Dependencies, link: Link) -> int | None:
    """Return since when the link's task is not watched, in Unix milliseconds.

    Return 0 if the time is not known, and None if the task is watched.
    """
    owner = link.record.owner_slack
    if deps.has_service_account or owner is None or link.record.task_id is None:
        return None
    known = await deps.accounts.find(owner)
    if known is not None and not known.is_refused and known.user_id == link.record.owner_id:
        return None
    return await deps.accounts.find_away_since(owner)


async def show_absence(deps: Dependencies, person: UserId, batch: Batch) -> list[Link]:
    """Record that the person's account is away, and queue updates of the person's cards.

    Return the tasks' links.
    """
    if deps.has_service_account:
        return []
    deps.accounts.note_away(batch, person, to_ms(deps.slack.now()))
    return await draw_cards_of(deps, person, batch)


async def draw_cards_of(deps: Dependencies, person: UserId, batch: Batch) -> list[Link]:
    """Queue an update of the cards of the person's tasks. Return the links of these tasks."""
    if deps.has_service_account:
        return []
    links = await deps.links.list_of(person)
    for link in links:
        draw(link.id, batch)
    return links
