"""Decides what happens to a job when its handler raises, and what is written when a job is given up.

Exceptions are sorted here and nowhere else. After "not done" and "outcome unknown" the job is tried again at
growing intervals, until its retry policy (`domain/queueing/retry_policies.py`) gives it up. A `UserError`
ends the job, and the person gets its text. An unexpected exception is logged under a reference that the
person also gets. A job that is given up becomes a dead letter for the operator, and the person who waits for
the job gets a message.
"""

import random
from dataclasses import replace

from redis.exceptions import RedisError, ResponseError

from taskwire.agent.input import get_display_text_without_names
from taskwire.coder.errors import PersonTokenRefused
from taskwire.dependencies import Dependencies
from taskwire.domain.errors import AccountRefused, NoPlace, OutcomeUnknown, OutsideError, Refused, UserError
from taskwire.domain.queueing.jobs import CreateTask, PostCard, Reply
from taskwire.domain.queueing.person_jobs import WaitForAccount
from taskwire.domain.queueing.retry_policies import (
    ANY_JOB,
    PERSON_WITHOUT_ACCOUNT,
    REFUSED_ACCOUNT,
    REFUSED_AFTER_UNKNOWN_SECONDS,
    UNEXPECTED,
    WITHOUT_REDIS_SECONDS,
)
from taskwire.domain.requester import Requester
from taskwire.domain.text.mrkdwn import escape_mrkdwn
from taskwire.job_context import (
    JobContext,
    Outcome,
    dead_letter_batch,
    done,
    end_as_dead_letter,
)
from taskwire.messages import accounts, answers, inputs, waiting
from taskwire.outbox.allowed_places import is_told_already
from taskwire.outbox.enqueue import draw
from taskwire.outbox.waiting_requests import (
    AccountProblem,
    can_wait_elsewhere,
    is_renewal_late,
    let_wait,
    note_refusal,
    renew_if_possible,
    tell_of_account,
    was_replaced,
)
from taskwire.people.account_errors import AccountNeeded
from taskwire.people.accounts import find_actor
from taskwire.queue.batch import Batch
from taskwire.queue.leases import OutcomeKind, Overtaken, Trouble
from taskwire.redis.decoding import CannotRead
from taskwire.replies import wait_or_give_up
from taskwire.slack.errors import NoCapacity
from taskwire.telemetry import Metrics, logger, reference
from taskwire.waiting_replies.undelivered import give_up_together, list_with_later_replies

# If a job's token was replaced while the job ran, the job runs again after this time, with the new token.
WITH_NEW_TOKEN_SECONDS = 1.0
# If a job's token is being renewed, the job runs again after this time.
RENEWAL_SECONDS = 5.0

_log = logger("taskwire.failures")


