"""Says whether one more reply of a person may wait for an agent, if the reply is not a message of a thread.

The claim of a message has the same rule (`lacks_place` in `queue/lua/inbox.lua`). A command, a shortcut and a
button that passes a reply on are claimed in other queues, so their reply is checked here, when it is queued.
Several people who send at the same moment may exceed a limit by a few replies.
"""

from taskwire.dependencies import Dependencies
from taskwire.domain.errors import UserError
from taskwire.domain.ids import UserId
from taskwire.domain.lifecycle.links import Link
from taskwire.messages import task_limits
from taskwire.queue.inbox import MAX_REPLIES_OF_ONE, MAX_REPLIES_OF_OTHERS, MAX_WAITING_REPLIES
from taskwire.waiting_replies.undelivered import list_undelivered


async def require_place_for_reply(deps: Dependencies, link: Link, person: UserId) -> None:
    """Raise UserError if too many replies already wait for the agent: of all people, or of this person.

    The person may steer the task, so replies of others count only if their authors may steer it too.
    """
    owner = link.record.owner_slack
    waiting = [
        reply.person
        for _, reply in await list_undelivered(deps.links, link.id)
        if reply.is_admitted or reply.person in (person, owner)
    ]
    own, is_full = waiting.count(person), len(waiting) >= MAX_WAITING_REPLIES
    if person == owner:
        is_refused = is_full and own >= MAX_WAITING_REPLIES - MAX_REPLIES_OF_OTHERS
    else:
        of_others = sum(each != owner for each in waiting)
        has_no_share = owner is not None and of_others >= MAX_REPLIES_OF_OTHERS
        is_refused = is_full or own >= MAX_REPLIES_OF_ONE or has_no_share
    if is_refused:
        raise UserError(*task_limits.too_many_replies_wait(), reason="limit")
