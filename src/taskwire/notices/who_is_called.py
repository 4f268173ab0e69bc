"""Decides which people a notice calls, and how: by mention, by direct message, or after their quiet hours.

To call a person is to notify the person of the notice.

Each person chooses how notices call them. Every notice is posted in its thread, whatever people have chosen.
"""

from collections.abc import Mapping

from taskwire.dependencies import Dependencies
from taskwire.domain.durations import DAY_MS
from taskwire.domain.errors import UserError
from taskwire.domain.ids import Ts, UserId, from_ms, to_ms
from taskwire.domain.lifecycle import events
from taskwire.domain.lifecycle.events import Notice, NoticeKind
from taskwire.domain.lifecycle.links import Link, is_group
from taskwire.domain.person_settings import (
    CallPlan,
    HeldCall,
    PersonSettings,
    QuietPeriod,
    find_quiet_period,
    make_zone,
)
from taskwire.domain.queueing.jobs import ApplyEvent, Job, PostNotice, PostText
from taskwire.domain.queueing.person_jobs import CallPerson, SummarizeQuietHours
from taskwire.domain.queueing.queues import quiet_hours
from taskwire.domain.text.message import AgentOutput
from taskwire.job_context import JobContext
from taskwire.messages import personal_notices
from taskwire.outbox.direct_messages import direct_messages
from taskwire.people.permissions import People
from taskwire.people.shares import is_shared_now
from taskwire.queue.batch import Batch

# The id of the job that sends the summary. While this job waits, later calls in the same quiet hours queue no
# other job.
SUMMARY_JOB_ID = "summary"
# The note that lists the links about which a person was not called in quiet hours, and the most links in the
# note.
HELD_CALLS, MOST_HELD_LINKS = "held_calls", 50
# The note that names the last task whose agent waits for an answer of this person, who was called by a direct
# message.
ASKED_DIRECTLY = "asked_directly"
# These notices also call the people who watch the task. All other notices call only its owner.
FOR_WATCHERS: frozenset[NoticeKind] = frozenset({"needs_input", "completed", "failed", "error"})


def list_called(link: Link, notice: Notice) -> tuple[UserId, ...]:
    """List the people and user groups that a notice calls. The list is empty if the task is muted.

    The first is the task's owner, or the fallback, who gets a reminder if the owner has not answered. Some
    notices then also call the people who watch the task.
    """
    if link.is_muted or not notice.is_call:
        return ()
    first = notice.fallback or link.record.owner_slack or ""
    watchers = link.watchers if notice.kind in FOR_WATCHERS else ()
    return tuple(dict.fromkeys(UserId(each) for each in (first, *watchers) if each))


def may_mention(link: Link, job: Job) -> bool:
    """Return whether this job posts a message that mentions somebody, or may lead to such a message."""
    match job.work:
        case PostNotice(notice=notice):
            return bool(list_called(link, notice))
        case PostText(is_call=is_call):
            return is_call
        case ApplyEvent(event=event):
            return events.may_mention(event) and not link.is_muted
        case _:
            return False


async def decide_calls(deps: Dependencies, people: People, context: JobContext, link: Link) -> CallPlan:
    """Return how a notice calls its people. If an earlier try of the job has decided, return its decision."""
    work = context.work(PostNotice)
    called = list_called(link, work.notice)
    if work.calls is not None:
        return work.calls.limited_to(called)
    if context.is_outcome_unknown:
        return CallPlan(mentioned=called)
    settings = {person: await deps.person_settings.get(person) for person in called}
    told = {
        person: chosen
        for person, chosen in settings.items()
        # A mention in the thread shows nothing to an owner who cannot read the thread.
        if (link.record.is_owned_by(person) and chosen.is_only_mentioned)
        or await may_call(people, person, link)
    }
    return await _plan_calls(people, told, context.now_ms)


async def may_call(people: People, person: UserId, link: Link) -> bool:
    """Return whether a person may still be called. They must be able to read the task now.

    This asks only Slack: a mention is in the thread, where Slack shows the notice anyway. A direct message is
    checked again, also in Coder, when it is sent. The person may have left the channel or the company since,
    but a direct message would still reach them. Owners may read their tasks from anywhere. A user group may
    always be called, because Slack notifies only those members who are in the channel.
    """
    if is_group(person):
        return True
    try:
        await people.get_profile(person)
    except UserError:
        return False
    if (
        link.record.is_owned_by(person)
        or await people.directory.can_see(person, link.record.channel)
        or await people.is_admin(person)
    ):
        return True
    return await is_shared_now(people, person, link)


async def _plan_calls(people: People, called: Mapping[UserId, PersonSettings], now_ms: int) -> CallPlan:
    """Decide how each of these people is called now. A user group has the default settings."""
    mentioned, told_directly, held = [], [], []
    for person, settings in called.items():
        if settings.calls == "nothing":
            continue
        period = await find_present_quiet_period(people, person, settings, now_ms)
        if period is not None:
            until_ms = to_ms(period.ends)
            held.append(HeldCall(person=person, quiet_since_ms=to_ms(period.began), quiet_until_ms=until_ms))
            continue
        if settings.calls != "direct":
            mentioned.append(person)
        if settings.calls != "thread":
            told_directly.append(person)
    return CallPlan(
        mentioned=tuple(mentioned),
        told_directly=tuple(told_directly),
        held=tuple(held),
        is_chosen=bool(told_directly) or len(mentioned) < len(called),
    )


async def find_present_quiet_period(
    people: People, person: UserId, settings: PersonSettings, now_ms: int
) -> QuietPeriod | None:
    """Return the person's present quiet hours; None if it is not their quiet hours now."""
    if not settings.has_quiet_hours:
        return None
    try:
        profile = await people.directory.get_profile(person)
    except UserError:
        # Slack does not show this person any more.
        return None
    zone = make_zone(profile.time_zone, profile.utc_offset_seconds)
    return find_quiet_period(settings, zone, from_ms(now_ms))


def queue_calls(
    deps: Dependencies,
    plan: CallPlan,
    link: Link,
    notice: Notice,
    written: AgentOutput,
    ts: Ts,
    now_ms: int,
    batch: Batch,
) -> Batch:
    """Queue the direct messages about the notice that was posted at `ts`. Return the batch.

    A person in quiet hours gets no direct message now. Queue a summary for the end of these hours instead.
    """
    for person in plan.told_directly:
        is_steerer = link.record.is_owned_by(person) or person in link.shares
        work = CallPerson(
            person=person,
            channel=link.record.channel,
            ts=ts,
            task_id=link.record.task_id,
            message=personal_notices.call(link, notice, written, is_steerer=is_steerer),
            about=link.id,
        )
        batch.append(direct_messages(person), Job(id=f"call:{link.id}:{notice.id}", work=work))
        if is_steerer and notice.kind in personal_notices.ANSWERABLE:
            deps.notes.keep_in(batch, link.id, ASKED_DIRECTLY, person, ttl_ms=DAY_MS)
    for held in plan.held:
        summary = SummarizeQuietHours(person=held.person, since_ms=held.quiet_since_ms)
        delay_ms = max(0, held.quiet_until_ms - now_ms)
        batch.append(quiet_hours(held.person), Job(id=SUMMARY_JOB_ID, work=summary), delay_ms=delay_ms)
        deps.notes.count_in(
            batch, link.id, now_ms, MOST_HELD_LINKS, HELD_CALLS, held.person, ttl_ms=delay_ms + DAY_MS
        )
    return batch
