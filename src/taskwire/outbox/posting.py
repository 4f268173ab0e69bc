"""Posts a message exactly once, shares a file exactly once, and removes duplicate messages.

If the outcome of a post is unknown, Taskwire searches Slack for the message by its metadata. A file is first
uploaded to a place where nobody sees it, and its id is stored. Then the file is shared. If the outcome of the
sharing is unknown, Taskwire reads Slack's list of the file's shares for 30 s. If no message with the file
is in this list, the same upload is shared again.
"""

import contextlib
from datetime import timedelta
from functools import partial

from pydantic import BaseModel

from taskwire.dependencies import Dependencies
from taskwire.domain.errors import OutcomeUnknown, OutsideError
from taskwire.domain.ids import ChannelId, LinkId, Ts, from_ms, ts_of
from taskwire.domain.lifecycle.links import Link
from taskwire.domain.queueing.jobs import Job, ShareFile
from taskwire.domain.queueing.maintenance import RemoveDuplicateMessage
from taskwire.domain.queueing.queues import duplicates
from taskwire.domain.queueing.retry_policies import FILE_LOOK
from taskwire.domain.requester import Requester
from taskwire.domain.text.message import Message
from taskwire.job_context import Handler, JobContext, JobEnded, Outcome, done, retry, unknown
from taskwire.messages import logs
from taskwire.outbox.readers import may_be_answered, may_read
from taskwire.people.permissions import People
from taskwire.queue.batch import Batch
from taskwire.queue.data_loss_detector import LOSS_TTL_MS
from taskwire.redis.decoding import read
from taskwire.slack.call_priorities import Priority
from taskwire.slack.calls import Method
from taskwire.slack.errors import ChannelProblem, MessageGone, SlackRefused
from taskwire.slack.metadata import Metadata
from taskwire.telemetry import logger

# Slack's clock and ours may differ by this much. So a search for a message begins this much earlier.
CLOCK_TOLERANCE = timedelta(seconds=60)

_log = logger("taskwire.outbox.posting")


class PostIntent(BaseModel):
    """What is stored before a post, so that a later try can search Slack for the message.

    The message is not older than `since`.
    """

    channel: ChannelId
    thread_ts: Ts | None
    since: Ts
    message_id: str
    # The fencing token of the lease that made the attempt.
    lease_token: str = ""


async def post_once(
    deps: Dependencies,
    context: JobContext,
    link: LinkId,
    channel: ChannelId,
    thread_ts: Ts | None,
    message: Message,
    meta: Metadata,
    priority: Priority = Priority.POST,
) -> Ts:
    """Post the message of this job, or find the message that an earlier attempt has posted.

    Return the message's ts. Raises the errors of Slack's client. After OutcomeUnknown, the stored
    `PostIntent` stays, and the next try of the job searches Slack for the message.
    """
    if context.is_outcome_unknown:
        found = await find_posted(deps, context)
        if found is not None:
            return found
    elif context.lease.is_suspect and (
        found := await _find_earlier_post(deps, context, channel, thread_ts, meta)
    ):
        return found
    await deps.slack.reserve(Method.POST, channel, priority)
    intent = PostIntent(
        channel=channel,
        thread_ts=thread_ts,
        since=_get_search_start(deps, context, thread_ts),
        message_id=meta.id,
        lease_token=context.lease.token,
    )
    try:
        return await context.attempt(
            intent.model_dump_json(),
            deps.slack.timeouts.post,
            lambda: deps.slack.post(channel, message, meta, thread_ts=thread_ts),
            _make_compensation(link, context, intent),
        )
    except OutcomeUnknown:
        # A search now can prove that the message exists. It cannot prove that the message is missing, because
        # the request may still arrive.
        copies = await _find_copies(deps, intent)
        if not copies:
            raise
        _log.info(
            "outcome of a post unknown, message found in Slack, not posted again",
            job=context.job.id,
            message=intent.message_id,
            copies=len(copies),
        )
        context.record_reconciled(has_taken_effect=True)
        return copies[0]


async def find_posted(deps: Dependencies, context: JobContext) -> Ts | None:
    """Return the ts of the message that an earlier try of this job has posted with an unknown outcome.

    Return None if no such message exists. Raises JobEnded if the next run of the job must search again.
    """
    found = await _look_for_post(deps, context, read(PostIntent.model_validate_json, context.intent))
    context.record_reconciled(has_taken_effect=found is not None)
    return found


def find_other_post(context: JobContext, message_id: str) -> PostIntent | None:
    """Return the post of unknown outcome of another message than this one; None if there is none.

    A job that was replaced while the outcome of its post was unknown leaves such a post.
    """
    if not context.is_outcome_unknown:
        return None
    intent = read(PostIntent.model_validate_json, context.intent)
    return intent if intent.message_id != message_id else None


