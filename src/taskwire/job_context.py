"""A job that is being run: its lease, the one effect that it may attempt, its outcome and its handler.

A handler returns an `Outcome`. The worker writes the outcome's batch when it completes the lease.
`attempt` makes an effect that must not be repeated: at most one in each lease, and only after an intent
record has been written.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, Self, TypeVar

from redis.exceptions import RedisError

from taskwire import transport
from taskwire.cancelling import cancel_and_wait
from taskwire.coder.client import CoderClient
from taskwire.domain.audit import AuditEntry
from taskwire.domain.errors import NotDone
from taskwire.domain.ids import LinkId
from taskwire.domain.lifecycle.events import Observed
from taskwire.domain.lifecycle.links import Link
from taskwire.domain.lifecycle.reconcile import Finding
from taskwire.domain.queueing.jobs import AnswerInThread, ApplyEvent, Job
from taskwire.domain.queueing.maintenance import ReadThread
from taskwire.domain.queueing.queues import get_link_id
from taskwire.domain.queueing.work import Work
from taskwire.domain.requester import Requester
from taskwire.domain.text.message import Message
from taskwire.queue.batch import Batch
from taskwire.queue.dead_letters import add_dead_letter
from taskwire.queue.leases import Lease, LeaseLost, Queues, Trouble
from taskwire.telemetry import logger

# The deadline for an attempt's first byte, in seconds from the start of the attempt. It includes a new
# connection. Each further try of the job gets more time, up to the second number.
FIRST_BYTE_SECONDS, LONGEST_FIRST_BYTE_SECONDS = 2.0, 10.0

T = TypeVar("T")
W = TypeVar("W", bound=Work)
_log = logger("taskwire.job_context")
PrivateMessage = tuple[Requester, Message]


@dataclass(frozen=True)
class Outcome:
    """How a job ended, and what is written in the call that completes its lease.

    `private_messages` and `replacements` are shown after that call, each message at most once. A crash loses
    the messages. A replacement takes the place of the question whose button the person pressed. If
    `is_refusal` is true, the messages are shown after other people's answers. `trouble` is the state of the
    job's queue. Without trouble, the job's tries are counted from zero again. `is_dead_letter` is true if the
    job was given up and is kept for the operator.
    """

    kind: Literal["done", "retry", "unknown"]
    batch: Batch = field(default_factory=Batch)
    delay_seconds: float = 0.0
    job: Job | None = None
    private_messages: tuple[PrivateMessage, ...] = ()
    replacements: tuple[PrivateMessage, ...] = ()
    is_refusal: bool = False
    trouble: Trouble = "none"
    is_dead_letter: bool = False


def done(batch: Batch | None = None, *private_messages: PrivateMessage) -> Outcome:
    """Return the outcome of a job that is finished: its effect exists, or must not be made."""
    return Outcome("done", batch or Batch(), private_messages=private_messages)


def replace_question(batch: Batch, requester: Requester, message: Message) -> Outcome:
    """Return the outcome of a job whose effect exists.

    The message takes the place of the question whose button the requester pressed.
    """
    return Outcome("done", batch, replacements=((requester, message),))


def retry(
    seconds: float, job: Job | None = None, batch: Batch | None = None, *private_messages: PrivateMessage
) -> Outcome:
    """Return the outcome of a job that runs again after `seconds`.

    `job` is the new version of the job, if the job has changed.
    """
    return Outcome("retry", batch or Batch(), seconds, job, private_messages)


def unknown(job: Job | None = None, seconds: float = 0.0, trouble: Trouble = "none") -> Outcome:
    """Return the outcome of a job that made a call whose effect is not known.

    The intent record is kept. After `seconds`, and when the call can no longer arrive, the job runs again and
    finds out what the call has done.
    """
    return Outcome("unknown", delay_seconds=seconds, job=job, trouble=trouble)


@dataclass
class AuditNote:
    """What a handler tells the audit trail about its job, if the job's outcome does not say it.

    An act is something that a person did. `outcome` is how the act ended. If `outcome` is empty, the act
    ended in the same way as the job. If `outcome` is `none`, the job was no act. `outbox/audit.py` reads the
    note.
    """

    outcome: Literal["", "none", "done", "refused", "failed"] = ""
    reason: str = ""
    task_id: str = ""
    task: str = ""
    link: Link | None = None
    # Who acted, if the job does not name the person.
    person: str = ""
    # The acts of other jobs that end together with this job. Each act has the id of its job.
    others: list[tuple[AuditEntry, str]] = field(default_factory=list)

    def is_nothing(self) -> None:
        """Record that the job was no act: it only asked the person something, or only queued another job."""
        self.outcome = "none"

    def is_done(self, task_id: str = "", task: str = "") -> None:
        """Record that the act was carried out. Name the task if the job's link had no task before."""
        self.outcome, self.task_id, self.task = "done", task_id, task

    def is_refused(self, reason: str) -> None:
        """Record that the act was refused. `reason` is one word, for example `not_allowed`."""
        self.outcome, self.reason = "refused", reason

    def is_failed(self, reason: str) -> None:
        """Record that the act was tried and failed. `reason` is one word."""
        self.outcome, self.reason = "failed", reason


