"""The worker: acquires leases on queues that have work, and runs their jobs.

It runs a bounded number of jobs at once, each under a lease, and counts what they do. `failures.py` decides
what follows when a handler raises.
"""

import asyncio
import contextlib
import math
import time
from collections.abc import Iterable, Mapping, Sequence

from redis.exceptions import RedisError, ResponseError

from taskwire.coder import last_change
from taskwire.coder.agent_places import AgentPlaces
from taskwire.dependencies import Dependencies
from taskwire.domain.audit import WrittenEntry
from taskwire.domain.errors import UserError
from taskwire.domain.queueing.jobs import JOB_KINDS
from taskwire.domain.queueing.retry_policies import ANY_JOB, WITHOUT_REDIS_SECONDS
from taskwire.failures import Failures, normalize_retry
from taskwire.ingress_priority import IngressPriority
from taskwire.job_context import Handler, JobContext, JobEnded, Outcome, name_caller, require_own_link
from taskwire.messages import answers
from taskwire.outbox.allowed_places import require_allowed_place
from taskwire.outbox.audit import FindAccount, log_entries, make_entry
from taskwire.outbox.private_answers import PrivateAnswer, PrivateAnswers
from taskwire.people.accounts import Accounts
from taskwire.queue.batch import Batch
from taskwire.queue.data_loss_detector import DataLoss
from taskwire.queue.leases import Acquired, Lease, LeaseLost, NothingDue, Trouble, UnreadableJob
from taskwire.recovery.newer_versions import NewerVersions, make_replacement
from taskwire.redis.decoding import CannotRead
from taskwire.redis.error_reasons import reason
from taskwire.slack.call_priorities import Priority, as_claimant
from taskwire.telemetry import Metrics, ThrottledLog, logger

MAX_CONCURRENT_JOBS = 32
# Once in this many times, the worker ignores priorities and acquires the oldest due job, so that cards are
# updated even if messages never stop.
IGNORE_PRIORITY_EVERY = 5
DATA_LOSS_CHECK_SECONDS = 2.0
RELEASE_TIMEOUT_SECONDS = 1.0
# The names of the asyncio tasks that run jobs begin with this.
JOB_TASK_NAME = "job "

# The label `reason` in the metric of retries, for each trouble that counts as a retry. A job that waits for
# an agent does not count.
_RETRY_REASONS: dict[Trouble, str] = {"failing": "failed", "refused": "account"}

_log = logger("taskwire.worker")


def handlers_by_kind(handlers: Iterable[Handler]) -> Mapping[str, Handler]:
    """Return the handlers by kind of job. Raise ValueError unless every kind has exactly one."""
    table: dict[str, Handler] = {}
    for handler in handlers:
        if handler.kind in table:
            raise ValueError(f"two handlers for jobs of kind {handler.kind}")
        table[handler.kind] = handler
    if missing := JOB_KINDS - table.keys():
        raise ValueError(f"no handler for jobs of kind {', '.join(sorted(missing))}")
    return table