class Failures:
    """Turns the exception of a handler into an outcome."""

    def __init__(self, deps: Dependencies, metrics: Metrics) -> None:
        self._deps = deps
        self._metrics = metrics

    async def get_outcome(self, context: JobContext, error: Exception) -> Outcome:
        """Return the outcome for an exception. Call it in the `except` block: the log needs the traceback."""
        match error:
            case Overtaken():
                return Outcome("retry", trouble="unchanged")
            case RedisError():
                return self._wait_for_redis(context, error)
            case UserError():
                return await self._answer_refusal(context, error)
            case OutsideError():
                return await self._retry_later(context, error)
            case _:
                return await self._retry_unexpected(context)

    async def _retry_later(self, context: JobContext, error: OutsideError) -> Outcome:
        """Return the outcome for an error of the Slack or Coder client: wait, try again, or give up."""
        if isinstance(error, NoPlace):
            why = "rate_limited" if isinstance(error, NoCapacity) else "agents_busy"
            self._metrics.retries.labels(context.job.work.kind, why).inc()
            # Each waiting job gets a different time with the error, so no jitter is needed.
            # The job may have noted that its receipt shows the wait.
            waiting = _delay(context, error.retry_after_seconds or 1.0, "unchanged")
            return waiting if isinstance(error, NoCapacity) else replace(waiting, job=context.job)
        if isinstance(error, PersonTokenRefused | AccountNeeded):
            return await self._wait_for_person(context, error)
        if isinstance(error, AccountRefused):
            # The account is refused, not this job. The operator has a week to mend the account.
            _log.warning(
                "account refused by Slack or Coder, job will retry", job=context.job.id, error=str(error)
            )
            if _was_refused_for_long(context):
                return await self.give_up(context, answers.REFUSED_FOR_A_WEEK)
            # Jitter, so that the jobs that wait for the account do not all try at the same moment.
            return _delay(context, REFUSED_ACCOUNT.interval_seconds * random.uniform(1.0, 1.25), "refused")  # noqa: S311 - jitter
        if isinstance(error, Refused):
            if not context.keeps_intent_record:
                return await self.give_up(context, str(error))
            return self._retry_after_failure(context, error, REFUSED_AFTER_UNKNOWN_SECONDS)
        return self._retry_after_failure(context, error, error.retry_after_seconds)

    async def _wait_for_person(self, context: JobContext, error: AccountProblem) -> Outcome:
        """Return an outcome that lets the job wait until the person has connected their account.

        The person is told once, privately. A job that has waited for a week is given up.
        """
        work = context.job.work
        if await was_replaced(self._deps, error):
            return _delay(context, WITH_NEW_TOKEN_SECONDS, "unchanged")
        renewal, is_given_up = Batch(), _was_refused_for_long(context)
        if not is_renewal_late(context.lease) and await renew_if_possible(self._deps, error, renewal):
            return replace(_delay(context, RENEWAL_SECONDS, "refused"), batch=renewal)
        # A renewal may have ended after the first look.
        if await was_replaced(self._deps, error):
            return _delay(context, WITH_NEW_TOKEN_SECONDS, "unchanged")
        if is_given_up:
            if isinstance(work, WaitForAccount):
                # Only the person could have connected the account, so the operator needs no dead letter.
                owner = "" if work.person == work.requester.person else work.person
                return done(None, (work.requester, accounts.request_given_up(work.wish, owner)))
            return await self.give_up(context, answers.NOT_CONNECTED_FOR_A_WEEK)
        _log.info("job waits for an account", job=context.job.id, person=error.person, error=str(error))
        if can_wait_elsewhere(context):
            return await let_wait(self._deps, context, error)
        batch = Batch()
        await note_refusal(self._deps, error, batch)
        await tell_of_account(self._deps, error, batch)
        # A job that no person has asked for runs again at once if there is a service account. It then uses
        # that account.
        goes_on = find_actor(work) is None and self._deps.has_service_account
        seconds = 0.0 if goes_on else PERSON_WITHOUT_ACCOUNT.interval_seconds
        return replace(_delay(context, seconds, "refused"), batch=batch)

    def _retry_after_failure(
        self, context: JobContext, error: OutsideError, retry_after_seconds: float | None
    ) -> Outcome:
        """Return an outcome that tries the job again, at growing intervals.

        If the outcome of an attempt is unknown, its intent record stays.
        """
        job = context.job
        delay = ANY_JOB.wait_seconds(job.tries, retry_after_seconds)
        _log.info("job failed, will retry", job=job.id, kind=job.work.kind, tries=job.tries, error=str(error))
        kind: OutcomeKind = "unknown" if context.keeps_intent_record else "retry"
        return Outcome(kind, Batch(), delay, context.failed_again(), trouble="failing")

    def _wait_for_redis(self, context: JobContext, error: RedisError) -> Outcome:
        """Return an outcome that runs the job again when Redis is back.

        If an attempt has begun, its intent record stays.
        """
        if isinstance(error, ResponseError):
            return self._retry_after_failure(context, OutcomeUnknown(f"Redis refused: {error}"), None)
        _log.debug("redis is away, job will retry", job=context.job.id, error=str(error))
        return _delay(context, WITHOUT_REDIS_SECONDS, "unchanged")

    async def _answer_refusal(self, context: JobContext, error: UserError) -> Outcome:
        context.audit.is_refused(error.reason)
        requester, batch = getattr(context.job.work, "requester", None), Batch()
        if not isinstance(requester, Requester) or await is_told_already(self._deps, error, requester, batch):
            return replace(done(), is_refusal=True)
        return replace(done(batch, (requester, answers.refusal(error))), is_refusal=True)

    async def _retry_unexpected(self, context: JobContext) -> Outcome:
        job, error_reference = context.job, reference()
        _log.exception(
            "unexpected exception in job, will retry",
            reference=error_reference,
            job=job.id,
            kind=job.work.kind,
        )
        if job.unexpected_errors >= UNEXPECTED.max_tries:
            return await self.give_up(context, answers.internal_error(error_reference))
        outcome = self._retry_after_failure(context, OutcomeUnknown(f"reference {error_reference}"), None)
        failed_job = outcome.job or job
        return replace(
            outcome, job=failed_job.model_copy(update={"unexpected_errors": job.unexpected_errors + 1})
        )

    async def give_up(self, context: JobContext, why: str) -> Outcome:
        """Return the outcome of a job that is given up: a dead letter, and a message to the person who waits.

        If the job is a reply that may have reached the agent, the bot instead asks the reply's author whether
        the reply has arrived.
        """
        try:
            outcome = await _give_up(self._deps, context, why)
        except (RedisError, CannotRead):
            raise
        except Exception:  # noqa: BLE001 - a job that nobody can be told of must still leave its queue
            _log.exception(
                "cannot tell the person that their job was given up, dead letter kept", job=context.job.id
            )
            outcome = end_as_dead_letter(dead_letter_batch(context, why))
        if outcome.kind == "done":
            _log.error(
                "job given up, dead letter kept", job=context.job.id, kind=context.job.work.kind, why=why
            )
        return normalize_retry(context, outcome)


