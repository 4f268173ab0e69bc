"""Finds out whether an input has reached the agent when the answer to the call was lost.

This module reads the agent's log, and `domain/lifecycle/reconcile.py` decides what the log proves. While the
input may still arrive, the log proves something only if it shows the input. If the log proves nothing, a
person is asked. This module also reports an input that a stopped process may have sent a second time.
"""

import asyncio
from datetime import datetime
from functools import partial
from typing import Annotated, Literal

from pydantic import BaseModel, Field, TypeAdapter

from taskwire.agent.observing import entries_of
from taskwire.coder.client import CoderClient
from taskwire.coder.errors import AppUnreachable, NoLogs, NotFound, NotReady
from taskwire.coder.models import Task, TaskLogs, TaskStatus
from taskwire.dependencies import Dependencies
from taskwire.domain.errors import NoPlace, OutcomeUnknown, OutsideError, Refused, TryLater
from taskwire.domain.ids import TaskId
from taskwire.domain.lifecycle import reconcile
from taskwire.domain.lifecycle.links import Link
from taskwire.domain.lifecycle.reconcile import Finding, Mark, ResumeIntent
from taskwire.domain.queueing.maintenance import ReportDuplicateInput
from taskwire.domain.queueing.retry_policies import INPUT_LOOK_SECONDS, REPLY_RETRIES
from taskwire.job_context import (
    LONGEST_FIRST_BYTE_SECONDS,
    Handler,
    JobContext,
    Outcome,
    done,
    retry,
    unknown,
)
from taskwire.messages import inputs
from taskwire.outbox.enqueue import say
from taskwire.outbox.posting import get_landing_seconds
from taskwire.redis.decoding import read
from taskwire.replies.wait_or_give_up import ReplyJob, ReplyOutcomes
from taskwire.telemetry import logger

# The longest time from the first byte of the request until the input is typed, in seconds. Coder tries for up
# to 30 s to reach the agent.
LANDING_SECONDS = 35.0

_log = logger("taskwire.replies.reconcile")


class SendIntent(BaseModel):
    """The intent record of an input. `marked` says where the agent's log ended before the input was sent."""

    what: Literal["send"] = "send"
    marked: Mark
    reported_at: datetime | None = None
    # When the attempt began, by Redis's clock, in milliseconds.
    begun_ms: int

    @classmethod
    def create(cls, context: JobContext, task: Task, logs: TaskLogs, text: str) -> "SendIntent":
        """Return the intent record of an input that is about to be sent."""
        build = task.workspace_build_number
        return cls(
            marked=reconcile.make_mark(text, task.initial_prompt, build, entries_of(logs)),
            reported_at=task.current_state.timestamp if task.current_state else None,
            begun_ms=context.present_ms,
        )


_INTENTS: TypeAdapter[ResumeIntent | SendIntent] = TypeAdapter(
    Annotated[ResumeIntent | SendIntent, Field(discriminator="what")]
)


