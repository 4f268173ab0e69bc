"""Jobs that this version of Taskwire cannot read: the jobs wait for a newer version, and people are told.

During an upgrade, such a wait lasts for moments, and nobody is told. If no newer version comes, the
administrators and the people whose requests wait are told. After a week the job is given up, and these people
are told that too. `queue/formats.py` stores which jobs wait.
"""

from collections.abc import Sequence
from datetime import datetime
from functools import partial

from taskwire.agent.input import get_display_text_without_names
from taskwire.dependencies import Dependencies
from taskwire.domain.ids import LinkId, UserId, from_ms
from taskwire.domain.lifecycle.links import Link
from taskwire.domain.queueing.jobs import Job, PostText, Reply
from taskwire.domain.queueing.maintenance import ParkedBatch, ReadThread
from taskwire.domain.queueing.queues import BACKFILL_THREADS, QueueName, duplicates, get_kind, get_link_id
from taskwire.domain.text.message import Message
from taskwire.job_context import Handler, JobContext, Outcome, done
from taskwire.messages import answers, inputs, troubles, waiting
from taskwire.outbox.direct_messages import AdminAlerts, tell_person
from taskwire.outbox.enqueue import draw, say, show_receipt
from taskwire.outbox.tell_once import record_unless_told
from taskwire.queue.batch import Batch
from taskwire.queue.dead_letters import add_dead_letter
from taskwire.queue.formats import ABSENCE_ALERT_MS, NEWER_VERSION_WAIT_MS, StrandedQueue
from taskwire.queue.leases import Acquired, UnreadableJob
from taskwire.redis.decoding import CannotRead, read_partially
from taskwire.telemetry import Metrics, logger

# People are told again only after this time.
TOLD_TTL_MS = 2 * NEWER_VERSION_WAIT_MS

_log = logger("taskwire.recovery.newer_versions")


class NewerVersions:
    """Tells people about jobs that wait for a newer version of Taskwire, and gives such jobs up."""

    def __init__(self, deps: Dependencies, alerts: AdminAlerts, metrics: Metrics) -> None:
        self._deps = deps
        self._alerts = alerts
        self._metrics = metrics

    async def tell_waiting(self) -> None:
        """Tell people of each job that has waited longer than an upgrade takes. Call this often."""
        found = await self._deps.queues.formats.list_stranded()
        stranded = [each for each in found if each.absent_ms > ABSENCE_ALERT_MS]
        self._metrics.waits_for_newer.set(len(stranded))
        links = self._deps.links
        without_key = [
            each for each in stranded if await links.find_missing_key(QueueName(each.name), each.job_id)
        ]
        others = [each for each in stranded if each not in without_key]
        if without_key:
            end = _get_earliest_end(without_key)
            await self._alerts.warn("missing key", troubles.jobs_wait_for_key(len(without_key), end))
        if others:
            end = _get_earliest_end(others)
            await self._alerts.warn("newer", troubles.jobs_wait_for_version(len(others), end))
        for each in without_key:
            until = _get_earliest_end(without_key)
            await self._tell_requester(each, waiting.request_waits_for_key(until))
        for each in others:
            await self._tell_requester(each, waiting.request_waits_for_version(_get_earliest_end(others)))

    async def give_up(self, acquired: Acquired, body: str, why: str) -> Batch:
        """Make a dead letter of a job that no running version can read.

        Tell the person who waits for the job.
        """
        await self._alerts.warn("newer never came", troubles.NO_READABLE_VERSION)
        kind, link = get_kind(acquired.name), await self._find_link(acquired.name)
        job = read_partially(body, acquired.name)
        is_offered_to_author = link is not None and job is not None and isinstance(job.work, Reply)
        batch = add_dead_letter(Batch(), acquired, body, why, is_offered_to_author=is_offered_to_author)
        if kind == "intake":
            return _message_requester(acquired.name, acquired.job_id, waiting.request_never_readable(), batch)
        if link is None:
            return batch
        draw(link.id, batch)
        if job is not None and isinstance(job.work, Reply):
            return self._return_reply(link, job.id, job.work, batch)
        if kind in ("to_coder", "to_thread", "thread_answers"):
            _post_apart(link, f"newer-never:{acquired.job_id}", waiting.request_never_readable(), batch)
        return batch

    def _return_reply(self, link: Link, job_id: str, reply: Reply, batch: Batch) -> Batch:
        show_receipt(link.id, reply.ts, "failed", batch)
        self._deps.writes.keep_reply(batch, link.id, job_id, reply.without_progress())
        text = get_display_text_without_names(self._deps, reply)
        words = inputs.delivery_given_up(link, job_id, answers.WHY_NO_VERSION_READ_IT, [text])
        return say(link.id, f"newer-never:{job_id}", words, batch, is_call=True, question_id=job_id)

    async def _tell_requester(self, stranded: StrandedQueue, words: Message) -> None:
        """Send `words` to the person who waits for the job, once for each job.

        Tell nobody about the jobs of notices, receipts and cards, because nobody waits for these jobs.
        """
        batch = Batch()
        if not await record_unless_told(
            self._deps, batch, "waits_for_newer", stranded.name, stranded.job_id, ttl_ms=TOLD_TTL_MS
        ):
            return
        kind = get_kind(stranded.name)
        if kind == "intake":
            _message_requester(stranded.name, stranded.job_id, words, batch)
        elif (
            kind in ("to_coder", "thread_answers")
            and (link := await self._find_link(stranded.name)) is not None
        ):
            _post_apart(link, f"newer:{stranded.job_id}", words, batch)
        await self._deps.queues.write(batch)

    async def _find_link(self, name: str) -> Link | None:
        try:
            return await self._deps.links.find(get_link_id(name))
        except CannotRead:
            return None