def normalize_retry(context: JobContext, outcome: Outcome) -> Outcome:
    """Return the outcome of a handler. If it is a retry, correct it first.

    If the outcome of an attempt is unknown, the retry keeps the attempt's intent record. A retry without
    trouble sets the job's count of failures to zero.
    """
    if outcome.kind != "retry":
        return outcome
    if context.is_outcome_unknown:
        _log.error(
            "handler asked for a retry although the outcome of its call is unknown",
            job=context.job.id,
            kind=context.job.work.kind,
        )
        return replace(outcome, kind="unknown")
    job = outcome.job or context.job
    if outcome.trouble != "none" or not job.tries:
        return outcome
    return replace(
        outcome, job=job.model_copy(update={"tries": 0, "unexpected_errors": 0, "failing_since_ms": 0})
    )


def _was_refused_for_long(context: JobContext) -> bool:
    """Return whether our account has been refused for a week while this job was in its queue."""
    lease = context.lease
    since_ms = max(lease.trouble_since_ms, lease.since_ms)
    return lease.trouble == "refused" and context.now_ms - since_ms > REFUSED_ACCOUNT.max_duration_ms


def _delay(context: JobContext, seconds: float, trouble: Trouble) -> Outcome:
    """Return a retry after `seconds` that does not count as a failure of the job.

    The job waits for a place in our own limits, for Redis or for our account's rights. `trouble` is recorded
    for the job's queue.
    """
    return Outcome("unknown" if context.keeps_intent_record else "retry", Batch(), seconds, trouble=trouble)


async def _give_up(deps: Dependencies, context: JobContext, why: str) -> Outcome:
    """Return the outcome of a job that is given up. May raise the errors of Redis and of the clients."""
    job, work = context.job, context.job.work
    if (
        isinstance(work, Reply)
        and context.is_outcome_unknown
        and (question_outcome := await _ask_whether_it_arrived(deps, context, work))
    ):
        return question_outcome
    # A job that fails before its handler runs has no link yet.
    batch, link = dead_letter_batch(context, why), await deps.links.find(context.link_id)
    if isinstance(work, PostCard | CreateTask) and link is not None:
        deps.writes.set_field(batch, link.id, "failure", escape_mrkdwn(why))
        deps.writes.end(batch, link.record, "failed")
        draw(link.id, batch)
    if link is not None and link.pending.endswith(f" {job.id}"):
        draw(link.id, deps.writes.remove_field(batch, link.id, "pending"))
    if isinstance(work, Reply) and link is not None:
        is_shared = why in answers.SHARED_REASONS
        given_up_replies = await list_with_later_replies(deps, context, link) if is_shared else [(job, work)]
        texts = [get_display_text_without_names(deps, reply) for _, reply in given_up_replies]
        message = inputs.delivery_given_up(link, job.id, why, texts)
        return end_as_dead_letter(await give_up_together(deps, context, link, given_up_replies, message, why))
    message = answers.job_given_up(
        waiting.describe_request(work, link), why, is_outcome_unknown=context.keeps_intent_record
    )
    requester = getattr(work, "requester", None)
    private_messages = ((requester, message),) if isinstance(requester, Requester) else ()
    return end_as_dead_letter(batch, *private_messages)


async def _ask_whether_it_arrived(deps: Dependencies, context: JobContext, work: Reply) -> Outcome | None:
    """Ask the author of a reply whether the reply has arrived, and return the outcome of the reply's job.

    Return None if the reply's link has ended.
    """
    link = await deps.links.find(context.link_id)
    if link is None or link.end_reason is not None:
        return None
    words = get_display_text_without_names(deps, work)
    question = inputs.ask_whether_it_arrived(link, context.job.id, words)
    context.record_reconciled("unclear")
    return await wait_or_give_up.ask(
        deps, wait_or_give_up.ReplyJob(context, link, work), "outcome_unknown", question
    )
