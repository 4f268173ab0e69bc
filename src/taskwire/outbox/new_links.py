"""New links: what a link is before it has a thread and a task, and how it ends without them."""

from taskwire.coder.models import Task
from taskwire.dependencies import Dependencies
from taskwire.domain.agent_text import for_agent
from taskwire.domain.ids import LinkId, TaskId
from taskwire.domain.jobs import Requester
from taskwire.domain.links import Link, LinkRecord
from taskwire.domain.naming import digest
from taskwire.domain.secrets import masked_beginning
from taskwire.outbox.observing import LONGEST_PROMPT, LONGEST_TITLE, Mask
from taskwire.queue.batch import Batch
from taskwire.slack.errors import ChannelProblem, MessageGone


def link_id(job_id: str) -> LinkId:
    """The id of the link that a job makes."""
    return LinkId(digest("link", job_id)[:12])


def bare_record(task: Task, requester: Requester, mask: Mask) -> LinkRecord:
    """What a link is to a task that exists, before it has a thread; its prompt is only shown."""
    return LinkRecord(
        id=LinkId("task-" + digest(task.id)[:12]),
        channel=requester.channel,
        made_at=requester.at,
        requested_by=requester.person,
        owner_id=task.owner_id,
        owner_name=task.owner_name,
        prompt=for_agent(masked_beginning(mask, task.initial_prompt, LONGEST_PROMPT)),
        name=task.name,
        title=masked_beginning(mask, task.title, LONGEST_TITLE),
        template=task.template_display_name or task.template_name,
        task_id=TaskId(task.id),
        created_at=task.created_at,
    )


async def find_permalink(deps: Dependencies, record: LinkRecord) -> str:
    """The address of a link's thread; nothing where there is none, or none that we may see any more."""
    if record.thread_ts is None:
        return ""
    try:
        return await deps.slack.get_permalink(record.channel, record.thread_ts)
    except (ChannelProblem, MessageGone):
        return ""


def end_unbound(deps: Dependencies, link: Link) -> Batch:
    """End a link before it is bound: its task, if there is one, may have another."""
    record = link.record.model_copy(update={"task_id": None})
    batch = deps.writes.ends(Batch(), record, "failed")
    if link.record.task_id is not None:
        deps.notes.forgetting(batch, "attaching", link.record.task_id)
    else:
        # What was never made is no task that they have started.
        deps.notes.uncounting(batch, link.id, "creates", link.record.requested_by)
    return batch