class JobEnded(Exception):
    """Ends the job with this outcome. Any function that a handler calls may raise it."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.kind)
        self.outcome = outcome


class JobContext:
    """One job being run under one lease."""

    def __init__(self, lease: Lease, queues: Queues) -> None:
        self.lease = lease
        self._queues = queues
        self._coder: CoderClient | None = None
        self._taken_at = transport.boottime()
        self.intent = lease.intent or ""
        self.is_outcome_unknown = lease.intent is not None
        # Whether this job's effect exists. If so, a later failure must not lead to a second effect.
        self.has_taken_effect = False
        # The batch that is written if the lease is lost before the job ends, because this process may then
        # have acted after another process.
        self.compensation: Batch | None = None
        # For the metrics: attempts begun, what reconciling found, and duplicates removed.
        self.attempts_begun = 0
        self.reconcile_result: Finding | None = None
        self.duplicates_removed = 0
        self.audit = AuditNote()

    @property
    def job(self) -> Job:
        """The job that is run."""
        return self.lease.job

    @property
    def coder(self) -> CoderClient:
        """The client for this job's calls to Coder. The worker chooses whose account the client uses."""
        if self._coder is None:
            raise RuntimeError("no account was chosen for this job")
        return self._coder

    @coder.setter
    def coder(self, client: CoderClient) -> None:
        self._coder = client

    def work(self, kind: type[W]) -> W:
        """Return the job's work. Raise TypeError if it is of another kind."""
        work = self.job.work
        if not isinstance(work, kind):
            raise TypeError(f"{self.job.id} went to the handler of {kind.__name__}")
        return work

    @property
    def link_id(self) -> LinkId:
        """The id of the link that the job names, or else of the link to which the job's queue belongs."""
        work = self.job.work
        return work.link if isinstance(work, ReadThread) else get_link_id(self.lease.name)

    def update_work(self, **changes: object) -> None:
        """Change these fields of the job's work for its later tries."""
        self.lease = replace(self.lease, job=self.job.with_work(**changes))

    @property
    def now_ms(self) -> int:
        """Redis's time when the lease was acquired."""
        return self.lease.now_ms

    @property
    def present_ms(self) -> int:
        """Redis's present time, estimated with this process's clock."""
        return self.now_ms + int((transport.boottime() - self._taken_at) * 1000)

    @property
    def maybe_done_since_ms(self) -> int:
        """The earliest time, by Redis's clock, at which the job's effect may exist.

        A search for the effect begins at this time.

        Usually this is when the job was written. After a data loss it is when the lost writes began.
        """
        data_loss, written_ms = self.lease.data_loss, self.job.first_written_ms or self.lease.since_ms
        if data_loss is None:
            return written_ms
        return min(data_loss.since_ms, written_ms) if self.job.was_resent else data_loss.since_ms

    def failed_again(self) -> Job:
        """Return the job after one more failed try.

        The job counts as failing since this try. But its queue may have been failing already, because of an
        earlier job. Then the job counts as failing since the queue's first failure, or since it was written,
        if that was later. So the jobs behind a failing job are given up at the same time as that job.
        """
        lease = self.lease
        is_failing = lease.trouble == "failing"
        since_ms = max(lease.trouble_since_ms, lease.since_ms) if is_failing else self.now_ms
        return self.job.with_failure(since_ms)

    @property
    def keeps_intent_record(self) -> bool:
        """Whether the intent record must stay if the job does not end with this lease.

        The intent record must stay if the attempt's outcome is unknown, or if the attempt's effect exists.
        """
        return self.is_outcome_unknown or self.has_taken_effect

    def record_reconciled(self, found: Finding | None = None, *, has_taken_effect: bool = False) -> None:
        """Record that an earlier attempt was reconciled.

        `has_taken_effect` says whether the attempt's effect exists. `found` is the result for the metrics. If
        it is None, the result follows from `has_taken_effect`.
        """
        if self.is_outcome_unknown:
            self.reconcile_result = found or ("there" if has_taken_effect else "not_there")
        self.is_outcome_unknown = False
        self.has_taken_effect = has_taken_effect

    async def attempt(
        self,
        intent: str,
        timeout_seconds: float,
        call: Callable[[], Awaitable[T]],
        compensation: Batch | None = None,
    ) -> T:
        """Write the intent record, then make the call and return its result.

        The intent record contains `intent`, which reconciling needs. `compensation` is written if the lease
        is lost before the job ends. An error of the call, or of writing the intent record, is raised. After
        `NotDone` there is nothing to reconcile.

        The call sends nothing after a deadline of a few seconds (`FIRST_BYTE_SECONDS`). So if this process
        dies, another process can soon reconcile. The clock is read before the intent record is written, so
        this deadline is earlier than the deadline in Redis. The answer may take `timeout_seconds`. Until it
        comes, this process renews the intent record.
        """
        if self.is_outcome_unknown:
            raise RuntimeError("reconcile the attempt of unknown outcome before the next one")
        seconds = min(FIRST_BYTE_SECONDS * (1 + self.job.tries), LONGEST_FIRST_BYTE_SECONDS, timeout_seconds)
        deadline = transport.boottime() + seconds
        await self._queues.begin(self.lease, intent, seconds)
        self.attempts_begun += 1
        self.is_outcome_unknown = True
        self.compensation = compensation
        try:
            async with self._renewing_intent(intent, seconds):
                with transport.deadline(deadline):
                    result = await call()
        except NotDone:
            self.is_outcome_unknown = False
            self.compensation = None
            raise
        self.is_outcome_unknown, self.has_taken_effect = False, True
        return result

    async def write(self, batch: Batch, unchanged: Mapping[str, str] | None = None) -> None:
        """Write a batch while the job goes on. Raise LeaseLost if another process has the lease.

        `unchanged` is as in `Queues.write_under_lease`. Raise TryLater if it has changed.
        """
        await self._queues.write_under_lease(self.lease, batch, unchanged)

    @contextlib.asynccontextmanager
    async def keeping_lease(self) -> AsyncIterator[None]:
        """Inside the block, keep the lease while this process lives, however long a read takes.

        Without this, the job would be acquired again after some seconds, and would make the same call again
        while the first call waits. Raise LeaseLost if another process has the lease already.
        """
        await self._queues.extend(self.lease)
        async with self._renewing(
            lambda: self._queues.extend(self.lease), self._queues.times.lease_ms / 1000
        ):
            yield

    def _renewing_intent(self, intent: str, seconds: float) -> contextlib.AbstractAsyncContextManager[None]:
        # If the intent record cannot be renewed, it expires, and the next lease reconciles.
        return self._renewing(lambda: self._queues.begin(self.lease, intent, seconds, is_again=True), seconds)

    @contextlib.asynccontextmanager
    async def _renewing(self, renew: Callable[[], Awaitable[None]], seconds: float) -> AsyncIterator[None]:
        """Call `renew` three times in `seconds`, until the block ends or the lease is lost."""

        async def renew_again() -> None:
            with contextlib.suppress(LeaseLost):
                while True:
                    await asyncio.sleep(seconds / 3)
                    with contextlib.suppress(RedisError):
                        await renew()

        renewal = asyncio.create_task(renew_again(), name=f"renew {self.job.id}")
        try:
            yield
        finally:
            await cancel_and_wait(renewal)


