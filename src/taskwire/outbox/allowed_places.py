"""Refuses requests from channels in which the settings do not allow the bot.

`listeners/ingress.py` refuses what arrives, except messages in threads: the link of the thread is not known
yet. A message in a thread of such a channel only gets a mark (`replies/admit.py`), and the worker refuses the
marked message later. The worker also checks each job of a person again just before the job runs.
`replies/deliver.py` checks replies, together with the other rights of their authors, because a refused reply
gets a receipt. `tasks/start.py` checks the place of a task again before it creates or attaches the task.
Other jobs that follow from an accepted request are not checked again.
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
from taskwire.domain.queueing.person_jobs import (
    AnswerQuestion,
    MakeTaskOfMessage,
    SaveChannelSettings,
    StopByReaction,
)
from taskwire.domain.queueing.work import Work
from taskwire.domain.requester import Requester
from taskwire.outbox.tell_once import record_unless_told
from taskwire.people.allowed import require_allowed
from taskwire.queue.batch import Batch

_CHECKED = (
    Act,
    ActRequested,
    AnswerInThread,
    AnswerQuestion,
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
    """Raise PlaceNotAllowed if a person asked for this job in a channel that the settings do not allow.

    Raise UserError if it was known, when the request arrived, that the person might not use the bot.
    """
    if (requester := find_checked_place(work)) is not None:
        require_allowed(deps, requester.channel, requester)


async def is_told_already(deps: Dependencies, error: Exception, requester: Requester, batch: Batch) -> bool:
    """Return whether `error` need not be shown, because the person was told the same today.

    This applies only to refused channels, and only to messages that may be meant for other people. If the
    person must be told now, add the record of this to the batch.
    """
    if not isinstance(error, PlaceNotAllowed) or requester.surface not in _AMONG_PEOPLE:
        return False
    what = ("place_not_allowed", requester.channel, requester.person)
    return not await record_unless_told(deps, batch, *what, ttl_ms=DAY_MS)
