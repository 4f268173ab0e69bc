"""One job being run: its lease, the one effect that it may attempt, and how it ends.

A handler returns an `Outcome` and writes nothing itself. An effect that cannot be repeated is made through
`attempt`, at most once for each lease, and never before Redis knows of it.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Literal, Self, TypeVar

from redis.exceptions import RedisError

from taskwire import transport
from taskwire.cancelling import ended
from taskwire.domain.errors import NotDone
from taskwire.domain.ids import LinkId
from taskwire.domain.jobs import Job, ReadThread, Requester, Work, link_of
from taskwire.domain.links import Link
from taskwire.domain.message import Message
from taskwire.domain.reconcile import Finding
from taskwire.queue.batch import Batch
from taskwire.queue.dead_letters import add_dead_letter
from taskwire.queue.leases import Lease, LeaseLost, Queue, Trouble

# From the beginning of an attempt to its first byte, a new connection included; where that was not enough the
# next try has more.
WRITE_SECONDS, LONGEST_WRITE_SECONDS = 2.0, 10.0

T = TypeVar("T")
W = TypeVar("W", bound=Work)
Private = tuple[Requester, Message]


@dataclass(frozen=True)
class Outcome:
    """How a turn ends, and what is written with it in the same call.

    `privately` is shown afterwards, at most once, and not promised. So is `instead`: each message takes the
    place of the question whose button that person pressed. A refusal (`is_refusal`) goes after what others
    are shown.
    `trouble` says how its list fares by it; a job that goes on as it should begins the count of its tries
    anew. `has_letter`: it was given up and is kept for the operator.
    """

    kind: Literal["done", "retry", "unknown"]
    batch: Batch = field(default_factory=Batch)
    delay_seconds: float = 0.0
    job: Job | None = None
    privately: tuple[Private, ...] = ()
    instead: tuple[Private, ...] = ()
    is_refusal: bool = False
    trouble: Trouble = "none"
    is_dead_letter: bool = False


def done(batch: Batch | None = None, *privately: Private) -> Outcome:
    """The job's effect is there, or is not to be."""
    return Outcome("done", batch or Batch(), privately=privately)


def decided(batch: Batch, requester: Requester, message: Message) -> Outcome:
    """The job's effect is there, and the question that led to it gives way to what was decided."""
    return Outcome("done", batch, instead=((requester, message),))


def retry(seconds: float, job: Job | None = None, batch: Batch | None = None, *privately: Private) -> Outcome:
    """Not yet: the job goes on after `seconds`."""
    return Outcome("retry", batch or Batch(), seconds, job, privately)


def unknown(job: Job | None = None, seconds: float = 0.0, trouble: Trouble = "none") -> Outcome:
    """The attempt's outcome is unknown: whoever comes next reads back, when it can no longer land."""
    return Outcome("unknown", delay_seconds=seconds, job=job, trouble=trouble)