def name_owner(context: JobContext, link: Link | None) -> str:
    """Return a name for the owner of the job's task. Without a link, return the name of the job's queue."""
    if link is None:
        return context.lease.name
    return link.record.owner_id or link.record.requested_by


def name_caller(context: JobContext, link: Link | None) -> str:
    """Return a name for the people to whom the job's calls to agents are counted.

    This is the task's owner. Questions of other people in the owner's threads are counted apart, because
    anybody there may ask: they must not use up the places of the owner's replies, or of other owners.
    """
    work, owner = context.job.work, name_owner(context, link)
    if link is None or not isinstance(work, AnswerInThread):
        return owner
    return owner if link.record.is_owned_by(work.requester.person) else f"others about {owner}"


def require_own_link(context: JobContext, link: Link | None) -> None:
    """End the job as a dead letter if it was written for a thread that this link never had, or if it is an
    observation of another task.

    Somebody has then moved the job in Redis.
    """
    work, record = context.job.work, link.record if link is not None else None
    if record is None:
        return
    why = ""
    if work.claimed_in and not record.had_thread(work.claimed_in):
        why = f"it was written for another thread, {work.claimed_in}"
    # A Lua script chooses the queue of an observation, so the observation is bound to no queue.
    if isinstance(work, ApplyEvent) and isinstance(work.event, Observed):
        task_id = work.event.observation.task_id
        why = f"it was written for another task, {task_id}" if task_id != record.task_id else why
    if not why:
        return
    lease = context.lease
    _log.error("job was moved to another task, kept as a dead letter", queue=lease.name, why=why)
    body = context.job.model_dump_json(context=lease.name)
    batch = add_dead_letter(Batch(), lease, body, why, is_offered_to_author=False)
    raise JobEnded(end_as_dead_letter(batch))


