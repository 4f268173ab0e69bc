"""Decides whether the owner of a task can read the task's thread, and whether the thread ends if not.

The owner may have asked for a thread in a channel that they have left since; that thread goes on. A thread
that a former owner has asked for ends: otherwise, the former owner would read on there.
"""

from taskwire.domain.ids import UserId
from taskwire.domain.lifecycle.links import Link
from taskwire.people.permissions import People


async def can_read_thread(people: People, person: UserId, link: Link) -> bool:
    """Return whether the person can read the task's thread."""
    thread = link.record.thread
    return thread is not None and await people.directory.can_see(person, thread.channel)


async def is_out_of_reach(people: People, link: Link) -> bool:
    """Return whether the task's owner cannot read the thread, and somebody without a right asked for it.

    The owner and administrators have this right. So has a former owner who still has the e-mail address of
    the task's Coder user: the present owner may have connected this user with a stolen token.
    """
    record = link.record
    owner, requested_by = record.owner_slack, record.requested_by
    if record.thread is None or record.task_id is None or owner is None or record.is_requested_by_owner:
        return False
    if await can_read_thread(people, owner, link) or await people.is_admin(requested_by):
        return False
    return not await people.accounts.has_address(requested_by, record.owner_id)
