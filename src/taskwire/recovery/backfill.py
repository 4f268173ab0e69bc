"""Backfill: reads what people wrote in threads while no process listened to Slack.

Slack stops retrying an event after six minutes. If no process listened for a minute, or after data loss, the
channels of open links are scanned for threads with new replies. Then these threads are read. Threads with
waiting replies are always read, because the scan does not show edits. Scans and readings are jobs in two
queues. So replicas share the work, and the work survives the process that noticed the gap.

A message that is found is claimed like an event, under the same id. A waiting reply gets its present text, or
is dropped if it was deleted. If the agent already has a reply, an edit of that reply is not reported, because
it may have been reported before.

A scan reads a channel's history page by page. A page shows, for each thread that begins on it, the time of
the last reply. Each page begins at the newest root message that no page has shown yet. If a page would
probably show only one root, no page is requested for it. The thread of that root is read instead, which also
costs one call.
"""

import contextlib
from collections.abc import Mapping, Sequence
from datetime import timedelta

from taskwire.dependencies import Dependencies
from taskwire.domain.errors import OutcomeUnknown, OutsideError, TryLater
from taskwire.domain.ids import ChannelId, LinkId, Ts, from_ms, microseconds, ts_of
from taskwire.domain.lifecycle.links import Link
from taskwire.domain.queueing.jobs import CHANGE_ID_PREFIX, Job, Reply, ReplyChanged
from taskwire.domain.queueing.maintenance import ReadThread, Root, ScanChannel
from taskwire.domain.queueing.queues import BACKFILL_CHANNELS, to_coder, urgent_score
from taskwire.domain.queueing.retry_policies import BACKFILL
from taskwire.domain.queueing.work import Work
from taskwire.job_context import Handler, JobContext, Outcome, done, retry
from taskwire.notices.card import REACTIONS
from taskwire.outbox.enqueue import request_reading
from taskwire.queue.batch import Batch
from taskwire.replies.admit import ReplyReceiver
from taskwire.slack.call_priorities import Priority
from taskwire.slack.errors import ChannelProblem, MessageGone, NoCapacity
from taskwire.slack.inbound import ThreadMessage
from taskwire.slack.models import RootsPage
from taskwire.state.heartbeat import Heartbeat
from taskwire.telemetry import Metrics, logger
from taskwire.waiting_replies.detach import DETACHED_ID_PREFIX
from taskwire.waiting_replies.undelivered import list_undelivered

# How many threads one call to Redis queues for reading, and how many one scan of a channel looks for.
THREADS_PER_BATCH = 200
# A scan of a channel begins this long before the gap: Slack's last retry of an earlier event may be in the
# gap, and clocks may differ.
SCAN_MARGIN_MS = 600_000
# This many of the last known messages are read again, because Redis may have lost a message from before the
# last one.
REREAD_MESSAGES = 50

_log = logger("taskwire.recovery.backfill")


