"""Shows on the cards of a person's tasks that these tasks are not watched while the person's account is away.

An account is away if the person has not connected it, or if Coder no longer accepts its token. Without a
service account, a task is watched with the account of its owner (`polling/personal_poller.py`). With a
service account, every task is watched, and no card shows this.

If another person's account counts now, the task may have another owner (`tasks/owner_changes.py`).
"""

from collections.abc import Iterable

from taskwire.dependencies import Dependencies
from taskwire.domain.durations import DAY_MS
from taskwire.domain.ids import UserId, to_ms
from taskwire.domain.lifecycle.links import Link
from taskwire.domain.queueing.jobs import Job
from taskwire.domain.queueing.person_jobs import CheckOwner
from taskwire.domain.queueing.queues import live, to_coder, to_thread, waiting_requests
from taskwire.outbox.enqueue import draw
from taskwire.outbox.home_requests import refresh_home_if_kept
from taskwire.queue.batch import Batch
from taskwire.state.accounts import ConnectedAccount

# The longest delay of jobs that wait for an account. They run at once when the account is connected.
LONGEST_WAIT_MS = DAY_MS


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


async def end_absence(deps: Dependencies, person: UserId, batch: Batch) -> None:
    """Record that Coder accepts the person's account. What has waited for the account runs now."""
    deps.accounts.forget_away(batch, person)
    deps.notes.forget_in(batch, "told", "account", person)
    await refresh_home_if_kept(deps, person, batch)
    batch.hasten(waiting_requests(person), "", LONGEST_WAIT_MS)
    await draw_cards_of(deps, person, batch)
    hasten_jobs_of(await deps.links.list_of(person), batch)


def hasten_jobs_of(links: Iterable[Link], batch: Batch) -> None:
    """Run the jobs of these links that wait for an account."""
    for link in links:
        for queue in (to_coder(link.id), to_thread(link.id), live(link.id)):
            batch.hasten(queue, "", LONGEST_WAIT_MS)


async def draw_cards_of(deps: Dependencies, person: UserId, batch: Batch) -> list[Link]:
    """Queue an update of the cards of the person's tasks. Return the links of these tasks."""
    if deps.has_service_account:
        return []
    links = await deps.links.list_of(person)
    for link in links:
        draw(link.id, batch)
    return links


async def check_owners(
    deps: Dependencies, account: ConnectedAccount, batch: Batch, *, is_connected: bool
) -> None:
    """Queue a check of the stored owner of each task that belongs to this account's Coder user.

    `is_connected` is whether the person has connected the account. Otherwise they have disconnected it, or
    Coder refuses its token. Leave out the tasks whose stored owner cannot change by that.
    """
    if not is_connected and not deps.has_service_account:
        return
    owners = await deps.links.list_owners((await deps.links.list_open()).values())
    for link, owner in owners.items():
        if owner.user_id == account.user_id and (owner.person == account.person) is not is_connected:
            job = Job(id=f"owner:{account.job}:{is_connected}", work=CheckOwner())
            batch.append(to_coder(link), job, score=0)