def make_replacement(acquired: Acquired) -> Batch | None:
    """Return the batch that replaces an unreadable job; None if the job cannot be made again.

    A ReadThread job whose link cannot be read is only dropped. A version that can read the link reads all
    threads when it starts.
    """
    if isinstance(acquired, UnreadableJob) and acquired.is_forged:
        # If this job did not become a dead letter, the jobs behind it would wait for a week.
        _log.error(
            "job without this installation's signature, kept as a dead letter",
            queue=acquired.name,
            why=acquired.why,
        )
        return add_dead_letter(Batch(), acquired, acquired.body, acquired.why, is_offered_to_author=False)
    if acquired.name == BACKFILL_THREADS:
        link = LinkId(acquired.job_id)
        work = ReadThread(link=link)
        job = Job(id=link, work=work)
        return (
            Batch().append(BACKFILL_THREADS, job, score=acquired.score)
            if isinstance(acquired, UnreadableJob)
            else Batch()
        )
    kind = get_kind(acquired.name)
    return (
        draw(get_link_id(acquired.name)) if kind == "card" and isinstance(acquired, UnreadableJob) else None
    )


def handlers(deps: Dependencies) -> tuple[Handler, ...]:
    """List the handler that writes a parked batch that a newer version has stored."""
    return (Handler.without_link(ParkedBatch, partial(_write_parked_batch, deps)),)


async def _write_parked_batch(deps: Dependencies, context: JobContext) -> Outcome:
    """Write a batch that was parked for this link.

    Raises CannotRead if this version of Taskwire cannot read or write the batch.
    """
    try:
        batch = Batch().add_parked(context.work(ParkedBatch).batch, context.link_id)
    except (TypeError, ValueError, AttributeError) as error:
        raise CannotRead(error) from error
    return done(await deps.queues.check(batch))


def _get_earliest_end(stranded: Sequence[StrandedQueue]) -> datetime:
    """Return when the first of these jobs will be given up."""
    return from_ms(min(each.until_ms for each in stranded))


def _post_apart(link: Link, name: str, message: Message, batch: Batch) -> Batch:
    """Post in a thread from a separate queue, because the unreadable job may block the thread's own queue."""
    return batch.append(duplicates(link.id), Job(id=name, work=PostText(message=message, is_call=True)))


def _message_requester(name: str, job_id: str, message: Message, batch: Batch) -> Batch:
    """Send a direct message to the person of this queue.

    The message gets a separate queue, because the unreadable job may block the person's own queue.
    """
    return tell_person(UserId(name.split(":")[1]), f"newer:{job_id}", message, batch)