class Backfill:
    """After a time in which nobody listened to Slack, queues jobs that find and read the missed messages.

    It also has the handlers of these jobs.
    """

    def __init__(
        self, deps: Dependencies, receiver: ReplyReceiver, heartbeat: Heartbeat, metrics: Metrics
    ) -> None:
        self._deps = deps
        self._receiver = receiver
        self._heartbeat = heartbeat
        self._metrics = metrics

    def handlers(self) -> tuple[Handler, ...]:
        """List the handlers that scan a channel and read a thread."""
        return (
            Handler.without_link(ScanChannel, self.scan_channel),
            Handler.with_open_link(ReadThread, self.read_thread),
        )

    async def queue_once(self, absence_ms: int | None) -> bool:
        """Queue a backfill of what was missed. Only one replica queues it.

        `absence_ms` is how long no process listened; None if that is not known.

        Return whether the backfill is queued. If not, another replica is about to queue it: call this again
        after a few seconds.
        """
        claimed = await self._heartbeat.claim_gap(absence_ms)
        if claimed == "free":
            await self.queue_threads(absence_ms)
            await self._heartbeat.record_gap(absence_ms)
            self._metrics.backfills.inc()
        return claimed != "claimed"

    async def queue_threads(self, absence_ms: int | None = None) -> int:
        """Queue a backfill of threads with messages from the last `absence_ms`; None means all threads.

        Return the number of open threads. If an earlier scan of a channel still waits, the new scan replaces
        it. The new scan looks at all threads of the channel, from the earlier of the two start times.
        """
        links, since = self._deps.links, self._get_scan_start(absence_ms)
        threads = await links.list_threads((await links.list_open()).values())
        waiting = await links.list_with_waiting_input()
        earlier = {job.id: job.work for job in await links.list_jobs(BACKFILL_CHANNELS)}
        to_read = [each for each in threads if each.is_held or each.link in waiting]
        for start in range(0, len(to_read), THREADS_PER_BATCH):
            batch = Batch()
            for each in to_read[start : start + THREADS_PER_BATCH]:
                request_reading(each.link, ts_of(from_ms(int(each.news * 1000))), batch)
            await self._deps.queues.write(batch)
        channels: dict[ChannelId, list[Root]] = {}
        for each in threads:
            if not (each.is_held or each.link in waiting):
                channels.setdefault(each.thread.channel, []).append(Root(each.thread.ts, each.link))
        for channel, roots in channels.items():
            await self._deps.queues.write(_make_scan_batch(channel, roots, since, earlier))
        _log.info(
            "backfill queued",
            threads=len(threads),
            read_directly=len(to_read),
            channels_to_scan=len(channels),
        )
        return len(threads)

    def _get_scan_start(self, absence_ms: int | None) -> Ts:
        """Return the time, by Slack's clock, since which messages may have been missed."""
        now = self._deps.slack.now()
        if absence_ms is None or absence_ms + SCAN_MARGIN_MS > now.timestamp() * 1000:
            return Ts("0.000000")
        return ts_of(now - timedelta(milliseconds=absence_ms + SCAN_MARGIN_MS))

    async def scan_channel(self, context: JobContext) -> Outcome:
        """Look for threads with new messages on one page of a channel.

        If the page cannot be read now, queue the job again behind the other jobs.
        """
        work = context.work(ScanChannel)
        try:
            return await scan_page(self._deps, work, context)
        except NoCapacity:
            raise
        except (ChannelProblem, MessageGone) as problem:
            _log.info("channel not readable, not backfilled", channel=work.channel, error=str(problem))
            return done()
        except (TryLater, OutcomeUnknown) as error:
            return self._retry_behind_others(context, error)

    async def read_thread(self, context: JobContext, link: Link) -> Outcome:
        """Read one thread for missed messages.

        If the thread cannot be read now, queue the job again behind the other jobs.
        """
        try:
            found = await self._read_thread(link)
        except NoCapacity:
            raise
        except (ChannelProblem, MessageGone) as problem:
            _log.info("thread not readable, not backfilled", link=link.id, error=str(problem))
        except (TryLater, OutcomeUnknown) as error:
            return self._retry_behind_others(context, error)
        else:
            self._metrics.missed_messages.inc(found)
            _log.info("thread backfilled", link=link.id, missed_messages=found)
        return done()

    def _retry_behind_others(self, context: JobContext, error: OutsideError) -> Outcome:
        _log.warning("backfill interrupted, will retry", job=context.job.id, error=str(error))
        delay_ms = int(BACKFILL.wait_seconds(context.job.tries, error.retry_after_seconds) * 1000)
        return done(Batch().append(context.lease.name, context.failed_again(), delay_ms=delay_ms))

    async def _read_thread(self, link: Link) -> int:
        thread = link.record.thread
        if thread is None:
            return 0
        taken = await self._deps.links.list_taken(link.id)
        replies = await self._list_waiting_replies(link.id)
        # In a discussion, messages from before the request for the task are not input.
        start = thread.ts if link.record.root_ts is None else link.record.made_at
        first = taken[-REREAD_MESSAGES] if len(taken) >= REREAD_MESSAGES else start
        since = min([first, *replies], key=microseconds)
        said = await self._deps.slack.list_replies(thread.channel, thread.ts, since, Priority.BACKFILL)
        if any(ours.startswith(f"{link.id}:{DETACHED_ID_PREFIX}") for ours in said.own_message_ids):
            # The bot posts this message when a link is detached. So the link was detached, and Redis has lost
            # the record of that.
            await self._deps.queues.write(self._deps.writes.end(Batch(), link.record, "detached"))
            return 0
        await self._update_waiting_replies(link, replies, said.replies)
        known = {*taken, *replies}
        new = [each for each in said.replies if each.thread_ts == thread.ts and each.ts not in known]
        return sum([await self._claim_or_record(link.id, message) for message in new])

    async def _claim_or_record(self, link: LinkId, message: ThreadMessage) -> bool:
        """Claim a message and return whether it is new.

        If the message has our reaction for "delivered", "failed" or "acknowledged", it was handled before
        Redis lost data. Then do not claim it. Only record again that the link has received the message, and
        which reaction the message has.
        """
        final_marks = message.own_reactions & {
            REACTIONS[state] for state in ("delivered", "failed", "acknowledged")
        }
        if not final_marks:
            return await self._receiver.claim_missed(message)
        writes = self._deps.writes
        batch = writes.write_receipt(
            writes.add_taken(Batch(), link, message.ts), link, message.ts, " ".join(final_marks)
        )
        if REACTIONS["delivered"] in final_marks:
            writes.mark_delivered(batch, link, message.ts)
        await self._deps.queues.write(batch)
        return False

    async def _list_waiting_replies(self, link: LinkId) -> dict[Ts, Reply]:
        """Return the replies that still wait. The keys of the result are the ts of the replies.

        A reply that a person sent with a command is left out, because its message in the thread is the bot's
        own post.
        """
        waiting = await list_undelivered(self._deps.links, link)
        return {reply.ts: reply for _, reply in waiting if not reply.is_from_command}

    async def _update_waiting_replies(
        self, link: Link, replies: dict[Ts, Reply], messages: list[ThreadMessage]
    ) -> None:
        """Give each waiting reply its present text, and drop the replies that were deleted."""
        present = {message.ts: message for message in messages}
        batch, changed = Batch(), 0
        for ts, reply in replies.items():
            message = present.get(ts)
            if message is None and (link.has_moved or await self._is_there(link, ts)):
                # The reply may be in the task's earlier thread. A person may also have sent a message that is
                # not listed: one of an app, or the first one of the thread.
                continue
            if message is not None and _content_of(message) == _content_of(reply):
                # If a reply is unchanged, it stays, even if it begins like a verb: a person has said that it
                # is input.
                continue
            work = ReplyChanged(ts=ts, change="deleted", was_away=True, previous_text=reply.text)
            if message is not None:
                new_input, verbatim_input = (
                    self._receiver.to_input(message),
                    self._receiver.to_verbatim_input(message),
                )
                work = work.model_copy(
                    update={"change": "edited", "new_input": new_input, "verbatim_input": verbatim_input}
                )
                self._receiver.read_files_of_others(batch, message)
            batch.append(
                to_coder(link.id), Job(id=f"{CHANGE_ID_PREFIX}away:{ts}", work=work), score=urgent_score(ts)
            )
            changed += 1
        if changed:
            await self._deps.queues.write(batch)

    async def _is_there(self, link: Link, ts: Ts) -> bool:
        """Return whether a message of this link's channel is still there, as far as Slack says."""
        try:
            with contextlib.suppress(ChannelProblem):
                await self._deps.slack.find_picked(link.record.channel, ts)
        except MessageGone:
            return False
        return True