async def was_posted(deps: Dependencies, context: JobContext, other: PostIntent) -> bool:
    """Return whether this other message was posted. Then this job's own message can be posted."""
    try:
        found = await _look_for_post(deps, context, other)
    except SlackRefused as refused:
        _log.warning("Slack refused the search for an earlier message", code=refused.code)
        found = None
    context.record_reconciled("there" if found is not None else "not_there")
    return found is not None


async def _find_earlier_post(
    deps: Dependencies, context: JobContext, channel: ChannelId, thread_ts: Ts | None, meta: Metadata
) -> Ts | None:
    """Return the ts of the message if it was posted before Redis lost data, or before the job was given up.

    Return None if it is not found. Only the first page of messages is read. If the data loss was noticed just
    now, the job waits, because Slack may not show a new message at once.
    """
    since = thread_ts or get_earliest_unknown_ts(deps, context)
    intent = PostIntent(channel=channel, thread_ts=thread_ts, since=since, message_id=meta.id)
    data_loss = context.lease.data_loss
    if data_loss is not None and context.now_ms - data_loss.at_ms < deps.queues.times.recheck_ms:
        raise JobEnded(retry(deps.queues.times.recheck_ms / 1000))
    copies = await _find_copies(deps, intent)
    _log.info(
        "searched Slack for an earlier copy, will post if there is none",
        job=context.job.id,
        message=intent.message_id,
        copies=len(copies),
    )
    return copies[0] if copies else None


def get_earliest_unknown_ts(deps: Dependencies, context: JobContext) -> Ts:
    """Return the earliest ts of messages that may exist although Redis does not know them."""
    ago = timedelta(milliseconds=min(context.now_ms - context.maybe_done_since_ms, LOSS_TTL_MS))
    return ts_of(deps.slack.now() - ago - CLOCK_TOLERANCE)


def _get_search_start(deps: Dependencies, context: JobContext, thread_ts: Ts | None) -> Ts:
    """Return the ts from which to search for a post, by Slack's own clock if its time is known."""
    last = deps.slack.last_answer_at or from_ms(context.now_ms)
    since = ts_of(last - CLOCK_TOLERANCE)
    return max(since, thread_ts, key=float) if thread_ts is not None else since


async def _look_for_post(deps: Dependencies, context: JobContext, intent: PostIntent) -> Ts | None:
    """Search Slack once for a post of unknown outcome.

    Return the ts of the post, or None if the post certainly does not exist. Raises JobEnded if the next run
    of the job must search again.

    A run makes only one search. Each search needs one of the few places in Slack's limits for reading. If
    many jobs wait for places, the last of several searches might never get one.
    """
    search_starts = (
        (intent.thread_ts, intent.thread_ts) if intent.thread_ts else (intent.since, intent.since, None)
    )
    looks = context.job.count_looks(intent.lease_token)
    copies = await _find_copies_since(deps, intent, search_starts[min(looks, len(search_starts) - 1)])
    _log.info(
        "outcome of a post unknown, searched Slack for it, posted again if not found",
        job=context.job.id,
        message=intent.message_id,
        copies=len(copies),
    )
    if copies or looks >= len(search_starts) - 1:
        return copies[0] if copies else None
    # A new message may still be missing from Slack's answers. Also, the clock of Slack's headers may differ
    # from the clock of its messages.
    seconds = 0.0 if looks else deps.queues.times.recheck_ms / 1000
    raise JobEnded(unknown(context.job.with_look(intent.lease_token), seconds))


async def _find_copies(deps: Dependencies, post: PostIntent | RemoveDuplicateMessage) -> list[Ts]:
    return await _find_copies_since(deps, post, post.since)


async def _find_copies_since(
    deps: Dependencies, post: PostIntent | RemoveDuplicateMessage, since: Ts | None
) -> list[Ts]:
    return await deps.slack.find_copies(post.channel, post.thread_ts, since, post.message_id)


def _make_compensation(link: LinkId, context: JobContext, intent: PostIntent) -> Batch:
    work = RemoveDuplicateMessage(
        channel=intent.channel, thread_ts=intent.thread_ts, since=intent.since, message_id=intent.message_id
    )
    # Each lease has a job of its own, because the job of an earlier lease may have ended its search already.
    return Batch().append(
        duplicates(link), Job(id=f"compensate:{intent.message_id}:{context.lease.token}", work=work)
    )


def get_landing_seconds(deps: Dependencies, timeout_seconds: float) -> float:
    """Return how long a call of a frozen process can still reach Slack, in seconds after the call's start.

    `timeout_seconds` is the timeout of the call.
    """
    times = deps.queues.times
    return 2 * (timeout_seconds + times.late_arrival_ms / 1000) + times.longest_lease_ms / 1000


