"""Tells owners of tasks, by direct message, what other people did to their tasks, or that a task is theirs.

`share_messages.py` tells the people with whom a task is shared.
"""

from collections.abc import Collection

from taskwire.dependencies import Dependencies
from taskwire.domain.durations import HOUR_MS
from taskwire.domain.errors import AccountRefused, OutsideError, UserError
from taskwire.domain.ids import UserId, moment_of
from taskwire.domain.lifecycle.links import Link, is_group
from taskwire.domain.queueing.jobs import Job
from taskwire.domain.queueing.person_jobs import CallPerson
from taskwire.domain.requester import Requester
from taskwire.domain.text.message import Message
from taskwire.messages import owners, teammates
from taskwire.outbox.direct_messages import direct_messages, tell_person
from taskwire.outbox.tell_once import forget_told, record_unless_told
from taskwire.people.permissions import People
from taskwire.queue.batch import Batch


async def tell_owner_of_mute(
    deps: Dependencies, people: People, requester: Requester, link: Link, batch: Batch
) -> None:
    """Tell the owner that another person mutes the task. From then on, the task's notices notify nobody.

    Do not tell an owner whom notices never notify, or whose task is muted already. However often others mute
    and unmute the task, tell the owner once an hour.
    """
    owner = link.record.owner_slack
    if owner is None or owner == requester.person or link.is_muted:
        return
    settings = await deps.person_settings.get(owner)
    if settings.calls == "nothing":
        return
    if not await record_unless_told(deps, batch, "muted", link.id, owner, ttl_ms=HOUR_MS):
        return
    at = moment_of(requester.at)
    message = owners.muted_by(link, await people.find_name(requester.person), at)
    await _tell_owner(people, owner, link, f"muted:{link.id}:{requester.at}", message, batch)


def note_unmute(deps: Dependencies, requester: Requester, link: Link, batch: Batch) -> None:
    """Record that the owner unmuted the task. So the owner is told if another person mutes it again."""
    if link.record.is_owned_by(requester.person):
        forget_told(deps, batch, "muted", link.id, requester.person)


async def tell_owner_of_shares(
    people: People, requester: Requester, link: Link, begun: Collection[str], batch: Batch
) -> None:
    """Tell the owner if another person, an administrator, has begun these shares of their task."""
    owner = link.record.owner_slack
    if owner is None or owner == requester.person or not begun:
        return
    names = [await people.find_name(UserId(each)) for each in sorted(begun) if not is_group(each)]
    shared_with = teammates.list_people(names, sorted(filter(is_group, begun)), is_for_all=True)
    message = owners.shared_by(link, await people.find_name(requester.person), shared_with)
    await _tell_owner(people, owner, link, f"shared:{link.id}:{requester.at}", message, batch)


async def tell_owner_of_attach(
    people: People, requester: Requester, link: Link, batch: Batch, *, is_another: bool
) -> None:
    """Tell the owner that another person, an administrator, gave their task a thread, or moved it."""
    owner, thread = link.record.owner_slack, link.record.thread
    if owner is None or owner == requester.person or thread is None:
        return
    name = await people.find_name(requester.person)
    message = owners.attached_by(link, name, thread.channel, is_another=is_another)
    await _tell_owner(people, owner, link, f"attached:{link.id}", message, batch)


async def tell_new_owner(people: People, link: Link, job_id: str, batch: Batch, *, has_thread: bool) -> None:
    """Tell a person that the task is theirs now, and where its thread is, if it has one."""
    owner, record = link.record.owner_slack, link.record
    if owner is None or record.task_id is None or record.thread is None:
        return
    message = owners.owned_now(link, record.channel) if has_thread else owners.owned_without_thread(link)
    await _tell_owner(people, owner, link, f"owned:{job_id}", message, batch)


async def _tell_owner(
    people: People, owner: UserId, link: Link, job_id: str, message: Message, batch: Batch
) -> None:
    """Tell the owner what another person did. The message leads to the thread, if the owner can read it.

    It is sent also if Coder does not say now which account the owner has: it has no words of the agent.
    """
    thread, about = link.record.thread, link.id if await _has_account(people, owner) else None
    if thread is None or not await people.can_read_thread(owner, link):
        tell_person(owner, job_id, message, batch, about=about)
        return
    work = CallPerson(
        person=owner,
        channel=thread.channel,
        ts=thread.ts,
        task_id=link.record.task_id,
        message=message,
        about=about,
        message_kind="answer",
    )
    batch.append(direct_messages(owner), Job(id=job_id, work=work))


async def _has_account(people: People, owner: UserId) -> bool:
    """Return whether the owner needs no new connection to Coder to be known there."""
    try:
        await people.get_account(owner)
    except AccountRefused:
        return False
    except (OutsideError, UserError):
        return True
    return True