def _make_scan_batch(channel: ChannelId, roots: list[Root], since: Ts, earlier: Mapping[str, Work]) -> Batch:
    batch = Batch()
    roots = sorted(roots, key=lambda root: microseconds(root.ts), reverse=True)
    for start in range(0, len(roots), THREADS_PER_BATCH):
        job_id = f"{channel}:{start // THREADS_PER_BATCH}"
        waiting_scan = earlier.get(job_id)
        if isinstance(waiting_scan, ScanChannel):
            since = min(since, waiting_scan.since, key=microseconds)
        work = ScanChannel(
            channel=channel, roots=tuple(roots[start : start + THREADS_PER_BATCH]), since=since
        )
        batch.append(BACKFILL_CHANNELS, Job(id=job_id, work=work), is_newest=True)
    return batch


def _content_of(said: Reply | ThreadMessage) -> tuple[str, tuple[str, ...]]:
    return said.text, tuple(file.id for file in said.files)


def split_lone_roots(roots: Sequence[Root], span_us: int) -> tuple[list[Root], list[Root]]:
    """Split the roots of threads into two lists, and return both. `roots` are sorted, the newest first.

    The first list has the roots at the beginning that would each be alone on a page. The second list has the
    rest. `span_us` is the length of time that the last page covered, in microseconds; 0 if there was no page
    yet.
    """
    lone = []
    rest = list(roots)
    while rest:
        first, *others = rest
        reach = microseconds(first.ts) - span_us
        if others and (not span_us or microseconds(others[0].ts) >= reach):
            break
        lone.append(first)
        rest = others
    return lone, rest


async def scan_page(deps: Dependencies, work: ScanChannel, context: JobContext) -> Outcome:
    """Read one page of a channel, and queue the page's threads with new messages. Raise Slack's errors."""
    batch = Batch()
    lone, roots = split_lone_roots(work.roots, work.span_us)
    for root in lone:
        request_reading(root.link, root.ts, batch)
    if not roots:
        return done(batch)
    page = await deps.slack.list_roots(work.channel, roots[0].ts)
    shown = [root for root in roots if page.covers(root.ts)]
    found = [root for root in shown if _has_news(page, root, work.since)]
    for root in found:
        request_reading(root.link, page.latest_replies.get(root.ts) or root.ts, batch)
    _log.info(
        "channel page scanned, threads with new messages queued",
        channel=work.channel,
        threads=len(shown),
        queued=len(found),
    )
    rest = tuple(roots[len(shown) :])
    if not rest:
        return done(batch)
    return retry(0.0, context.job.with_work(roots=rest, span_us=page.span_us), batch)


def _has_news(page: RootsPage, root: Root, since: Ts) -> bool:
    """Return whether a thread may have a reply since that time.

    Return True if the thread's root was deleted, because then the page does not show the last reply.
    """
    if root.ts not in page.latest_replies:
        return True
    latest = page.latest_replies[root.ts]
    return latest is not None and microseconds(latest) >= microseconds(since)
