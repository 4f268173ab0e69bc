"""Tells people, by direct message, that their share of a task begins or ends.

Members of a user group are not told. Nothing is told twice, and what one person's shares tell another
person is limited: a person may begin and end shares of many tasks again and again.
"""

import contextlib
from collections.abc import Collection
from functools import partial

from taskwire.dependencies import Dependencies
from taskwire.domain.durations import DAY_MS, HOUR_MS
from taskwire.domain.errors import OutsideError
from taskwire.domain.ids import LinkId, UserId
from taskwire.domain.lifecycle.links import Link, is_group
from taskwire.domain.lifecycle.phases import Phase
from taskwire.domain.queueing.jobs import Job
from taskwire.domain.queueing.person_jobs import TellOfShare
from taskwire.domain.queueing.queues import share_message_score
from taskwire.domain.requester import Requester
from taskwire.job_context import Handler, JobContext, Outcome, done
from taskwire.messages import shared_tasks
from taskwire.outbox.direct_delivery import post_directly
from taskwire.outbox.direct_messages import direct_messages
from taskwire.outbox.home_requests import refresh_home_if_kept
from taskwire.outbox.owner_messages import tell_owner_of_shares
from taskwire.outbox.posting import find_other_post, was_posted
from taskwire.outbox.readers import may_read
from taskwire.people.permissions import People
from taskwire.people.shares import NAMED_TTL_MS, list_still_let_in
from taskwire.queue.batch import Batch
from taskwire.slack.call_priorities import Priority, with_least_priority
from taskwire.slack.metadata import Metadata
from taskwire.telemetry import logger

# How many messages about shares one person may cause for another person in an hour.
MOST_SHARE_MESSAGES = 10
# The note that says what a person was last told about their share of a task, and how long it is stored.
TOLD_SHARE, TOLD_SHARE_TTL_MS = "told_share", 30 * DAY_MS

_log = logger("taskwire.outbox.share_messages")


def handlers(deps: Dependencies, people: People) -> tuple[Handler, ...]:
    """Return the handlers: which function runs each kind of job."""
    return (Handler.without_link(TellOfShare, partial(_tell_of_share, deps, people)),)


async def tell_of_shares(
    deps: Dependencies,
    people: People,
    requester: Requester,
    link: Link,
    shares: Collection[str],
    batch: Batch,
    *,
    is_answered: bool = False,
) -> None:
    """Tell each person with whom the task is newly shared, and each person whose share ends.

    `shares` are the people and groups with whom the task is shared from now on; `link` has the earlier ones.
    If `is_answered`, the agent gets a reply at the same time. Then do not tell people that the agent waits
    for an answer. Do not tell of the end a person who may still steer the task, for example by a user group.

    Also publish the Home tabs of all these people.
    """
    sharer, is_asking = requester.person, link.state.open_phase is Phase.NEEDS_YOU
    await tell_owner_of_shares(people, requester, link, set(shares) - set(link.shares), batch)
    name = await people.find_name(sharer)
    people_changed = sorted(UserId(each) for each in set(shares) ^ set(link.shares) if not is_group(each))
    kept = await list_still_let_in(
        people, link.model_copy(update={"shares": tuple(shares)}), set(link.shares) - set(shares)
    )
    for person in people_changed:
        await refresh_home_if_kept(deps, person, batch)
        if person == sharer or person in kept:
            continue
        is_begin, is_readable = person in shares, False
        # The end of a share does not wait for Slack.
        with contextlib.nullcontext() if is_begin else contextlib.suppress(OutsideError):
            is_readable = await _can_new_reader_read(deps, people, requester, person, link)
        if not is_begin:
            message = shared_tasks.may_steer_no_longer(link, name, is_readable=is_readable)
        else:
            message = shared_tasks.may_steer_from_now_on(
                link, name, is_readable=is_readable, is_asking=is_asking and not is_answered
            )
            if await deps.notes.find(TOLD_SHARE, link.id, person) is None:
                # The message waits for a day at most.
                _record_told(deps, batch, link.id, person, is_begin=False, ttl_ms=DAY_MS)
        work = TellOfShare(
            person=person,
            link=link.id,
            sharer=sharer,
            at=requester.at,
            is_begin=is_begin,
            is_readable=is_readable,
            message=message,
        )
        job = Job(id=f"share:{link.id}", work=work)
        score = share_message_score(requester.at)
        batch.append(direct_messages(person), job, score=score, is_newest=True)


