"""Threads in which nothing can be posted, because the channel is closed or the card was deleted.

A channel is closed if it was archived or deleted, or if the bot was removed from it. The bot tells the task's
owner once. Messages that cannot be posted become dead letters: jobs that were given up and are stored. When
the channel is open again, the dead letters are sent, and the thread is read for missed messages. The task
goes on in the meantime. If the card was deleted, `card.py` posts it again, and later messages go to the new
thread. If the owner cannot read a thread that a former owner has asked for, nothing is posted there, and the
thread ends.
"""

from collections.abc import Awaitable, Callable
from functools import partial

from taskwire.dependencies import Dependencies
from taskwire.domain.durations import HOUR_MS
from taskwire.domain.ids import ts_of
from taskwire.domain.lifecycle.links import Link
from taskwire.domain.queueing.jobs import Job
from taskwire.domain.queueing.maintenance import ChannelOpened, ThreadReopened
from taskwire.domain.queueing.queues import card, to_thread
from taskwire.domain.queueing.retry_policies import CARD_MOVING
from taskwire.job_context import Handler, JobContext, Outcome, done, retry
from taskwire.messages import answers
from taskwire.outbox.direct_messages import tell_person
from taskwire.outbox.enqueue import draw, request_reading
from taskwire.people.permissions import People
from taskwire.queue.batch import Batch
from taskwire.telemetry import logger

# The reason of a dead letter begins with this text if the letter is sent again when the thread reopens.
CLOSED_REASON = "the channel takes no message: "
# The time between two tries to edit a message in a closed thread. Slack may send no event when the thread
# opens again.
CLOSED_RETRY_MS = HOUR_MS
# How long an event waits for the check of the task's owner, in seconds.
OWNER_CHECK_SECONDS = 5.0

_log = logger("taskwire.notices.closed_threads")


def record_closed(
    deps: Dependencies, context: JobContext, link: Link, code: str, batch: Batch | None = None
) -> Batch:
    """Record that a thread is closed, and tell the task's owner.

    Do nothing if this is already recorded or if the link has ended. `code` is Slack's error code. Return the
    batch, which must be written.
    """
    batch = batch or Batch()
    if link.closed_error or link.end_reason is not None:
        return batch
    _log.warning(
        "thread closed to the bot, its messages wait until it reopens",
        link=link.id,
        channel=link.record.channel,
        code=code,
    )
    deps.writes.mark_closed(batch, link.record, code)
    person = link.record.contact
    if person is None:
        return batch
    message = answers.thread_closed(link, code)
    return tell_person(person, f"closed:{link.id}:{context.now_ms}", message, batch, about=link.id)


def reopen_if_closed(link: Link, batch: Batch) -> Batch:
    """Append a job that reopens the thread if it is recorded as closed. Return the batch.

    Call this when Slack has just accepted a post or an edit in the thread.
    """
    return (
        batch.append(to_thread(link.id), Job(id="reopened", work=ThreadReopened()))
        if link.closed_error
        else batch
    )


async def run_in_reach(
    people: People, run: Callable[[JobContext, Link], Awaitable[Outcome]], context: JobContext, link: Link
) -> Outcome:
    """Run a job that shows something in a thread. If the thread is about to end, the job waits.

    The check of the owner ends the thread, and then the job does nothing.
    """
    return retry(OWNER_CHECK_SECONDS) if await people.is_out_of_reach(link) else await run(context, link)


async def claim_attempt(deps: Dependencies, link: Link) -> bool:
    """Return whether to try an edit in this thread now. In a closed thread, one edit an hour is tried."""
    return not link.closed_error or await deps.notes.keep_if_new(
        "closed_attempt", link.id, ttl_ms=CLOSED_RETRY_MS
    )


def handlers(deps: Dependencies) -> tuple[Handler, ...]:
    """Return the handlers: which function runs each kind of job."""
    return (
        Handler.without_link(ChannelOpened, partial(_reopen_channel, deps)),
        Handler.with_link(ThreadReopened, partial(_reopen_thread, deps)),
    )


async def _reopen_channel(deps: Dependencies, context: JobContext) -> Outcome:
    """Queue a job for each closed thread of an opened channel. The job reopens the thread."""
    batch = Batch()
    for link_id in await deps.links.list_closed(context.work(ChannelOpened).channel):
        batch.append(to_thread(link_id), Job(id="reopened", work=ThreadReopened()))
    return done(batch)


async def _reopen_thread(deps: Dependencies, context: JobContext, link: Link) -> Outcome:
    """Send messages that could not be posted, update the card, and read the thread for missed messages."""
    if not link.closed_error:
        return done()
    for letter in await deps.dead_letters.list_ids_in(context.lease.name, CLOSED_REASON):
        await deps.dead_letters.send_again(letter)
    batch = deps.writes.mark_reopened(Batch(), link.record)
    deps.writes.remove_field(batch, link.id, "drawn_card")
    request_reading(link.id, ts_of(deps.slack.now()), batch)
    return done(draw(link.id, batch))


async def wait_for_new_card(deps: Dependencies, context: JobContext, link: Link) -> Outcome | None:
    """Return the outcome that tries this job again in a few seconds, after the card was posted again.

    Call this if Slack says that the thread's first message is gone. An update of the card then posts the card
    again. Return None if the update is done, a time limit is over, and the thread still accepts no message.
    Until the update is done, Slack may be down, or its limits may delay the update.
    """
    notes = deps.notes
    since = await notes.find("card_moving_since", link.id)
    is_over = since is not None and context.now_ms - int(since) > CARD_MOVING.max_duration_ms
    if is_over and await deps.links.is_empty(card(link.id)):
        return None
    if since is None:
        await notes.keep(
            str(context.now_ms), "card_moving_since", link.id, ttl_ms=10 * CARD_MOVING.max_duration_ms
        )
    context.record_reconciled()
    # This job runs every few seconds, so it must not restart an update of the card that already runs.
    batch = draw(link.id, deps.writes.remove_field(Batch(), link.id, "drawn_card"), is_newest=False)
    return retry(CARD_MOVING.interval_seconds, batch=batch)
