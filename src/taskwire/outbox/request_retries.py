"""Retries the requests of people who wait for an answer: soon and often, for an hour.

The person is told once that the request waits. `COMMAND` in `domain/queueing/retry_policies.py` says how
often and for how long a request is tried. This module ends a request that fails for an hour; the worker ends
all other jobs. If more requests wait behind this request, the people who made them are told too, each where
they asked.
"""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace

from taskwire.coder.errors import TasksNotSupported, TokenRefused
from taskwire.dependencies import Dependencies
from taskwire.domain.errors import NoPlace, OutcomeUnknown, OutsideError, TryLater
from taskwire.domain.lifecycle.links import Link
from taskwire.domain.queueing.decisions import SnoozeReminder
from taskwire.domain.queueing.jobs import (
    Act,
    ActRequested,
    CreateRequested,
    CreateTask,
    MessageToBot,
    PostCard,
    SendToTask,
)
from taskwire.domain.queueing.person_jobs import (
    AnswerQuestion,
    AuthorizeAccount,
    ConfirmAccount,
    ConnectAccount,
    DisconnectAccount,
    MakeTaskOfMessage,
    SaveChannelSettings,
    StopByReaction,
)
from taskwire.domain.queueing.retry_policies import COMMAND
from taskwire.domain.text.message import Message
from taskwire.job_context import JobContext, Outcome, PrivateMessage
from taskwire.outbox.error_messages import make_give_up_message, make_waiting_message
from taskwire.outbox.tell_once import claim_telling
from taskwire.queue.leases import OutcomeKind
from taskwire.slack.errors import SlackRateLimited
from taskwire.telemetry import logger

RequestedWork = (
    CreateRequested
    | MessageToBot
    | SaveChannelSettings
    | SendToTask
    | SnoozeReminder
    | MakeTaskOfMessage
    | ActRequested
    | StopByReaction
    | PostCard
    | CreateTask
    | Act
    | ConnectAccount
    | AuthorizeAccount
    | ConfirmAccount
    | DisconnectAccount
    | AnswerQuestion
)

_log = logger("taskwire.outbox.request_retries")


async def retry_for_person(
    deps: Dependencies,
    context: JobContext,
    link: Link | None,
    run: Callable[[JobContext], Awaitable[Outcome]],
    *,
    gives_up: bool = True,
) -> Outcome:
    """Run a job. If Coder or Slack does not answer, try again soon, and give up after an hour.

    With `gives_up=False`, this function never gives the job up. The caller then gives it up, because the
    caller has to end more than the job.
    """
    try:
        return await run(context)
    except (NoPlace, SlackRateLimited):
        # Waiting for a place is no failure.
        raise
    except (TryLater, OutcomeUnknown, TokenRefused, TasksNotSupported) as error:
        work = context.job.work
        assert isinstance(work, RequestedWork)  # noqa: S101 - other jobs are not retried here
        if gives_up and not context.keeps_intent_record and has_failed_too_long(context):
            # Keep the time since when this queue fails, because the jobs behind this job have waited since
            # then too.
            return replace(
                _answer_requesters("done", [(work, make_give_up_message(work, link, error))]),
                trouble="unchanged",
            )
        return await _retry(deps, context, link, error)


def has_failed_too_long(context: JobContext) -> bool:
    """Return whether the job has failed for an hour.

    Time in which no process of Taskwire ran does not count.
    """
    return COMMAND.is_over(context.job.failing_since_ms, context.now_ms)


async def _retry(deps: Dependencies, context: JobContext, link: Link | None, error: OutsideError) -> Outcome:
    tries = context.job.tries
    _log.info(
        "job failed, will retry",
        job=context.job.id,
        kind=context.job.work.kind,
        tries=tries,
        error=str(error),
    )
    # A short failure is over before a person can read a message about it. So the person is not told of the
    # first failure.
    is_told = tries >= (0 if context.keeps_intent_record else 1)
    waiting_works = await _list_untold(deps, context) if is_told else []
    outcome = _answer_requesters(
        "unknown" if context.keeps_intent_record else "retry",
        [(work, make_waiting_message(work, link, error)) for work in waiting_works],
    )
    return replace(
        outcome,
        delay_seconds=COMMAND.wait_seconds(tries, error.retry_after_seconds),
        job=context.failed_again(),
        trouble="failing",
    )


async def _list_untold(deps: Dependencies, context: JobContext) -> list[RequestedWork]:
    """List this job, and the jobs behind it, whose requesters have not been told that their request waits."""
    works = []
    for job in await deps.links.list_jobs(context.lease.name):
        work = job.work
        # If a request has two parts, only the second part answers.
        if not isinstance(work, RequestedWork) or (
            isinstance(work, Act | ActRequested) and work.is_answered_elsewhere
        ):
            continue
        if await claim_telling(deps, "request_waits", job.id, ttl_ms=2 * COMMAND.max_duration_ms):
            works.append(work)
    return works


def _answer_requesters(kind: OutcomeKind, messages: Iterable[tuple[RequestedWork, Message]]) -> Outcome:
    """Return an outcome that answers each person where that person asked.

    If the person pressed a button in a private question, the answer replaces the question.
    """
    private_messages: list[PrivateMessage] = []
    replacements: list[PrivateMessage] = []
    for work, message in messages:
        is_pressed = isinstance(work, Act | CreateRequested) and work.note_key
        (replacements if is_pressed else private_messages).append((work.requester, message))
    return Outcome(kind, private_messages=tuple(private_messages), replacements=tuple(replacements))
