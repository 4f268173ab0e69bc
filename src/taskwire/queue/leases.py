"""Queues with leases: which worker may run which job now, and what is written when the lease ends.

Only one worker at a time holds the lease of a queue. Each lease has its own fencing token. A worker calls
`acquire`, then `begin` before an effect that must not be repeated, then `complete`. docs/guarantees.md
explains what each call protects against. The jobs of a queue run in order. Each job may have a delay.
"""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, cast

from pydantic import ValidationError
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from taskwire.domain.audit import WrittenEntry
from taskwire.domain.errors import TryLater
from taskwire.domain.queueing.jobs import Job
from taskwire.domain.queueing.queues import QueueName
from taskwire.queue import data_loss_detector, formats
from taskwire.queue.batch import Batch
from taskwire.queue.data_loss_detector import DataLoss, DataLossDetector
from taskwire.queue.fence import FORMAT
from taskwire.queue.formats import Formats
from taskwire.queue.scripts import Clock, ReplicatedScript, Script, load_script
from taskwire.redis.connection import Connections
from taskwire.redis.decoding import CannotRead, describe_read_error, is_forged
from taskwire.redis.keys import Keys
from taskwire.sealing import CannotOpen, open_text, seal_text

# The longest wait before a worker looks for due queues again, because a wake-up can be lost.
IDLE_WAIT_SECONDS = 1.0
# A released queue is due again after this time. The released lease may have made a call that is still on its
# way to Slack or Coder. Such a call may be repeated: it is, for example, an edit or a reaction.
RELEASE_DELAY_MS = 1_000
# If no known version can read a queue's next job, the queue is due again after this time. Another process of
# this format may be able to read the job.
DEFER_DELAY_MS = 60_000

_ACQUIRE = load_script("queue/queue.acquire", **data_loss_detector.CONSTANTS)
_BEGIN = load_script("queue/queue.begin")
_COMPLETE = load_script("queue/queue.complete")
_RELEASE = load_script("queue/queue.release")
_EXTEND = load_script("queue/queue.extend")
_DEFER = load_script("queue/queue.defer", **formats.CONSTANTS)
_APPEND = load_script("queue/queue.append")
_CHECK = load_script("queue/queue.check")
_WRITE_UNDER_LEASE = load_script("queue/queue.write_under_lease")


@dataclass(frozen=True)
class LeaseTimes:
    """How long leases last, and when an unknown outcome of an attempt is checked."""

    # The first lease of a job lasts `lease_ms`. Each further lease without completion is twice as long,
    # up to `longest_lease_ms`.
    lease_ms: int = 8_000
    longest_lease_ms: int = 60_000
    # If a job was acquired `risky_acquisitions` times in a row without completion, it may crash its worker. A
    # worker runs only one such job at a time. After `many_acquisitions`, each lease of the job lasts
    # `quarantine_ms`.
    risky_acquisitions: int = 3
    many_acquisitions: int = 10
    quarantine_ms: int = 600_000
    # A call may still arrive this long after its timeout.
    late_arrival_ms: int = 5_000
    # A reconciliation may miss an effect that was stored just before. It searches again after this time, and
    # only then concludes that the effect is missing.
    recheck_ms: int = 2_000


@dataclass(frozen=True)
class Acquired:
    """A queue that this process has acquired, and the queue's next job.

    `token` is the fencing token. `acquisitions` counts how often in a row the job was acquired and not
    completed, including now. `first_acquired_ms` is when the first of these leases began. `since_ms` is when
    the job was written. `trouble` is "failing" or "refused" if every lease of this queue has ended in that
    way since `trouble_since_ms`. `trouble` is empty if the latest lease ended well.
    """

    name: QueueName
    token: str
    job_id: str
    version: str
    acquisitions: int
    now_ms: int
    since_ms: int
    score: str
    first_acquired_ms: int
    trouble: str
    trouble_since_ms: int


@dataclass(frozen=True)
class Lease(Acquired):
    """The right to run one job.

    `intent` is the intent record of an earlier attempt whose outcome is not known. If `data_loss` is set,
    Redis has lost writes, so the effect may exist although there is no intent record.
    """

    job: Job
    intent: str | None = None
    data_loss: DataLoss | None = None

    @property
    def is_suspect(self) -> bool:
        """Return whether the effect may exist although there is no intent record.

        This is so after data loss, and for a job that was sent again from a dead letter.
        """
        return self.data_loss is not None or self.job.was_resent


@dataclass(frozen=True)
class UnreadableJob(Acquired):
    """A queue whose next job this version cannot read. `body` is the stored text of the job.

    `is_forged` means that the job does not have this deployment's signature, so no version can ever read it.
    """

    body: str
    why: str
    is_forged: bool = False