class Worker:
    """Runs the jobs of one workspace: many queues at once, and the jobs of each queue in their order."""

    def __init__(
        self,
        deps: Dependencies,
        accounts: Accounts,
        handlers: Mapping[str, Handler],
        metrics: Metrics,
        newer_versions: NewerVersions,
        private_answers: PrivateAnswers,
        find_account: FindAccount,
    ) -> None:
        self._deps = deps
        self._accounts = accounts
        self._find_account = find_account
        self._newer_versions = newer_versions
        self._private_answers = private_answers
        self._handlers = handlers
        self._metrics = metrics
        self._failures = Failures(deps, metrics)
        _create_counters(metrics, handlers)
        self.ingress_priority = IngressPriority()
        self._free_slots = asyncio.Semaphore(MAX_CONCURRENT_JOBS)
        self._agent_places = AgentPlaces()
        self._leases: dict[asyncio.Task[None], Lease | UnreadableJob] = {}
        # The running job that may crash its process, if there is one. At most one such job runs at a time.
        self._risky: asyncio.Task[None] | None = None
        # Cleared while a lease is being acquired, and until the acquired lease is run or released.
        self._has_acquired = asyncio.Event()
        self._has_acquired.set()
        self._acquisitions = 0
        self._next_data_loss_check = 0.0
        # Only the worker logs that Redis is away, because it calls Redis all the time.
        self._log_redis_away = ThrottledLog(_log.warning, "redis is away")
        # Redis answers but gives no lease: for example, the store was moved, or belongs to a newer version.
        self._log_redis_refusal = ThrottledLog(_log.warning, "redis answers but gives no jobs")
        self._is_stopping = asyncio.Event()
        # Why the last acquire of a lease failed; empty if it did not. Redis may still answer reads.
        self.store_trouble = ""
        # The data loss that was found. `app/bot.py` handles it and clears this.
        self.data_loss: DataLoss | None = None

    async def run(self) -> None:
        """Acquire leases and run their jobs until `stop` is called.

        Raise UserError if this version must not use the store any more.
        """
        while not self._is_stopping.is_set():
            await self._free_slots.acquire()
            await self.ingress_priority.wait()
            try:
                acquired = await self._acquire_next()
                if acquired is None:
                    self._free_slots.release()
                elif self._is_stopping.is_set():
                    await self._release_all([acquired])
                else:
                    self._start(acquired)
            finally:
                self._has_acquired.set()

    def _start(self, acquired: Lease | UnreadableJob) -> None:
        """Run the job of a lease."""
        task = asyncio.create_task(self._run_lease(acquired), name=f"{JOB_TASK_NAME}{acquired.name}")
        self._leases[task] = acquired
        if self._is_risky(acquired):
            # A warning and not an error: the cause may be another job, or a person who kills processes.
            _log.warning(
                "job started several times and never completed; it may crash workers",
                job=acquired.job_id,
                acquisitions=acquired.acquisitions,
            )
            self._risky = task
        task.add_done_callback(self._on_lease_ended)

    async def stop(self, within_seconds: float) -> None:
        """Acquire no new lease, and let jobs end. Cancel late jobs, and release their leases.

        If a lease is being acquired, wait for it, because Redis may have given it already. If it were not
        released, no worker could use its queue until it expires.
        """
        self._is_stopping.set()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_seconds):
                await self._has_acquired.wait()
                if self._leases:
                    await asyncio.wait(self._leases)
        unfinished = dict(self._leases)
        for task in unfinished:
            task.cancel()
        await asyncio.gather(*unfinished, return_exceptions=True)
        await self._release_all(list(unfinished.values()))

    async def note_clean_stop(self) -> None:
        """Record in Redis that this process has stopped and writes nothing more."""
        with contextlib.suppress(RedisError, TimeoutError):
            async with asyncio.timeout(RELEASE_TIMEOUT_SECONDS):
                await self._deps.queues.data_loss_detector.record_clean_stop()

    async def _release_all(self, acquired: Sequence[Lease | UnreadableJob]) -> None:
        """Release leases, so that other processes need not wait until they expire."""
        releases = [self._deps.queues.release(each) for each in acquired]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(RELEASE_TIMEOUT_SECONDS):
                await asyncio.gather(*releases, return_exceptions=True)

    @property
    def is_idle(self) -> bool:
        """Whether no job is running and no lease is being acquired."""
        return not self._leases and self._has_acquired.is_set()

    @property
    def running_job_count(self) -> int:
        """How many jobs are running."""
        return len(self._leases)

    def _is_risky(self, acquired: Acquired) -> bool:
        """Return whether the job was acquired often and never ended. At most one such job runs at a time."""
        return (
            isinstance(acquired, Lease) and acquired.acquisitions > self._deps.queues.times.risky_acquisitions
        )

    def _on_lease_ended(self, task: asyncio.Task[None]) -> None:
        self._leases.pop(task, None)
        if task is self._risky:
            self._risky = None
        self._free_slots.release()
        if not task.cancelled() and task.exception() is not None:
            _log.error("unexpected exception while running a job, will retry", exc_info=task.exception())

    async def _acquire_next(self) -> Lease | UnreadableJob | None:
        try:
            self._has_acquired.clear()
            await self._check_for_data_loss()
            if self._is_stopping.is_set():
                return None
            self._acquisitions += 1
            acquired = await self._deps.queues.acquire(
                may_be_risky=self._risky is None,
                ignores_priority=self._acquisitions % IGNORE_PRIORITY_EVERY == 0,
            )
            self.store_trouble = ""
            outage_seconds = [
                seconds
                for each in (self._log_redis_away, self._log_redis_refusal)
                if (seconds := each.end()) is not None
            ]
            if outage_seconds:
                _log.info("redis answers again", seconds=round(max(outage_seconds)))
            if not isinstance(acquired, NothingDue):
                return acquired
            self._has_acquired.set()
            await self._wait_for_job(acquired.wait_seconds)
        except UserError:
            # A newer version of Taskwire has started that cannot run beside this one.
            raise
        except RedisError as error:
            # The Redis server that comes back may be another server, or may have lost data.
            self._next_data_loss_check = 0.0
            self.store_trouble = reason(error)
            self._metrics.store_failures.inc()
            is_refused = isinstance(error, ResponseError)
            (self._log_redis_refusal if is_refused else self._log_redis_away)(error=str(error))
            await self._pause(1.0)
        except Exception:  # noqa: BLE001 - no stored job may end the acquire loop
            _log.exception("unexpected exception while acquiring a lease, will retry")
            await self._pause(1.0)
        return None

    async def _check_for_data_loss(self) -> None:
        if time.monotonic() < self._next_data_loss_check:
            return
        await self._deps.queues.formats.record_presence()
        if data_loss := await self._deps.queues.data_loss_detector.find_new():
            silent_ms = data_loss.at_ms - data_loss.since_ms
            _log.warning("redis may have lost writes, effects checked first", last_used_before_ms=silent_ms)
            self._metrics.data_losses.inc()
            self.data_loss = data_loss
        self._next_data_loss_check = time.monotonic() + DATA_LOSS_CHECK_SECONDS

    async def _wait_for_job(self, seconds: float) -> None:
        wake = asyncio.create_task(self._deps.queues.wait(seconds))
        stop = asyncio.create_task(self._is_stopping.wait())
        try:
            await asyncio.wait({wake, stop}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in (wake, stop):
                each.cancel()
            await asyncio.gather(wake, stop, return_exceptions=True)
        if not wake.cancelled():
            wake.result()

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._is_stopping.wait(), seconds)

    async def _run_lease(self, acquired: Lease | UnreadableJob) -> None:
        try:
            if isinstance(acquired, Lease):
                with as_claimant(f"{acquired.name} {acquired.job_id}"):
                    await self._run_job(acquired)
            else:
                await self._defer(acquired, acquired.body, acquired.why)
        except LeaseLost:
            kind = acquired.job.work.kind if isinstance(acquired, Lease) else "unreadable"
            self._metrics.lost_leases.labels(kind).inc()
            _log.info("lease lost: another process has the queue", queue=acquired.name, job=acquired.job_id)
        except ResponseError as error:
            _log.warning(
                "job not completed, will retry", queue=acquired.name, job=acquired.job_id, error=str(error)
            )
        except RedisError as error:
            # The next lease finds out whether the job ended. `_acquire_next` logs that Redis is away.
            _log.debug(
                "unknown whether a job was completed, the next lease finds out",
                queue=acquired.name,
                job=acquired.job_id,
                error=str(error),
            )

    async def _run_job(self, lease: Lease) -> None:
        context = JobContext(lease, self._deps.queues)
        _count_lease(self._metrics, lease)
        try:
            with last_change.recording() as last:
                outcome = await self._run_handler(context)
        except CannotRead as error:
            await self._defer(lease, context.job.model_dump_json(context=lease.name), error.why)
            return
        except LeaseLost:
            # The job may have acted too late. It cannot be completed, so its compensation is written here.
            await self._deps.queues.write(context.compensation or Batch())
            raise
        finally:
            _count_effects(self._metrics, context)
        entry = make_entry(context, outcome, self._find_account, last.status)
        entries = [*context.audit.others, *([(entry, lease.job.id)] if entry is not None else [])]
        entered = [each for each in entries if self._deps.audit.takes(each[0])]
        for each, _ in entered:
            self._deps.audit.add_to(outcome.batch, each)
        written = await self._complete(context, outcome)
        if entered:
            self._deps.audit.note_written(written)
        log_entries(entries, entered, written)
        if written.trouble:
            self._metrics.audit_entries_refused.inc(len(entered))
        _count_outcome(self._metrics, context, outcome)
        if outcome.private_messages or outcome.replacements:
            # Showing messages may have to wait for Slack's limits. The messages are shown after the end of
            # the lease, so they delay no job.
            self._show_private_messages(outcome)

    async def _complete(self, context: JobContext, outcome: Outcome) -> WrittenEntry:
        """Complete the lease, and return what `Queues.complete` returns.

        Repeat the call while Redis cannot be reached, at most for the duration of a lease. Repeating is safe,
        because the fencing token lets only one call take effect.

        After that time, raise RedisError. Another worker may then acquire the queue, and reconciles the job.
        """
        retry_until = time.monotonic() + self._deps.queues.times.lease_ms / 1000
        while True:
            try:
                return await self._deps.queues.complete(
                    context.lease,
                    outcome.kind,
                    outcome.batch,
                    delay_ms=math.ceil(outcome.delay_seconds * 1000),
                    job=outcome.job,
                    compensation=context.compensation,
                    trouble=outcome.trouble,
                )
            except RedisError as error:
                if time.monotonic() > retry_until:
                    raise
                (_log.warning if isinstance(error, ResponseError) else _log.debug)(
                    "redis did not accept the completion of a job, call repeated",
                    job=context.job.id,
                    error=str(error),
                )
                await asyncio.sleep(WITHOUT_REDIS_SECONDS)

    async def _defer(self, acquired: Acquired, body: str, why: str) -> None:
        """Let a newer version of Taskwire run a job that this version cannot read.

        Give the job up if no newer version starts in time. `body` is the unread job.
        """
        if (batch := make_replacement(acquired)) is not None:
            await self._deps.queues.complete(acquired, "done", batch)
            return
        deferral = await self._deps.queues.defer(acquired)
        if deferral == "deferred":
            _log.warning(
                "job not readable by this version, waits for a newer version",
                queue=acquired.name,
                job=acquired.job_id,
                why=why,
            )
        if deferral == "no newer version":
            _log.error("unreadable job is a dead letter", queue=acquired.name, job=acquired.job_id, why=why)
            self._metrics.dead_letters.labels("unreadable").inc()
            await self._deps.queues.complete(
                acquired, "done", await self._newer_versions.give_up(acquired, body, why)
            )

    async def _run_handler(self, context: JobContext) -> Outcome:
        job, lease = context.job, context.lease
        is_old = lease.now_ms - lease.first_acquired_ms > ANY_JOB.max_duration_ms
        if lease.acquisitions > self._deps.queues.times.many_acquisitions and is_old:
            return await self._failures.give_up(context, answers.PROCESS_KILLED)
        if ANY_JOB.is_over(job.failing_since_ms, lease.now_ms):
            return await self._failures.give_up(context, answers.FAILED_FOR_A_DAY)
        try:
            handler = self._handlers[job.work.kind]
            link = await self._deps.links.find(context.link_id) if handler.needs_link else None
            context.audit.link = link
            require_own_link(context, link)
            if not context.is_outcome_unknown:
                require_allowed_place(self._deps, job.work)
            context.coder = await self._accounts.get_client_for_job(job.work, link)
            with self._agent_places.of_job(name_caller(context, link)):
                return normalize_retry(context, await handler.run(context, link))
        except (LeaseLost, CannotRead):
            raise
        except JobEnded as ended:
            return ended.outcome
        except Exception as error:  # noqa: BLE001 - an unexpected one must not stop the queue either
            return await self._failures.get_outcome(context, error)

    def _show_private_messages(self, outcome: Outcome) -> None:
        """Show the outcome's messages to the people they are for, each message at most once."""
        priority = Priority.RECEIPT if outcome.is_refusal else Priority.POST
        private_messages = [
            PrivateAnswer(requester, message, priority) for requester, message in outcome.private_messages
        ]
        private_messages += [
            PrivateAnswer(requester, message, is_instead=True) for requester, message in outcome.replacements
        ]
        self._private_answers.show(*private_messages)


