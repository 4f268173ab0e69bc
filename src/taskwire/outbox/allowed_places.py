"""Refuses requests from channels in which the settings do not allow the bot.

`listeners/ingress.py` checks what arrives. A message in a thread is only marked (`replies/admit.py`), because
the thread's link is not known yet. The worker checks the mark, and checks each job of a person again just
before the job runs. `replies/deliver.py` does that for a reply, with the other rights of its author, because
a refused reply gets a receipt. Jobs that follow from an accepted request are not checked again.
"""

from taskwire.dependencies import Dependencies
from taskwire.domain.allowed import PlaceNotAllowed
from taskwire.domain.durations import DAY_MS
from taskwire.domain.queueing.decisions import Choose, DecideHeld, DecideReply, PassOn, SnoozeReminder
from taskwire.domain.queueing.jobs import (
    Act,
    ActRequested,
    AnswerInThread,
    CreateRequested,
    MessageToBot,
    SendToTask,
    ShowAnswer,
)
from taskwire.domain.queueing.person_jobs import MakeTaskOfMessage, SaveChannelSettings, StopByReaction
from taskwire.domain.queueing.work import Work
from taskwire.domain.requester import Requester
from taskwire.outbox.tell_once import record_unless_told
from taskwire.people.permissions import require_allowed
from taskwire.queue.batch import Batch

_CHECKED = (
    Act,
    ActRequested,
    AnswerInThread,
    Choose,
    CreateRequested,
    DecideHeld,
    DecideReply,
    MakeTaskOfMessage,
    MessageToBot,
    PassOn,
    SaveChannelSettings,
    SendToTask,
    ShowAnswer,
    SnoozeReminder,
    StopByReaction,
)
# Messages of these kinds may be meant for other people. So a person gets the refusal only once a day.
_AMONG_PEOPLE = ("reply", "mention", "emoji")


def find_checked_place(work: Work) -> Requester | None:
    """Return who asked for this job, and where. Return None if the job is allowed everywhere."""
    return work.requester if isinstance(work, _CHECKED) else None


def require_allowed_place(deps: Dependencies, work: Work) -> None:
    """Raise PlaceNotAllowed if a person asked for this job in a channel that the settings do not allow."""
    if (requester := find_checked_place(work)) is not None:
        require_allowed(deps, requester.channel, is_out_of_place=requester.is_out_of_place)


async def is_told_already(deps: Dependencies, error: Exception, requester: Requester, batch: Batch) -> bool:
    """Return whether the person was told today that the bot does not work in this channel.

    If not, add to the batch the record that the person is told now.
    """
    if not isinstance(error, PlaceNotAllowed) or requester.surface not in _AMONG_PEOPLE:
        return False
    what = ("place_not_allowed", requester.channel, requester.person)
    return not await record_unless_told(deps, batch, *what, ttl_ms=DAY_MS)