class JobEnded(Exception):
    """The turn ends so, however deep in the story that is found out."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.kind)
        self.outcome = outcome


class JobContext:
    """One turn being carried out."""

    def __init__(self, lease: Lease, queue: Queue) -> None:
        self.lease = lease
        self._queue = queue
        self._taken_at = transport.boottime()
        self.note = lease.attempt or ""
        self.is_outcome_unknown = lease.attempt is not None
        # The effect is there: whatever goes wrong from here on must not lead to a second one.
        self.has_landed = False
        # What to write should this turn's token no longer hold when it ends: what was done may be too late.
        self.compensation: Batch | None = None
        # For the figures: attempts begun, what an earlier one was found to have done, copies taken back.
        self.begun = 0
        self.found: Finding | None = None
        self.doubles = 0

    @property
    def job(self) -> Job:
        """The job in hand."""
        return self.lease.job

    def work(self, kind: type[W]) -> W:
        """What the job has to do; the worker hands each job to the handler of its kind."""
        work = self.job.work
        if not isinstance(work, kind):
            raise TypeError(f"{self.job.id} went to the handler of {kind.__name__}")
        return work

    @property
    def link_id(self) -> LinkId:
        """The link that the job is about: its queue's, where the job itself names none."""
        work = self.job.work
        return work.link if isinstance(work, ReadThread) else link_of(self.lease.name)

    def learned(self, **changes: str | int) -> None:
        """Let these fields of the job's work be others from now on, should it go on later."""
        self.lease = replace(self.lease, job=self.job.knowing(**changes))

    @property
    def now_ms(self) -> int:
        """Redis's time when the turn began."""
        return self.lease.now_ms

    @property
    def present_ms(self) -> int:
        """Redis's time now, as far as this process can tell."""
        return self.now_ms + int((transport.boottime() - self._taken_at) * 1000)

    @property
    def maybe_done_since_ms(self) -> int:
        """Since when, by Redis's clock, it may have been done without anything here knowing of it."""
        data_loss, written_ms = self.lease.data_loss, self.job.written_ms or self.lease.since_ms
        if data_loss is None:
            return written_ms
        return min(data_loss.since_ms, written_ms) if self.job.is_sent_again else data_loss.since_ms

    def failed_again(self) -> Job:
        """The job after one more turn that did not bring it about.

        What stands behind a job that fails has been failing with it: it does not begin a day of its own.
        """
        lease = self.lease
        is_failing = lease.trouble == "failing"
        since_ms = max(lease.trouble_since_ms, lease.since_ms) if is_failing else self.now_ms
        return self.job.failed_again(since_ms)

    @property
    def keeps_attempt(self) -> bool:
        """Whether the attempt must stay pinned, to be read back, should this turn end without its job."""
        return self.is_outcome_unknown or self.has_landed

    def settled(self, found: Finding | None = None, *, has_landed: bool = False) -> None:
        """An earlier attempt has been read back: it is known what became of it, or that nobody can know."""
        if self.is_outcome_unknown:
            self.found = found or ("there" if has_landed else "not_there")
        self.is_outcome_unknown = False
        self.has_landed = has_landed

    async def attempt(
        self,
        note: str,
        timeout_seconds: float,
        call: Callable[[], Awaitable[T]],
        compensation: Batch | None = None,
    ) -> T:
        """Write down that an attempt begins, then make the call, which sends nothing after its deadline.

        `note` is what a reconciliation needs; `compensation` undoes what a stopped process may do too late.
        Raises what `begin` and the call raise; a NotDone leaves nothing to be read back. The clock is read
        before `begin` is sent, so that the call never outlives what Redis was told.
        The answer may take `timeout_seconds`; the first byte must have left long before, so that nobody has
        to wait for long after this process has died. While it lives, Redis is told again and again.
        """
        if self.is_outcome_unknown:
            raise RuntimeError("an attempt of unknown outcome is read back before the next is made")
        seconds = min(WRITE_SECONDS * (1 + self.job.tries), LONGEST_WRITE_SECONDS, timeout_seconds)
        deadline = transport.boottime() + seconds
        await self._queue.begin(self.lease, note, seconds)
        self.begun += 1
        self.is_outcome_unknown = True
        self.compensation = compensation
        try:
            async with self._kept_up(note, seconds):
                with transport.deadline(deadline):
                    made = await call()
        except NotDone:
            self.is_outcome_unknown = False
            self.compensation = None
            raise
        self.is_outcome_unknown, self.has_landed = False, True
        return made

    async def write(self, batch: Batch) -> None:
        """Write a step in the middle of the turn; LeaseLost if it is somebody else's by now."""
        await self._queue.write_under_lease(self.lease, batch)

    @contextlib.asynccontextmanager
    async def _kept_up(self, note: str, seconds: float) -> AsyncIterator[None]:
        async def again() -> None:
            # Who cannot keep it up for longer than it lasts lets it lapse: the next taker reads back.
            with contextlib.suppress(LeaseLost):
                while True:
                    await asyncio.sleep(seconds / 3)
                    with contextlib.suppress(RedisError):
                        await self._queue.begin(self.lease, note, seconds, is_again=True)

        keeping = asyncio.create_task(again(), name=f"keep up {self.job.id}")
        try:
            yield
        finally:
            await ended(keeping)


def given_up(batch: Batch, *privately: Private) -> Outcome:
    """The job leaves its list undone, with the step that holds its letter; what is behind fares no better."""
    return Outcome("done", batch, privately=privately, trouble="same", is_dead_letter=True)


def dead_letter(context: JobContext, why: str) -> Batch:
    """Write the dead letter alone."""
    return add_dead_letter(Batch(), context.lease, context.job.model_dump_json(), why)


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
        """The kind of job that it runs."""
        return str(self.work.model_fields["kind"].default)

    @classmethod
    def without_link(cls, work: type[Work], run: Callable[[JobContext], Awaitable[Outcome]]) -> Self:
        """Run jobs that need no link."""
        return cls(work, lambda context, _: run(context), needs_link=False)

    @classmethod
    def with_any_link(
        cls, work: type[Work], run: Callable[[JobContext, Link | None], Awaitable[Outcome]]
    ) -> Self:
        """Run jobs that also end in some way of their own if there is no link."""
        return cls(work, run)

    @classmethod
    def with_link(cls, work: type[Work], run: Callable[[JobContext, Link], Awaitable[Outcome]]) -> Self:
        """Run jobs whose link may have ended. Without a link, nothing is left to do."""

        async def run_with_link(context: JobContext, link: Link | None) -> Outcome:
            return done() if link is None else await run(context, link)

        return cls(work, run_with_link)

    @classmethod
    def with_open_link(cls, work: type[Work], run: Callable[[JobContext, Link], Awaitable[Outcome]]) -> Self:
        """Run jobs of open links. Once the link has ended, nothing is left to do."""

        async def run_while_open(context: JobContext, link: Link | None) -> Outcome:
            return done() if link is None or link.ended is not None else await run(context, link)

        return cls(work, run_while_open)