def _create_counters(metrics: Metrics, kinds: Iterable[str]) -> None:
    """Create, with the value 0, the counters that alerts watch.

    Prometheus does not notice the increase of a counter whose first value is 1.
    """
    for kind in kinds:
        metrics.leases_taken_over.labels(kind)
        metrics.reconciled.labels(kind, "unclear")
        metrics.dead_letters.labels(kind)


def _count_lease(metrics: Metrics, lease: Lease) -> None:
    """Count the lease if this process took it over from another process."""
    if lease.acquisitions > 1:
        metrics.leases_taken_over.labels(lease.job.work.kind).inc()


def _count_effects(metrics: Metrics, context: JobContext) -> None:
    """Count the attempts, the reconciled attempts and the removed duplicates of one lease."""
    kind = context.job.work.kind
    if context.attempts_begun:
        metrics.attempts.labels(kind).inc(context.attempts_begun)
    if context.reconcile_result:
        metrics.reconciled.labels(kind, context.reconcile_result).inc()
    if context.duplicates_removed:
        metrics.duplicates_removed.labels(kind).inc(context.duplicates_removed)


def _count_outcome(metrics: Metrics, context: JobContext, outcome: Outcome) -> None:
    """Count a lease that was completed with this outcome."""
    kind = context.job.work.kind
    metrics.jobs.labels(kind, "given_up" if outcome.is_dead_letter else outcome.kind).inc()
    if outcome.is_dead_letter:
        metrics.dead_letters.labels(kind).inc()
    if outcome.trouble in _RETRY_REASONS:
        metrics.retries.labels(kind, _RETRY_REASONS[outcome.trouble]).inc()
