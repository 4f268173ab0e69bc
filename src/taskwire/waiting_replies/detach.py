"""Ends the link between a thread and its task. The task itself stays as it is."""

from taskwire.agent.input import AgentInput
from taskwire.dependencies import Dependencies
from taskwire.domain.lifecycle.links import Link
from taskwire.domain.queueing.queues import to_coder
from taskwire.domain.text.message import Message
from taskwire.outbox import questions
from taskwire.outbox.enqueue import draw, say
from taskwire.queue.batch import Batch
from taskwire.state.retention import DETACHED_LINK
from taskwire.waiting_replies.undelivered import list_undelivered, return_replies

# The id of the message that says that the thread was detached begins with this prefix.
DETACHED_ID_PREFIX = "detached:"


async def detach(
    deps: Dependencies,
    agent_input: AgentInput,
    link: Link,
    name: str,
    message: Message,
    batch: Batch,
    *,
    question_id: str = "",
) -> None:
    """End the link, post `message` in its thread, and give back the replies that wait.

    `name` tells the request to detach from others. If the message has buttons, `question_id` is its question.
    """
    await questions.settle_all(deps, link, batch)
    await return_waiting_replies(deps, agent_input, link, name, batch)
    if not link.closed_error:
        say(link.id, f"{DETACHED_ID_PREFIX}{name}", message, batch, question_id=question_id)
    deps.writes.end(batch, link.record, "detached")
    # The task may get another thread. Then the card of this thread links to the new thread.
    kept_ms = deps.writes.kept.ended_ms
    deps.notes.keep_in(batch, link.id, DETACHED_LINK, str(link.record.task_id), ttl_ms=kept_ms)
    draw(link.id, batch)


async def return_waiting_replies(
    deps: Dependencies, agent_input: AgentInput, link: Link, name: str, batch: Batch
) -> None:
    """Remove the waiting and held replies, and post their texts in the thread."""
    waiting = await list_undelivered(deps.links, link.id)
    deps.writes.drop_held(batch, link.id)
    for job, _ in waiting:
        batch.drop(to_coder(link.id), job.id)
    await return_replies(agent_input, link, name, [reply for _, reply in waiting], batch)
