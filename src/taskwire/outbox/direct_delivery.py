"""Posts direct messages. `direct_messages.py` queues them.

A message about a task is posted only if its reader may still read the task (`readers.py`). The message may
have waited for Slack for hours.
"""

import contextlib
from functools import partial

from taskwire.dependencies import Dependencies
from taskwire.domain.ids import ChannelId, LinkId, ThreadRef, UserId
from taskwire.domain.queueing.person_jobs import CallPerson, MessagePerson
from taskwire.domain.text.message import Message
from taskwire.job_context import Handler, JobContext, Outcome, done
from taskwire.messages import personal_notices
from taskwire.outbox.posting import post_once
from taskwire.outbox.readers import may_read
from taskwire.people.permissions import People
from taskwire.slack.call_priorities import Priority
from taskwire.slack.errors import SlackRefused
from taskwire.slack.metadata import Metadata
from taskwire.telemetry import logger

_log = logger("taskwire.outbox.direct_delivery")


def handlers(deps: Dependencies, people: People) -> tuple[Handler, ...]:
    """Return the handlers: which function runs each kind of job."""
    return (
        Handler.without_link(MessagePerson, partial(_send_message, deps, people)),
        Handler.without_link(CallPerson, partial(_call_person, deps, people)),
    )


async def _send_message(deps: Dependencies, people: People, context: JobContext) -> Outcome:
    work = context.work(MessagePerson)
    meta = Metadata(id=f"{work.person}:{context.job.id}", kind=work.message_kind)
    if await _may_get(deps, people, work):
        await post_directly(deps, context, work.person, work.message, meta)
    return done()


async def _call_person(deps: Dependencies, people: People, context: JobContext) -> Outcome:
    """Send a person a direct message about a notice or a card, with a button to its thread."""
    work = context.work(CallPerson)
    if not await _may_get(deps, people, work):
        return done()
    meta = Metadata(id=f"{work.person}:{context.job.id}", kind=work.message_kind, task_id=work.task_id)
    thread = ThreadRef(work.channel, work.ts)
    await post_directly(deps, context, work.person, work.message, meta, thread)
    return done()


async def _may_get(deps: Dependencies, people: People, work: MessagePerson | CallPerson) -> bool:
    """Return whether the message is about no task, or about a task that the person may read now."""
    if not work.about:
        return True
    link = await deps.links.find(work.about)
    if link is not None and await may_read(deps, people, work.person, link):
        return True
    _log.info("person may not read the task any more, message dropped", person=work.person, link=work.about)
    return False


async def post_directly(
    deps: Dependencies,
    context: JobContext,
    person: UserId,
    message: Message,
    meta: Metadata,
    thread: ThreadRef | None = None,
) -> None:
    """Post a direct message once. If `thread` is given and exists, add a button that opens this thread.

    Drop the message if Slack refuses it, for example because the person has left.
    """
    try:
        channel = ChannelId(await deps.slack.open_direct(person))
        if thread is not None:
            message = await _add_thread_button(deps, message, thread)
        link = LinkId(f"direct_messages:{person}")
        await post_once(deps, context, link, channel, None, message, meta, Priority.MENTION)
    except SlackRefused as refused:
        _log.warning("Slack refused a direct message, message dropped", person=person, code=refused.code)


async def _add_thread_button(deps: Dependencies, message: Message, thread: ThreadRef) -> Message:
    """Add the button, unless Slack refuses the address of the thread."""
    address = ""
    with contextlib.suppress(SlackRefused):
        address = await deps.slack.get_permalink(thread.channel, thread.ts)
    return personal_notices.add_thread_button(message, address)
