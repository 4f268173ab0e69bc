"""Replies that the agent has not received: which replies wait, and what happens to replies that are given up.

If a reply is given up for a reason that also holds for the replies behind it, all these replies are given up.
Then one message in the thread says so, and one button sends all of them in their order. When a thread loses
its task, the texts of the waiting replies are posted in the thread.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace

from taskwire.agent.input import AgentInput
from taskwire.dependencies import Dependencies
from taskwire.domain.durations import DAY_MS
from taskwire.domain.ids import LinkId, microseconds
from taskwire.domain.lifecycle.events import Notice
from taskwire.domain.lifecycle.links import Link
from taskwire.domain.queueing.jobs import Job, Reply
from taskwire.domain.queueing.queues import input_score, to_coder
from taskwire.domain.text.message import Message
from taskwire.job_context import JobContext
from taskwire.messages import inputs
from taskwire.messages.inputs import ClosingReason
from taskwire.outbox.audit import make_entry_of_reply
from taskwire.outbox.enqueue import say, say_with_file, show_receipt
from taskwire.outbox.questions import settle, settle_reply
from taskwire.queue.batch import Batch
from taskwire.queue.dead_letters import add_dead_letter
from taskwire.state.link_writes import KEPT_REPLY_TTL_MS
from taskwire.state.links import Links

# One press of a button may send several replies. At most this many of these replies are counted, until the
# last of them has ended.
MOST_COUNTED_REPLIES, COUNT_TTL_MS = 1_000, 8 * DAY_MS

WaitingReply = tuple[Job, Reply]


def replies_among(jobs: Iterable[Job]) -> list[WaitingReply]:
    """Return those of the jobs that are replies, each together with its reply."""
    return [(job, job.work) for job in jobs if isinstance(job.work, Reply)]


def find_reply(jobs: Iterable[Job], job_id: str) -> Reply | None:
    """Find the reply that has this job id."""
    return next((reply for job, reply in replies_among(jobs) if job.id == job_id), None)


async def list_undelivered(links: Links, link: LinkId) -> list[WaitingReply]:
    """List all waiting replies: those that a pause holds, then those in the queue."""
    return replies_among(await links.list_held(link) + await links.list_waiting(link))


async def with_waiting_reply(deps: Dependencies, link: Link, notice: Notice) -> Notice:
    """Return the notice. If it is about a broken workspace, add the first reply that waits for the agent."""
    if notice.kind != "error":
        return notice
    waiting = await list_undelivered(deps.links, link.id)
    first = next((job.id for job, reply in waiting if reply.is_admitted and not reply.question), "")
    return notice.model_copy(update={"waiting_reply_job": first})


async def list_with_later_replies(deps: Dependencies, context: JobContext, link: Link) -> list[WaitingReply]:
    """List the reply of the running job, and the later replies that wait only for this reply."""
    jobs = [context.job, *(job for job in await deps.links.list_waiting(link.id) if job.id != context.job.id)]
    return [
        (job, reply)
        for job, reply in replies_among(jobs)
        if job.id == context.job.id or (reply.is_admitted and not reply.question)
    ]


async def has_earlier_waiting_reply(deps: Dependencies, link: Link, reply: Reply) -> bool:
    """Return whether an earlier reply still waits, either for another try or for a person's decision."""
    return any(
        microseconds(other.ts) < microseconds(reply.ts)
        and (other.wait_count or other.question or job.tries > 1)
        for job, other in replies_among(await deps.links.list_waiting(link.id))
    )