def handlers(deps: Dependencies, people: People) -> tuple[Handler, ...]:
    """Return the handlers: which function runs each kind of job."""
    return (
        Handler.with_any_link(ShareFile, partial(_share_file, deps, people)),
        Handler.with_any_link(RemoveDuplicateMessage, partial(_remove_duplicate_message, deps)),
    )


async def _remove_duplicate_message(deps: Dependencies, context: JobContext, link: Link | None) -> Outcome:
    """Keep one copy of a message that was perhaps posted twice, and delete the others.

    Keep the recorded copy; if none is recorded, keep the earliest. A frozen process may post another copy
    late. So the job searches at once, and once more when no such call can arrive any longer.
    """
    work = context.work(RemoveDuplicateMessage)
    # Only the ts of a card is recorded. In a discussion, the card is one of the replies.
    recorded = link.record.shown_ts if link is not None else None
    is_card = work.thread_ts is None or (link is not None and link.record.root_ts is not None)
    copies = await _find_copies(deps, work)
    # A new card may be recorded in a moment. Until then, either copy may be the right one.
    is_too_early = is_card and recorded is None and not work.look_count
    if len(copies) > 1 and not is_too_early:
        await _delete_other_copies(deps, context, work, copies, recorded)
    if work.look_count:
        return done()
    looked = context.job.with_work(look_count=work.look_count + 1)
    return retry(get_landing_seconds(deps, deps.slack.timeouts.post), looked)


async def _delete_other_copies(
    deps: Dependencies,
    context: JobContext,
    work: RemoveDuplicateMessage,
    copies: list[Ts],
    recorded: Ts | None,
) -> None:
    keep = recorded if recorded in copies else copies[0]
    for copy in copies:
        if copy != keep:
            _log.warning("message posted twice, removing one copy", message=work.message_id, ts=copy)
            with contextlib.suppress(MessageGone):
                await deps.slack.delete(work.channel, copy)
            context.duplicates_removed += 1


async def _share_file(deps: Dependencies, people: People, context: JobContext, link: Link | None) -> Outcome:
    """Put a text as a file into a thread or into a person's direct messages.

    A file for one person may have waited for Slack for hours. So before each attempt, check that the person
    may still read the task.
    """
    work = context.work(ShareFile)
    if not work.file_id:
        if context.lease.is_suspect and await _was_shared(deps, context, work):
            return done()
        file_id = await deps.slack.files.start_upload(work.name, work.text)
        return retry(0, context.job.with_work(file_id=file_id))
    if context.is_outcome_unknown:
        if await deps.slack.files.find_share(work.file_id, work.channel) is not None:
            context.record_reconciled(has_taken_effect=True)
            return await _tell_requester(deps, work)
        # files.info shows a share only some seconds after it was made.
        if work.look_count < FILE_LOOK.max_tries:
            return unknown(context.job.with_work(look_count=work.look_count + 1), FILE_LOOK.interval_seconds)
        context.record_reconciled()
    elif (
        context.lease.is_suspect and await deps.slack.files.find_share(work.file_id, work.channel) is not None
    ):
        return await _tell_requester(deps, work)
    if work.requester is not None and not await _may_still_read(deps, people, work.requester, link):
        _log.info("person may not read the task any more, file not shared", person=work.requester.person)
        return done()
    await deps.slack.reserve(Method.COMPLETE_UPLOAD)
    try:
        await context.attempt(
            work.file_id,
            deps.slack.timeouts.post,
            lambda: deps.slack.files.complete_upload(work.file_id, work.title, work.channel, work.thread_ts),
        )
    except ChannelProblem as problem:
        _log.warning("file not shared, given up", channel=work.channel, code=problem.code)
        return done()
    return await _tell_requester(deps, work)


async def _may_still_read(
    deps: Dependencies, people: People, requester: Requester, link: Link | None
) -> bool:
    is_readable = link is not None and await may_read(deps, people, requester.person, link)
    return is_readable and await may_be_answered(deps, people, requester)


async def _tell_requester(deps: Dependencies, work: ShareFile) -> Outcome:
    """End the job of a shared file, and send the file's address to the person who asked for the file."""
    if work.requester is None or work.answer is None:
        return done()
    url = await find_file_url(deps, work.file_id)
    return done(None, (work.requester, logs.add_file_button(work.answer, url)))


async def find_file_url(deps: Dependencies, file_id: str) -> str:
    """Return the address of a shared file; empty if Slack does not give the address now."""
    try:
        return await deps.slack.files.get_file_url(file_id)
    except OutsideError as error:
        _log.info(
            "address of shared file not available, answered without a link", file=file_id, error=str(error)
        )
        return ""


async def _was_shared(deps: Dependencies, context: JobContext, work: ShareFile) -> bool:
    """Return whether a file with this name and text was shared before Redis lost data."""
    since = get_earliest_unknown_ts(deps, context)
    return await deps.slack.files.has_file(work.channel, work.thread_ts, since, work.name, work.text)
