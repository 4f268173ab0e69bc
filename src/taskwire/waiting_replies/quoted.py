"""Posts a person's words as a quotation in a task's thread, and queues the words as that person's reply.

If a person used a command, a button or a dialog, the thread has no message of that person. So the words are
posted in the thread as a quotation. The receipt, an emoji that says what became of the reply, is put on the
message with the quotation.
"""

from taskwire.dependencies import Dependencies
from taskwire.domain.errors import UserError
from taskwire.domain.ids import LinkId, Ts
from taskwire.domain.lifecycle.links import Link
from taskwire.domain.queueing.jobs import REPLY_ID_PREFIX, Job, Reply
from taskwire.domain.queueing.queues import no_agent_score, to_coder
from taskwire.domain.requester import Requester
from taskwire.domain.text.message import Message
from taskwire.job_context import JobContext
from taskwire.messages import answers, refusals
from taskwire.outbox.enqueue import show_receipt
from taskwire.outbox.posting import post_once
from taskwire.people.permissions import People
from taskwire.queue.batch import Batch
from taskwire.slack.errors import ChannelProblem, MessageGone
from taskwire.slack.metadata import Metadata
from taskwire.waiting_replies.places import require_place_for_reply


async def post_quotation(
    deps: Dependencies,
    people: People,
    context: JobContext,
    link: Link,
    requester: Requester,
    text: str,
    shown: Message | None = None,
    *,
    needs_place: bool = True,
) -> Reply:
    """Post a person's words once for this job, and return the words as a reply.

    If `shown` is set, post `shown` in place of the words. `needs_place` is false if the job has checked
    already that the reply may wait.

    Raise UserError if the thread is closed, or if too many replies already wait for the agent.
    """
    if link.record.thread_ts is None:
        raise UserError(*refusals.task_not_created_yet(link))
    if not context.is_outcome_unknown:
        await people.require_thread_of(requester.person, link)
    if needs_place and not context.is_outcome_unknown:
        # If the outcome is unknown, the quotation may be in the thread already.
        await require_place_for_reply(deps, link, requester.person)
    meta = Metadata(id=f"{link.id}:words:{context.job.id}", kind="answer", task_id=link.record.task_id)
    message = shown or answers.quoted_input(await people.directory.get_name(requester.person), text)
    place = (link.record.channel, link.record.thread_ts)
    try:
        ts: Ts = await post_once(deps, context, link.id, *place, message, meta)
    except (ChannelProblem, MessageGone):
        raise UserError(*refusals.agent_got_nothing(link)) from None
    return Reply(
        person=requester.person,
        ts=ts,
        text=text,
        is_from_command=True,
        surface=requester.surface or "command",
    )


def queue_reply(link: LinkId, reply: Reply, batch: Batch | None = None) -> Batch:
    """Queue a reply as input for the agent, and queue the emoji that shows that the reply was taken."""
    batch = (batch or Batch()).append(
        to_coder(link),
        Job(id=f"{REPLY_ID_PREFIX}{reply.ts}", work=reply),
        score=no_agent_score(reply.ts),
    )
    return show_receipt(link, reply.ts, "taken", batch)