async def _tell_of_share(deps: Dependencies, people: People, context: JobContext) -> Outcome:
    """Tell the person, unless this is what they were told last, or they were told of many shares."""
    work = context.work(TellOfShare)
    link = await deps.links.find(work.link)
    if link is None:
        return done()
    thread = link.record.thread if work.is_readable else None
    word = "shared" if work.is_begin else "unshared"
    meta = Metadata(
        id=f"{work.person}:{word}:{link.id}:{work.at}",
        kind="answer",
        task_id=link.record.task_id if thread is not None else None,
    )
    await _settle_earlier_message(deps, context, work, meta)
    counted = _counted_for(work)
    earlier = await deps.notes.list_since(context.now_ms - HOUR_MS, *counted)
    is_known = await deps.notes.find(TOLD_SHARE, link.id, work.person) == _word_of(is_begin=work.is_begin)
    if not context.is_outcome_unknown and (is_known or len(earlier) >= MOST_SHARE_MESSAGES):
        _log.info("person not told of share", person=work.person, link=link.id, is_known=is_known)
        return done()
    # The end of a share is told to a person who cannot read the task any more.
    with with_least_priority(Priority.BACKFILL):
        may_be_told = not work.is_begin or await may_read(deps, people, work.person, link)
    if not may_be_told:
        _log.info("person may not read the task any more, message dropped", person=work.person, link=link.id)
        return done()
    message = work.message
    if len(earlier) == MOST_SHARE_MESSAGES - 1:
        message = shared_tasks.add_last_of_shares(message, await people.find_name(work.sharer))
    # Messages that call people go first in Slack's limits.
    with with_least_priority(Priority.CARD):
        await post_directly(deps, context, work.person, message, meta, thread)
    return done(_record_sent(deps, context, work, is_begin=work.is_begin, at=work.at))


async def _settle_earlier_message(
    deps: Dependencies, context: JobContext, work: TellOfShare, meta: Metadata
) -> None:
    """Find out whether another message of unknown outcome was posted, which this job has replaced.

    If so, record what the person was told by it.
    """
    if (earlier := find_other_post(context, meta.id)) is None:
        return
    if await was_posted(deps, context, earlier):
        _, word, _, at = earlier.message_id.split(":")
        await context.write(_record_sent(deps, context, work, is_begin=word == "shared", at=at))


def _record_sent(
    deps: Dependencies, context: JobContext, work: TellOfShare, *, is_begin: bool, at: str
) -> Batch:
    """Return a batch that counts the message about what was asked at `at`, and records what it has told."""
    batch = Batch()
    _record_told(deps, batch, work.link, work.person, is_begin=is_begin, ttl_ms=TOLD_SHARE_TTL_MS)
    return deps.notes.count_in(
        batch,
        f"{work.link}:{at}",
        context.now_ms,
        MOST_SHARE_MESSAGES,
        *_counted_for(work),
        ttl_ms=HOUR_MS,
    )


def _counted_for(work: TellOfShare) -> tuple[str, ...]:
    return "share_messages", work.sharer, work.person


def _record_told(
    deps: Dependencies, batch: Batch, link: LinkId, person: UserId, *, is_begin: bool, ttl_ms: int
) -> None:
    """Record in this batch what the person knows of their share: that it has begun, or that there is none."""
    deps.notes.keep_in(batch, _word_of(is_begin=is_begin), TOLD_SHARE, link, person, ttl_ms=ttl_ms)


def _word_of(*, is_begin: bool) -> str:
    return "begun" if is_begin else "none"


async def _can_new_reader_read(
    deps: Dependencies, people: People, requester: Requester, person: UserId, link: Link
) -> bool:
    """Return whether a person whom `requester` names can read the task's thread.

    The request may name many people. So rights go first in Slack's limits, and the request goes on where they
    made it wait. Only the words of a message depend on the answer.
    """
    name = ("share_readable", link.id, requester.at, person)
    known = await deps.notes.find(*name)
    if known is None:
        with with_least_priority(Priority.BACKFILL):
            known = "1" if await people.can_read_thread(person, link) else "0"
    await deps.notes.keep(known, *name, ttl_ms=NAMED_TTL_MS)
    return known == "1"
