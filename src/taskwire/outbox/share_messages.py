"""Tells people, by direct message, that their share of a task begins or ends, or that their task was muted.

Members of a user group are not told.
"""

import contextlib
from collections.abc import Collection

from taskwire.dependencies import Dependencies
from taskwire.domain.durations import HOUR_MS
from taskwire.domain.errors import OutsideError
from taskwire.domain.ids import UserId, moment_of
from taskwire.domain.lifecycle.links import Link, is_group
from taskwire.domain.lifecycle.phases import Phase
from taskwire.domain.queueing.jobs import Job
from taskwire.domain.queueing.person_jobs import CallPerson
from taskwire.domain.requester import Requester
from taskwire.domain.text.message import Message
from taskwire.messages import teammates
from taskwire.outbox.direct_messages import direct_messages, tell_person
from taskwire.outbox.home_requests import refresh_home_if_kept
from taskwire.outbox.tell_once import forget_told, record_unless_told
from taskwire.people.permissions import People
from taskwire.people.shares import list_still_let_in
from taskwire.queue.batch import Batch


async def tell_of_shares(
    deps: Dependencies,
    people: People,
    requester: Requester,
    link: Link,
    shares: Collection[str],
    batch: Batch,
    *,
    is_answered: bool = False,
) -> None:
    """Tell each person with whom the task is newly shared, and each person whose share ends.

    `shares` are the people and groups with whom the task is shared from now on; `link` has the earlier ones.
    If `is_answered`, the agent gets a reply at the same time. Then do not tell people that the agent waits
    for an answer. Do not tell of the end a person who may still steer the task, for example by a user group.

    Also publish the Home tabs of all these people.
    """
    sharer, is_asking = requester.person, link.state.open_phase is Phase.NEEDS_YOU
    name = await people.find_name(sharer)
    people_changed = sorted(UserId(each) for each in set(shares) ^ set(link.shares) if not is_group(each))
    kept = await list_still_let_in(
        people, link.model_copy(update={"shares": tuple(shares)}), set(link.shares) - set(shares)
    )
    for person in people_changed:
        await refresh_home_if_kept(deps, person, batch)
        if person == sharer or person in kept:
            continue
        if person not in shares:
            is_readable = False
            # The end of a share does not wait for Slack.
            with contextlib.suppress(OutsideError):
                is_readable = await _can_read(people, person, link)
            message = teammates.may_steer_no_longer(link, name, is_readable=is_readable)
            job_id = f"unshared:{link.id}:{requester.at}"
            _tell(person, job_id, link, message, batch, is_readable=is_readable, is_for_readers=False)
            continue
        is_readable = await _can_read(people, person, link)
        message = teammates.may_steer_from_now_on(
            link, name, is_readable=is_readable, is_asking=is_asking and not is_answered
        )
        _tell(person, f"shared:{link.id}:{requester.at}", link, message, batch, is_readable=is_readable)


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
    message = teammates.muted_by(link, await people.find_name(requester.person), at)
    is_readable = await _can_read(people, owner, link)
    _tell(owner, f"muted:{link.id}:{requester.at}", link, message, batch, is_readable=is_readable)


def note_unmute(deps: Dependencies, requester: Requester, link: Link, batch: Batch) -> None:
    """Record that the owner unmuted the task. So the owner is told if another person mutes it again."""
    if link.record.is_owned_by(requester.person):
        forget_told(deps, batch, "muted", link.id, requester.person)


async def _can_read(people: People, person: UserId, link: Link) -> bool:
    thread = link.record.thread
    return thread is not None and await people.directory.can_see(person, thread.channel)


def _tell(
    person: UserId,
    job_id: str,
    link: Link,
    message: Message,
    batch: Batch,
    *,
    is_readable: bool,
    is_for_readers: bool = True,
) -> None:
    """Queue a message to the person, with a button that opens the thread if the person can read it.

    If `is_for_readers`, the person gets it only if they may then read the task.
    """
    thread, about = link.record.thread, link.id if is_for_readers else None
    if thread is None or not is_readable:
        tell_person(person, job_id, message, batch, about=about)
        return
    work = CallPerson(
        person=person,
        channel=thread.channel,
        ts=thread.ts,
        task_id=link.record.task_id,
        message=message,
        about=about,
        message_kind="answer",
    )
    batch.append(direct_messages(person), Job(id=job_id, work=work))
