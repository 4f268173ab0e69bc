"""Queues with leases: who may run which job now, and what is written when it ends.

One worker at a time holds the lease of a queue, under a fencing token that is never used again. A lease has
three calls: `acquire`, `begin` before an effect that cannot be repeated, `complete`. docs/guarantees.md says
what each of them guards against. Delays belong to jobs, order belongs to queues.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, cast

from pydantic import ValidationError
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from taskwire.domain.jobs import Job, QueueName
from taskwire.queue import data_loss, formats
from taskwire.queue.batch import Batch
from taskwire.queue.data_loss import DataLoss, DataLossDetector
from taskwire.queue.fence import FORMAT
from taskwire.queue.formats import Formats
from taskwire.queue.scripts import Clock, ReplicatedScript, Script, load_script
from taskwire.redis.connection import Connections
from taskwire.redis.decoding import CannotRead, why
from taskwire.redis.keys import Keys

IDLE_WAIT_SECONDS = 1.0
# For what a turn that was broken off had on the wire, and that may be done twice: an edit, a reaction.
PUT_BACK_MS = 1_000
# What no version can read that has been seen is looked at again so often: one of this format may read more.
LEFT_MS = 60_000

_ACQUIRE = load_script("queue/queue.acquire", **data_loss.CONSTANTS)
_BEGIN = load_script("queue/queue.begin")
_COMPLETE = load_script("queue/queue.complete")
_RELEASE = load_script("queue/queue.release")
_DEFER = load_script("queue/queue.defer", **formats.CONSTANTS)
_APPEND = load_script("queue/queue.append")
_CHECK = load_script("queue/queue.check")
_NOTE = load_script("queue/queue.note")


@dataclass(frozen=True)
class LeaseTimes:
    """How long a list is held, and what an attempt of unknown outcome waits for."""

    lease_ms: int = 8_000
    longest_lease_ms: int = 60_000
    # What was taken so often in a row without an end may be ending its process: one such at a time is carried
    # out, and after many takings only now and then.
    risky_takes: int = 3
    many_takes: int = 10
    rest_ms: int = 600_000
    # After its time-out a call may still be on its way for this long.
    landing_margin_ms: int = 5_000
    # What has just been stored may be missing from the first page that is read: not there is said after this.
    second_look_ms: int = 2_000


@dataclass(frozen=True)
class Acquired:
    """One taking of one list: which job, and the token that proves the right to it.

    `takes` counts the takings in a row that had no end, this one too; `first_taken_ms` is when that began.
    `trouble` is what each turn of this list has ended with since `trouble_since_ms`, if none went well.
    """

    name: QueueName
    token: str
    job_id: str
    version: str
    takes: int
    now_ms: int
    since_ms: int
    score: str
    first_taken_ms: int
    trouble: str
    trouble_since_ms: int


@dataclass(frozen=True)
class Lease(Acquired):
    """A job to carry out.

    `attempt` is the note of one whose outcome is not known yet. `rewound`: Redis has gone back in time, and
    even a first attempt may have been made before.
    """

    job: Job
    attempt: str | None = None
    data_loss: DataLoss | None = None

    @property
    def is_suspect(self) -> bool:
        """Whether even a first attempt may have been made before; so it is, too, of one given up once."""
        return self.data_loss is not None or self.job.is_sent_again


@dataclass(frozen=True)
class Unreadable(Acquired):
    """A job that this version cannot read, as it was written."""

    body: str
    why: str


@dataclass(frozen=True)
class NothingDue:
    """No list is due; `wait_seconds` until one may be."""

    wait_seconds: float


class LeaseLost(Exception):
    """Somebody else has the list now: whatever this turn has done is theirs to find out."""


class Overtaken(Exception):
    """Something has gone ahead of this job, or it has changed: the turn ends without its effect."""


OutcomeKind = Literal["done", "retry", "unknown"]
# What becomes of what cannot be read: it waits for a newer version, or none may come any more.
Deferral = Literal["deferred", "deferred again", "no newer version"]
# How a list fares: well, or failing, or refused for its account; waiting for a place says nothing of it.
Trouble = Literal["none", "failing", "refused", "same"]


class Queue:
    """The lists of one workspace."""

    def __init__(
        self,
        connections: Connections,
        keys: Keys,
        clock: Clock,
        times: LeaseTimes | None = None,
        mask_stored: Callable[[str], str] = str,
        reads: int = FORMAT,
    ) -> None:
        self.times = times or LeaseTimes()
        self._mask_stored = mask_stored
        self.data_loss_detector = DataLossDetector(connections, keys, clock)
        self.formats = Formats(connections, keys, clock, reads)
        self._blocking: Redis = connections.blocking
        self._keys = keys
        self._acquire = Script(connections.commands, keys, clock, _ACQUIRE)
        self._begin = ReplicatedScript(connections, keys, clock, _BEGIN, frozenset({"begun"}))
        self._complete = Script(connections.commands, keys, clock, _COMPLETE, connections.written)
        self._release = Script(connections.commands, keys, clock, _RELEASE, connections.written)
        self._defer = Script(connections.commands, keys, clock, _DEFER, connections.written)
        self._append = Script(connections.commands, keys, clock, _APPEND, connections.written)
        self._check = Script(connections.commands, keys, clock, _CHECK)
        self._note = Script(connections.commands, keys, clock, _NOTE, connections.written)

    async def acquire(
        self, *, may_be_risky: bool = True, ignores_priority: bool = False
    ) -> Lease | Unreadable | NothingDue:
        """Take the first list that is due, or learn how long there is nothing to do.

        What calls people and what they ask goes before what else is said, that before receipts, and those
        before cards. With `ignores_priority` the queue that has been due for longest comes first, whatever it
        holds. Without `may_be_risky` a queue whose job may crash its worker is left for later.
        """
        token, times = secrets.token_hex(12), self.times
        leases = (times.lease_ms, times.longest_lease_ms)
        risks = (times.risky_takes, times.many_takes, times.rest_ms, int(may_be_risky))
        answer = cast(
            "list[str]",
            await self._acquire(
                token,
                *leases,
                *risks,
                self.data_loss_detector.is_own,
                int(ignores_priority),
                self.formats.reads,
            ),
        )
        now_ms = int(answer[0])
        if len(answer) == 2:
            wait = (float(answer[1]) - now_ms) / 1000 if answer[1] else IDLE_WAIT_SECONDS
            return NothingDue(min(max(wait, 0.0), IDLE_WAIT_SECONDS))
        _, name, job_id, body, version, takes, since, is_pinned, note, data_loss, score, *fares = answer
        taking = Acquired(
            name=QueueName(name),
            token=token,
            job_id=job_id,
            version=version,
            takes=int(takes),
            now_ms=now_ms,
            since_ms=int(since),
            score=score,
            first_taken_ms=int(fares[0]),
            trouble=fares[1],
            trouble_since_ms=int(fares[2]),
        )
        try:
            job = Job.model_validate_json(body)
        except ValidationError as error:
            return Unreadable(**vars(taking), body=body, why=why(error))
        attempt = note if is_pinned else None
        return Lease(**vars(taking), job=job, attempt=attempt, data_loss=DataLoss.read(data_loss))

    async def wait(self, seconds: float) -> None:
        """Wait for a word that a list has become due; a lost word costs at most `seconds`."""
        # Redis takes 0 for "for ever", and a fraction only from 6.0 on.
        await self._blocking.brpop([self._keys.named("wakeups")], timeout=max(seconds, 0.01))

    async def begin(self, lease: Lease, attempt: str, seconds: float, *, is_again: bool = False) -> None:
        """Write down that an attempt begins, and what a read-back needs.

        Raises LeaseLost or Passed; then nothing may be attempted. If the answer is lost the caller must not
        make its call either. `seconds` is until when the call is sent; `is_again` says of one that has begun
        that it still goes on, whatever has gone ahead meanwhile.
        """
        landing = int(seconds * 1000) + self.times.landing_margin_ms
        whose = (lease.name, lease.token, lease.job_id, lease.version)
        answer = await self._begin(*whose, landing, self._mask_stored(attempt), int(is_again))
        if answer == "lost":
            raise LeaseLost
        if answer == "passed":
            raise Overtaken

    async def complete(
        self,
        taking: Acquired,
        kind: OutcomeKind,
        batch: Batch,
        *,
        delay_ms: int = 0,
        job: Job | None = None,
        compensation: Batch | None = None,
        trouble: Trouble = "none",
    ) -> None:
        """End a turn: remove or delay its job, and write what follows, in one call.

        "unknown" leaves the attempt pinned and writes nothing else; the list is due when it has landed.
        `job` replaces the job when it is to go on later; `compensation` is written if the token no longer
        holds; `trouble` is remembered of the list, with when it began.
        Raises LeaseLost then. A lost answer needs nothing: the next taker finds out.
        """
        body = self._mask_stored(job.model_dump_json()) if job is not None else ""
        whose = (taking.name, taking.token, taking.job_id, taking.version)
        steps = [each.encoded(self._mask_stored) for each in (batch, compensation or Batch())]
        what = (kind, delay_ms, body, *steps, trouble)
        if await self._complete(*whose, *what) == "lost":
            raise LeaseLost

    async def release(self, taking: Acquired) -> None:
        """Hand on a list whose turn was broken off: somebody may take it in a second.

        If an attempt has begun, not before it can no longer land.
        """
        await self._release(taking.name, taking.token, PUT_BACK_MS)

    async def defer(self, taking: Acquired) -> Deferral:
        """Leave a queue to versions that can read its next job, for as long as one of them may come.

        Nothing overtakes it, and its attempt, if there is one, stays pinned. After "no newer version" the
        lease goes on, and the caller completes the job. Raises LeaseLost.
        """
        whose = (taking.name, taking.token, taking.job_id)
        answer = await self._defer(*whose, self.formats.reads, LEFT_MS)
        if answer == "lost":
            raise LeaseLost
        return cast("Deferral", answer)

    async def write(self, batch: Batch) -> None:
        """Carry out a step outside any turn."""
        await self._append(batch.encoded(self._mask_stored))

    async def check(self, batch: Batch) -> Batch:
        """A step that another version has made; raises CannotRead if this one cannot carry it out."""
        try:
            await self._check(batch.encoded(self._mask_stored))
        except ResponseError as error:
            raise CannotRead(error) from error
        return batch

    async def write_under_lease(self, taking: Acquired, batch: Batch) -> None:
        """Write a batch while the lease is held, or raise LeaseLost: a stopped process overwrites nothing."""
        if await self._note(taking.name, taking.token, batch.encoded(self._mask_stored)) == "lost":
            raise LeaseLost