@dataclass(frozen=True)
class NothingDue:
    """No queue is due. Ask again after `wait_seconds`."""

    wait_seconds: float


def intent_place(name: str, job_id: str) -> str:
    """Return the place for which a job's intent record is sealed.

    The record cannot be opened for another job or in another queue.
    """
    return f"{name} {job_id}"


class LeaseLost(Exception):
    """Another worker now has this worker's lease.

    If an attempt was begun, that worker reconciles the attempt.
    """


class Overtaken(Exception):
    """Another job was put before this job, or this job has changed. The attempt must not be made."""


OutcomeKind = Literal["done", "retry", "unknown"]
# "deferred": the unreadable job waits for a newer version. "no newer version": no such version is expected
# any more.
Deferral = Literal["deferred", "deferred again", "no newer version"]
# How a lease of a queue ended: well, with a failure, or because our account was refused. "unchanged" keeps
# the stored value, because waiting for capacity is no problem of the queue.
Trouble = Literal["none", "failing", "refused", "unchanged"]


class Queues:
    """The queues of one workspace."""

    def __init__(
        self,
        connections: Connections,
        keys: Keys,
        clock: Clock,
        times: LeaseTimes | None = None,
        mask_stored: Callable[[str], str] = str,
        own_format: int = FORMAT,
    ) -> None:
        self.times = times or LeaseTimes()
        self._mask_stored = mask_stored
        self.data_loss_detector = DataLossDetector(connections, keys, clock)
        self.formats = Formats(connections, keys, clock, own_format)
        self._blocking: Redis = connections.blocking
        self._keys = keys
        self._acquire = Script(connections.commands, keys, clock, _ACQUIRE)
        self._begin = ReplicatedScript(connections, keys, clock, _BEGIN, frozenset({"begun"}))
        self._complete = Script(connections.commands, keys, clock, _COMPLETE, connections.write_log)
        self._release = Script(connections.commands, keys, clock, _RELEASE, connections.write_log)
        self._extend = Script(connections.commands, keys, clock, _EXTEND)
        self._defer = Script(connections.commands, keys, clock, _DEFER, connections.write_log)
        self._append = Script(connections.commands, keys, clock, _APPEND, connections.write_log)
        self._check = Script(connections.commands, keys, clock, _CHECK)
        self._write_under_lease = Script(
            connections.commands, keys, clock, _WRITE_UNDER_LEASE, connections.write_log
        )

    async def acquire(
        self, *, may_be_risky: bool = True, ignores_priority: bool = False
    ) -> Lease | UnreadableJob | NothingDue:
        """Acquire the first queue that is due, or return how long to wait.

        The order is: queues of people, requests about tasks, and notices that mention a person; then other
        jobs; then receipts; then cards. With `ignores_priority`, the queue that has been due for longest goes
        first. Without `may_be_risky`, skip a queue whose next job may crash its worker.
        """
        token, times = secrets.token_hex(12), self.times
        leases = (times.lease_ms, times.longest_lease_ms)
        risks = (times.risky_acquisitions, times.many_acquisitions, times.quarantine_ms, int(may_be_risky))
        answer = cast(
            "list[str]",
            await self._acquire(
                token,
                *leases,
                *risks,
                self.data_loss_detector.is_embedded,
                int(ignores_priority),
                self.formats.own_format,
            ),
        )
        now_ms = int(answer[0])
        if len(answer) == 2:
            wait = (float(answer[1]) - now_ms) / 1000 if answer[1] else IDLE_WAIT_SECONDS
            return NothingDue(min(max(wait, 0.0), IDLE_WAIT_SECONDS))
        _, name, job_id, body, version, acquisitions, since, is_pinned, sealed, data_loss, score, *history = (
            answer
        )
        acquired = Acquired(
            name=QueueName(name),
            token=token,
            job_id=job_id,
            version=version,
            acquisitions=int(acquisitions),
            now_ms=now_ms,
            since_ms=int(since),
            score=score,
            first_acquired_ms=int(history[0]),
            trouble=history[1],
            trouble_since_ms=int(history[2]),
        )
        try:
            job = Job.model_validate_json(body, context=name)
            intent = open_text(sealed, intent_place(name, job_id)) if is_pinned else None
        except (ValidationError, CannotOpen) as error:
            return UnreadableJob(
                **vars(acquired), body=body, why=describe_read_error(error), is_forged=is_forged(error)
            )
        return Lease(**vars(acquired), job=job, intent=intent, data_loss=DataLoss.read(data_loss))

    async def wait(self, seconds: float) -> None:
        """Wait until a wake-up says that a queue is due, at most `seconds`.

        So a lost wake-up costs at most `seconds`.
        """
        # Redis reads 0 as "for ever", and accepts fractions only from 6.0 on.
        await self._blocking.brpop([self._keys.named("wakeups")], timeout=max(seconds, 0.01))

    async def begin(self, lease: Lease, intent: str, seconds: float, *, is_again: bool = False) -> None:
        """Write the intent record of an attempt. `intent` is what a reconciliation needs to know.

        The caller sends its request within `seconds` from now. `is_again` renews the record of an attempt
        that is under way, even if another job was put before this job. Raises LeaseLost or Overtaken. After
        any error, the caller must not make the attempt.
        """
        arrives_within = int(seconds * 1000) + self.times.late_arrival_ms
        lease_words = (lease.name, lease.token, lease.job_id, lease.version)
        # The record is sealed, because it often contains what a person wrote.
        sealed = seal_text(intent, intent_place(lease.name, lease.job_id)) if intent else ""
        answer = await self._begin(*lease_words, arrives_within, sealed, int(is_again))
        if answer == "lost":
            raise LeaseLost
        if answer == "passed":
            raise Overtaken

    async def complete(
        self,
        acquired: Acquired,
        kind: OutcomeKind,
        batch: Batch,
        *,
        delay_ms: int = 0,
        job: Job | None = None,
        compensation: Batch | None = None,
        trouble: Trouble = "none",
    ) -> WrittenEntry:
        """End a lease: remove or delay the lease's job, and write `batch`, in one call.

        Return what became of the newest audit entry in `batch`.

        The kind "done" removes the job. The kind "retry" delays it by `delay_ms`. The kind "unknown" keeps
        the intent record and does not write `batch`; the queue is then due when the attempt can no longer
        arrive. `job` replaces a job that is tried again. `trouble` is stored for the queue, with the time
        when the trouble began. If another worker has the lease, `compensation` is written and LeaseLost is
        raised. If the answer of this call is lost, the next worker finds out what happened.
        """
        body = self._mask_stored(job.model_dump_json(context=acquired.name)) if job is not None else ""
        lease_words = (acquired.name, acquired.token, acquired.job_id, acquired.version)
        steps = [each.encoded(self._mask_stored) for each in (batch, compensation or Batch())]
        what = (kind, delay_ms, body, *steps, trouble)
        answer = str(await self._complete(*lease_words, *what))
        if answer == "lost":
            raise LeaseLost
        return WrittenEntry.parse(answer.partition(" ")[2])

    async def extend(self, lease: Lease) -> None:
        """Let a lease go on for at least `lease_ms` from now. Raises LeaseLost."""
        if await self._extend(lease.name, lease.token, self.times.lease_ms) == "lost":
            raise LeaseLost

    async def release(self, acquired: Acquired) -> None:
        """End a lease without an outcome. The queue is due again after a second.

        If an attempt was begun, the queue is due only when that attempt can no longer arrive.
        """
        await self._release(acquired.name, acquired.token, RELEASE_DELAY_MS)

    async def defer(self, acquired: Acquired) -> Deferral:
        """End a lease, and leave the queue to versions of Taskwire that can read its next job.

        The job stays at the head of the queue, and its intent record is kept. The result "no newer version"
        means that no such version was seen for a week. In this case the lease continues, and the caller
        completes the job. Raises LeaseLost.
        """
        lease_words = (acquired.name, acquired.token, acquired.job_id)
        answer = await self._defer(*lease_words, self.formats.own_format, DEFER_DELAY_MS)
        if answer == "lost":
            raise LeaseLost
        return cast("Deferral", answer)

    async def write(self, batch: Batch) -> WrittenEntry:
        """Write a batch without a lease. Return what became of the newest audit entry in it."""
        answer = str(await self._append(batch.encoded(self._mask_stored)))
        return WrittenEntry.parse(answer.partition(" ")[2])

    async def check(self, batch: Batch) -> Batch:
        """Return `batch` unchanged, if this version's script can write it. Write nothing.

        Another version of Taskwire has made the batch. Raises CannotRead if this version cannot write it.
        """
        try:
            await self._check(batch.encoded(self._mask_stored))
        except ResponseError as error:
            raise CannotRead(error) from error
        return batch

    async def write_under_lease(
        self, acquired: Acquired, batch: Batch, unchanged: Mapping[str, str] | None = None
    ) -> None:
        """Write a batch if this worker still has the lease. Raises LeaseLost otherwise.

        `unchanged` maps keys to the values that the worker has read, or to an empty text for a key that did
        not exist. Raises TryLater, and writes nothing, if one of these keys has another value now.
        """
        words = (acquired.name, acquired.token, batch.encoded(self._mask_stored))
        read = [word for pair in (unchanged or {}).items() for word in pair]
        written = await self._write_under_lease(*words, *read)
        if written == "lost":
            raise LeaseLost
        if written == "changed":
            raise TryLater("what this write depends on has changed")