def end_as_dead_letter(batch: Batch, *private_messages: PrivateMessage) -> Outcome:
    """Return the outcome of a job that is given up.

    `batch` contains the job's dead letter. If the job's queue counts as being in trouble, this stays so.
    """
    return Outcome("done", batch, private_messages=private_messages, trouble="unchanged", is_dead_letter=True)


def dead_letter_batch(context: JobContext, why: str) -> Batch:
    """Return a batch that contains only the dead letter of this job."""
    body = context.job.model_dump_json(context=context.lease.name)
    return add_dead_letter(Batch(), context.lease, body, why)


@dataclass(frozen=True)
class Handler:
    """Runs the jobs of one kind.

    The worker loads the job's link once, if the handler needs it, and passes it to `run`. A feature lists its
    handlers in one place; `app/wiring.py` collects them.
    """

    work: type[Work]
    run: Callable[[JobContext, Link | None], Awaitable[Outcome]]
    needs_link: bool = True

    @property
    def kind(self) -> str:
        """The kind of job that this handler runs."""
        return str(self.work.model_fields["kind"].default)

    @classmethod
    def without_link(cls, work: type[Work], run: Callable[[JobContext], Awaitable[Outcome]]) -> Self:
        """Return a handler of jobs that need no link."""
        return cls(work, lambda context, _: run(context), needs_link=False)

    @classmethod
    def with_any_link(
        cls, work: type[Work], run: Callable[[JobContext, Link | None], Awaitable[Outcome]]
    ) -> Self:
        """Return a handler whose `run` gets the job's link, or None if the link does not exist."""
        return cls(work, run)

    @classmethod
    def with_link(cls, work: type[Work], run: Callable[[JobContext, Link], Awaitable[Outcome]]) -> Self:
        """Return a handler whose `run` gets the job's link, which may have ended.

        A job whose link does not exist is done at once, without `run`.
        """

        async def run_with_link(context: JobContext, link: Link | None) -> Outcome:
            return done() if link is None else await run(context, link)

        return cls(work, run_with_link)

    @classmethod
    def with_open_link(cls, work: type[Work], run: Callable[[JobContext, Link], Awaitable[Outcome]]) -> Self:
        """Return a handler whose `run` gets the job's link, which has not ended.

        A job whose link has ended or does not exist is done at once, without `run`.
        """

        async def run_while_open(context: JobContext, link: Link | None) -> Outcome:
            return done() if link is None or link.end_reason is not None else await run(context, link)

        return cls(work, run_while_open)
