"""Direct messages that answer no request: alerts for administrators, calls, and messages for single people.

A call notifies a person of a notice or a card in a thread. An administrator gets each alert once a day at
most. Answers to requests are in `private_answers.py`.
"""

import contextlib
import hashlib
from datetime import UTC, datetime
from functools import partial
from typing import Literal

from taskwire.dependencies import Dependencies
from taskwire.domain.durations import DAY_MS
from taskwire.domain.errors import OutsideError
from taskwire.domain.ids import ChannelId, LinkId, UserId
from taskwire.domain.queueing.jobs import Job
from taskwire.domain.queueing.person_jobs import CallPerson, MessagePerson
from taskwire.domain.queueing.queues import QueueName
from taskwire.domain.text.message import Message
from taskwire.job_context import Handler, JobContext, Outcome, done
from taskwire.messages import calls, notices
from taskwire.outbox.posting import post_once
from taskwire.outbox.tell_once import claim_telling, has_told, record_told
from taskwire.queue.batch import Batch
from taskwire.slack.call_priorities import Priority
from taskwire.slack.errors import ChannelProblem, MessageGone, SlackRefused
from taskwire.slack.metadata import Metadata
from taskwire.telemetry import logger

_log = logger("taskwire.outbox.direct_messages")


class AdminAlerts:
    """Tells the administrators of problems."""

    def __init__(self, deps: Dependencies, admins: tuple[str, ...]) -> None:
        self._deps = deps
        self._admins = admins

    async def warn(self, name: str, sentence: str) -> None:
        """Alert the administrators. An alert with the same `name` is sent at most once a day."""
        name = hashlib.sha256(name.encode()).hexdigest()[:12]
        if await has_told(self._deps, "alert", name):
            return
        if not await claim_telling(self._deps, "alert", name):
            # Another replica is about to alert the administrators. If that replica dies, the next call alerts
            # them.
            return
        day = f"{datetime.now(UTC):%Y-%m-%d}"
        batch = Batch()
        for person in await self._list_admins():
            tell_person(person, f"alert:{name}:{day}", notices.alert(sentence), batch)
        await self._deps.queues.write(record_told(self._deps, batch, "alert", name, ttl_ms=DAY_MS))

    async def _list_admins(self) -> list[UserId]:
        found: dict[UserId, None] = {}
        for name in self._admins:
            if not name.startswith("S"):
                found[UserId(name)] = None
                continue
            try:
                teams = await self._deps.slack.list_teams_to_ask()
                found |= dict.fromkeys(sorted(await self._deps.slack.list_group(name, teams)))
            except OutsideError as error:
                _log.warning(
                    "user group not readable, its members are not alerted", group=name, error=str(error)
                )
        return list(found)


def direct_messages(person: str) -> QueueName:
    """Return the queue of a person's direct messages that answer no request.

    This queue is separate from the person's queue `intake`. A job in `intake` may wait for a newer version of
    Taskwire. The direct message about this must not wait behind the job.
    """
    return QueueName(f"direct_messages:{person}")


def tell_person(
    person: UserId,
    name: str,
    message: Message,
    batch: Batch,
    *,
    message_kind: Literal["answer", "summary"] = "answer",
) -> Batch:
    """Queue a direct message to a person.

    `name` is the job's id. A message is not queued again while a message with this `name` waits.
    """
    work = MessagePerson(person=person, message=message, message_kind=message_kind)
    return batch.append(direct_messages(person), Job(id=name, work=work))


def handlers(deps: Dependencies) -> tuple[Handler, ...]:
    """Return the handlers: which function runs each kind of job."""
    return (
        Handler.without_link(MessagePerson, partial(_send_message, deps)),
        Handler.without_link(CallPerson, partial(_call_person, deps)),
    )


async def _send_message(deps: Dependencies, context: JobContext) -> Outcome:
    work = context.work(MessagePerson)
    meta = Metadata(id=f"{work.person}:{context.job.id}", kind=work.message_kind)
    return await _message_person(deps, context, work, meta)


async def _call_person(deps: Dependencies, context: JobContext) -> Outcome:
    """Send a person a direct message about a notice or a card, with a button to its thread."""
    work, address = context.work(CallPerson), ""
    with contextlib.suppress(ChannelProblem, MessageGone):
        address = await deps.slack.get_permalink(work.channel, work.ts)
    work = work.model_copy(update={"message": calls.add_thread_button(work.message, address)})
    meta = Metadata(id=f"{work.person}:{context.job.id}", kind=work.message_kind, task_id=work.task_id)
    return await _message_person(deps, context, work, meta)


async def _message_person(
    deps: Dependencies, context: JobContext, work: MessagePerson | CallPerson, meta: Metadata
) -> Outcome:
    """Post a direct message.

    Drop the message if Slack refuses it, for example because the person has left.
    """
    try:
        channel = ChannelId(await deps.slack.open_direct(work.person))
        link = LinkId(f"direct_messages:{work.person}")
        await post_once(deps, context, link, channel, None, work.message, meta, Priority.MENTION)
    except SlackRefused as refused:
        _log.warning("Slack refused a direct message, message dropped", person=work.person, code=refused.code)
    return done()
