"""Bonds as they begin: what a link is before it has a thread and a task, and how it ends without them."""

from taskwire.bridge.doors import Doors
from taskwire.bridge.hand import Hand
from taskwire.bridge.sightings import LONGEST_PROMPT
from taskwire.coder.models import Task
from taskwire.model.errors import Refused
from taskwire.model.ids import LinkId, TaskId
from taskwire.model.jobs import Asker
from taskwire.model.links import Bond, Link
from taskwire.model.naming import digest
from taskwire.slack.errors import ChannelProblem, MessageGone
from taskwire.store.steps import Step


def link_id(job_id: str) -> LinkId:
    """The id of the link that a job makes."""
    return LinkId(digest("link", job_id)[:12])


def bare_bond(task: Task, asker: Asker) -> Bond:
    """What a link is to a task that exists, before it has a thread."""
    return Bond(
        id=LinkId("task-" + digest(task.id)[:12]),
        channel=asker.channel,
        made_at=asker.at,
        asked_by=asker.person,
        owner_id=task.owner_id,
        owner_name=task.owner_name,
        prompt=task.initial_prompt[:LONGEST_PROMPT],
        name=task.name,
        title=task.title,
        template=task.template_display_name or task.template_name,
        task_id=TaskId(task.id),
    )


async def find_permalink(doors: Doors, bond: Bond) -> str:
    """The address of a link's thread; nothing where there is none, or none that we may see any more."""
    if bond.thread_ts is None:
        return ""
    try:
        return await doors.slack.get_permalink(bond.channel, bond.thread_ts)
    except (ChannelProblem, MessageGone):
        return ""


async def get_link(doors: Doors, hand: Hand) -> Link:
    """The link that a job is to complete."""
    link = await doors.links.find(hand.link_id)
    if link is None:
        raise Refused("the link is not there any more")
    return link


def end_unbound(doors: Doors, link: Link) -> Step:
    """End a link before it is bound: its task, if there is one, may have another."""
    bond = link.bond.model_copy(update={"task_id": None})
    step = doors.writes.ends(Step(), bond, "failed")
    if link.bond.task_id is not None:
        doors.memory.forgetting(step, "attaching", link.bond.task_id)
    return step