class Reconciler:
    """Finds out the unknown outcome of an attempt to send input or to resume a task."""

    def __init__(self, deps: Dependencies, outcomes: ReplyOutcomes) -> None:
        self._deps = deps
        self._outcomes = outcomes

    async def reconcile_attempt(self, reply_job: ReplyJob) -> Outcome:
        """Find out the outcome of an attempt whose answer was lost.

        If Coder does not answer, try again later.
        """
        context = reply_job.context
        intent = read(_INTENTS.validate_json, context.intent)
        try:
            if isinstance(intent, SendIntent):
                return await self._reconcile_send(reply_job, intent)
            return await self._reconcile_resume(reply_job, intent)
        except (TryLater, OutcomeUnknown) as error:
            # Coder does not answer. A later try finds out what happened.
            if isinstance(error, NoPlace) or not context.is_outcome_unknown:
                raise
            seconds = REPLY_RETRIES.wait_seconds(context.job.tries + 1, error.retry_after_seconds)
            return unknown(context.failed_again(), seconds, "failing")

    async def is_in_log(self, coder: CoderClient, task_id: str, intent: SendIntent) -> bool:
        """Return whether the agent's log shows the input.

        The result False proves nothing, because the input may still arrive.
        """
        try:
            return await self._find_in_log(coder, task_id, intent) == "there"
        except OutsideError:
            return False

    async def _reconcile_resume(self, reply_job: ReplyJob, intent: ResumeIntent) -> Outcome:
        task = await reply_job.context.coder.get_task(_task_id(reply_job))
        is_done = task.workspace_build_number > intent.build and task.is_up
        reply_job.context.record_reconciled("there" if is_done else "not_there")
        return (
            await self._outcomes.retry_after_resume(reply_job, task.workspace_build_number)
            if is_done
            else retry(0)
        )

    async def _reconcile_send(self, reply_job: ReplyJob, intent: SendIntent) -> Outcome:
        context, reply = reply_job.context, reply_job.reply
        found, question = (
            await self._find_in_log(context.coder, _task_id(reply_job), intent),
            await self._outcomes.ask_about_unknown_outcome(reply_job),
        )
        since_ms = context.now_ms - _landing_end_ms(context.coder, intent)
        decision = reconcile.decide(
            found, since_ms, was_rejected=reply.was_rejected, was_repeated=reply.was_repeated
        )
        if decision == "look_again":
            return unknown(
                seconds=min(INPUT_LOOK_SECONDS, -since_ms / 1000) if since_ms < 0 else INPUT_LOOK_SECONDS
            )
        # No call may be made after this point. If a call failed, the reply would be sent again.
        context.record_reconciled(found or "unclear", has_taken_effect=decision == "delivered")
        _log.info(
            "outcome of a reply was unknown, decided from the agent's log",
            job=context.job.id,
            found=found,
            decision=decision,
        )
        match decision:
            case "delivered":
                return await self._outcomes.complete_delivery(reply_job, intent.reported_at)
            case "send_again":
                return retry(0, context.job.with_work(was_repeated=True))
            case "ask":
                return question

    async def _find_in_log(self, coder: CoderClient, task_id: str, intent: SendIntent) -> Finding | None:
        """Return what the agent's log says about the input; None if the log cannot be read now."""
        build = intent.marked.build
        try:
            task = await coder.get_task(task_id)
            if task.workspace_build_number != build:
                return "unclear"
            if task.status is not TaskStatus.ACTIVE:
                return None
            logs = await coder.get_logs(task.id)
        except (Refused, NotReady, AppUnreachable):
            return None
        if logs.snapshot:
            return None
        return await asyncio.to_thread(lambda: reconcile.find_input(intent.marked, build, entries_of(logs)))


def _landing_end_ms(coder: CoderClient, intent: SendIntent) -> int:
    """Return the time, by Redis's clock, after which the attempt can no longer reach the agent."""
    seconds = coder.timeouts.send
    # The first byte is sent within the first of these times. After that, the input arrives within the second.
    lasts = min(LONGEST_FIRST_BYTE_SECONDS, seconds) + min(LANDING_SECONDS, seconds)
    return intent.begun_ms + int(lasts * 1000)


def _task_id(reply_job: ReplyJob) -> str:
    assert reply_job.link.record.task_id is not None  # noqa: S101 - there was an attempt, so there is a task
    return reply_job.link.record.task_id


def handlers(deps: Dependencies) -> tuple[Handler, ...]:
    """Return the handlers: which function runs each kind of job."""
    return (Handler.with_open_link(ReportDuplicateInput, partial(_report_duplicate_input, deps)),)


async def _report_duplicate_input(deps: Dependencies, context: JobContext, link: Link) -> Outcome:
    """Post a message in the thread if the agent has got, or may have got, an input twice.

    An input cannot be taken back.
    """
    work = context.work(ReportDuplicateInput)
    if link.record.task_id is None:
        return done()
    try:
        copies = await _count_copies(context.coder, link.record.task_id, work.mark)
    except NotFound:
        return done()
    if copies is not None and copies > 1:
        context.duplicates_removed += 1
        return done(say(link.id, f"twice:{work.ts}", inputs.reply_delivered_twice(work.mark.text)))
    if not work.look_count:
        return retry(
            get_landing_seconds(deps, context.coder.timeouts.send), context.job.with_work(look_count=1)
        )
    if copies is None:
        return done(say(link.id, f"twice:{work.ts}", inputs.reply_maybe_delivered_twice(work.mark.text)))
    return done()


async def _count_copies(coder: CoderClient, task_id: TaskId, marked: Mark) -> int | None:
    """Return how often the input is in the agent's log.

    Return None if the log cannot be read, or if it belongs to another build of the workspace.
    """
    try:
        task = await coder.get_task(task_id)
        logs = await coder.get_logs(task_id)
    except NoLogs:
        return None
    if logs.snapshot:
        return None
    build = task.workspace_build_number
    return await asyncio.to_thread(lambda: reconcile.count_copies(marked, build, entries_of(logs)))
