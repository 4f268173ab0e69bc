"""Finds the inputs of a link that its state does not know yet, because they wait or were just sent."""

from taskwire.dependencies import Dependencies
from taskwire.domain.lifecycle.events import Delivered, Event, Notice, Observed
from taskwire.domain.lifecycle.link_state import LinkState
from taskwire.domain.lifecycle.links import Link
from taskwire.domain.queueing.jobs import ApplyEvent, Reply
from taskwire.domain.queueing.queues import to_thread
from taskwire.waiting_replies.undelivered import replies_among


async def has_next_turn(
    deps: Dependencies, link: Link, state: LinkState, notice: Notice, running_job: str
) -> bool:
    """Return whether a new turn follows the ended turn: a reply waits, or a reply was just sent.

    The event of the running job is in the state already.
    """
    report, got = notice.report, state.input_after
    is_end = notice.kind in ("completed", "failed")
    if is_end and report is not None and got is not None and report.at <= got:
        return True
    if await count_sent(deps, link, running_job):
        return True
    first = await _find_first_waiting(deps, link)
    # A reply that waits for a person's decision may wait for days, and later replies wait behind it.
    return first is not None and not first.question


async def with_unseen_inputs(deps: Dependencies, link: Link, event: Event) -> Link:
    """Return the link. Its state has the number of inputs that the agent may have got, but that the state
    does not know yet.

    The first reply that waits counts, because it may be on its way. The number is only needed if the event
    shows a new result beside another one, which is new too or waits. Otherwise, return the link unchanged.
    """
    last = link.state.last_report
    reports = event.reports if isinstance(event, Observed) else ()
    found = [each for each in reports if each.is_final and (last is None or each.at > last.at)]
    if not found or len(found) + len(link.state.waiting_results) < 2:
        return link
    is_waiting = await _find_first_waiting(deps, link) is not None
    count = await count_sent(deps, link) + is_waiting
    return link.model_copy(update={"state": link.state.model_copy(update={"unseen_inputs": count})})


async def count_sent(deps: Dependencies, link: Link, running_job: str = "") -> int:
    """Count the inputs that were sent, and whose event waits in the link's queue.

    A running job is in the queue too, and `running_job` does not count.
    """
    behind = [job.work for job in await deps.links.list_jobs(to_thread(link.id)) if job.id != running_job]
    return sum(isinstance(work, ApplyEvent) and isinstance(work.event, Delivered) for work in behind)


async def _find_first_waiting(deps: Dependencies, link: Link) -> Reply | None:
    waiting = replies_among(await deps.links.list_waiting(link.id))
    return next((reply for _, reply in waiting if reply.is_admitted), None)