async def settle_sent_replies(
    deps: Dependencies, link: Link, replies: Sequence[Reply], why: ClosingReason | None, batch: Batch
) -> Batch:
    """Show in a question what became of the replies that a press of its button has sent.

    These `replies` have ended now. `why` says why they were not delivered; None means that they were
    delivered. One press may send several replies. When all replies of the press have ended, the question is
    settled: it shows how many of them were delivered.
    """
    for question_id in dict.fromkeys(reply.question_id for reply in replies if reply.question_id):
        ended = {
            microseconds(reply.ts) // 1000: reply for reply in replies if reply.question_id == question_id
        }
        for at_ms, reply in ended.items():
            note = ("replies_unsent" if why else "replies_sent", link.id, question_id)
            deps.notes.count_in(batch, reply.ts, at_ms, MOST_COUNTED_REPLIES, *note, ttl_ms=COUNT_TTL_MS)
        waiting = await list_undelivered(deps.links, link.id)
        if any(
            other.question_id == question_id and microseconds(other.ts) // 1000 not in ended
            for _, other in waiting
        ):
            continue
        sent = set(await deps.notes.list_since(0, "replies_sent", link.id, question_id))
        tried = (
            sent | set(await deps.notes.list_since(0, "replies_unsent", link.id, question_id)) | ended.keys()
        )
        sent |= ended.keys() if why is None else set()
        outcome = next(iter(ended.values())).question_outcome
        settle(
            link,
            question_id,
            inputs.replies_tried_again(len(sent), len(tried), outcome, why or "unsent"),
            batch,
        )
    return batch


async def give_up_together(
    deps: Dependencies,
    context: JobContext,
    link: Link,
    replies: Sequence[WaitingReply],
    message: Message,
    why: str = "",
) -> Batch:
    """Give up these replies, and store them for another try. The first reply is the reply of the running job.

    Post `message` in the thread, which says this and has the button for another try. If `why` is not empty,
    each reply also becomes a dead letter with this reason.
    """
    batch = Batch()
    for job, reply in replies:
        show_receipt(link.id, reply.ts, "failed", batch)
        deps.writes.keep_reply(batch, link.id, job.id, reply.without_progress())
        if why:
            lease = replace(context.lease, job_id=job.id, score=str(input_score(reply.ts)))
            add_dead_letter(batch, lease, job.model_dump_json(context=lease.name), why)
        if job.id != context.job.id:
            batch.drop(to_coder(link.id), job.id)
            reason = context.audit.reason or "given_up"
            context.audit.others.append((make_entry_of_reply(context, link, job.id, reply, reason), job.id))
    await settle_sent_replies(deps, link, [reply for _, reply in replies], "unsent", batch)
    (_, first), *others = replies
    if others:
        ids = json.dumps([job.id for job, _ in others])
        deps.notes.keep_in(batch, ids, "given_up_together", link.id, context.job.id, ttl_ms=KEPT_REPLY_TTL_MS)
    name = f"failed:{first.ts}:{context.now_ms}"
    return say(link.id, name, message, batch, is_call=True, question_id=context.job.id)


async def list_given_up_together(deps: Dependencies, link: Link, job_id: str) -> list[str]:
    """List the ids of the other jobs whose replies were given up together with the reply of `job_id`."""
    kept = await deps.notes.find("given_up_together", link.id, job_id)
    return [str(each) for each in json.loads(kept)] if kept else []


async def return_replies(
    agent_input: AgentInput, link: Link, name: str, replies: Sequence[Reply], batch: Batch
) -> Batch:
    """Post the texts of these replies in the thread, and mark the replies as failed.

    Replies of unknown outcome are posted in a separate message.
    """
    if not replies:
        return batch
    for reply in replies:
        show_receipt(link.id, reply.ts, "failed", batch)
        if reply.question or reply.question_id:
            settle_reply(
                link, reply, "ended" if reply.question == "outcome_unknown" else "ended_unsent", batch
            )
    in_order = sorted(replies, key=lambda reply: microseconds(reply.ts))
    unknown = [
        await agent_input.get_display_text(reply) for reply in in_order if reply.question == "outcome_unknown"
    ]
    words = [
        await agent_input.get_display_text(reply) for reply in in_order if reply.question != "outcome_unknown"
    ]
    if unknown:
        say_with_file(link, f"never-known:{name}", inputs.unknown_replies_returned(unknown), unknown, batch)
    return (
        say_with_file(link, f"given-back:{name}", inputs.undelivered_replies_returned(words), words, batch)
        if words
        else batch
    )


async def list_held(deps: Dependencies, link: Link) -> list[Reply]:
    """List the replies that a pause holds, in the order in which they were written."""
    replies = [reply for _, reply in replies_among(await deps.links.list_held(link.id))]
    return sorted(replies, key=lambda reply: microseconds(reply.ts))
