"""The queues of jobs: their names, and the scores that order the jobs in a link's `to_coder` queue.

`domain/jobs.py` has the jobs, and `queue/lua/queues.lua` keeps their order.
"""

from typing import NewType

from taskwire.domain.ids import LinkId, microseconds
from taskwire.domain.jobs import ActVerb

QueueName = NewType("QueueName", str)

LANE_WIDTH = 2**51


def intake(person: str) -> QueueName:
    """Name the queue of a person's requests that do not belong to a known link."""
    return QueueName(f"intake:{person}")


def to_coder(link: str) -> QueueName:
    """Name the queue of calls to Coder about one link."""
    return QueueName(f"to_coder:{link}")


def to_thread(link: str) -> QueueName:
    """Name the queue of one link's events, and of the messages about them."""
    return QueueName(f"to_thread:{link}")


def thread_answers(link: str) -> QueueName:
    """Name the queue of people's questions in one link's thread. Notices do not wait behind them."""
    return QueueName(f"thread_answers:{link}")


def receipts(link: str) -> QueueName:
    """Name the queue of receipts in one link's thread."""
    return QueueName(f"receipts:{link}")


def card(link: str) -> QueueName:
    """Name the queue of updates of one link's card. Receipts do not wait behind them."""
    return QueueName(f"card:{link}")


def duplicates(link: str) -> QueueName:
    """Name the queue of one link's checks for duplicates that a stopped process may have made."""
    return QueueName(f"duplicates:{link}")


def lost_threads(channel: str, ts: str) -> QueueName:
    """Name the queue of a thread whose link is not known, or not known yet."""
    return QueueName(f"lost_threads:{channel}:{ts}")


# The queues of backfill. All processes together run one job of each queue at a time.
BACKFILL_THREADS = QueueName("backfill:threads")
BACKFILL_CHANNELS = QueueName("backfill:channels")


def get_link_id(name: str) -> LinkId:
    """Return the id of the link that a queue belongs to."""
    return LinkId(name.partition(":")[2])


def urgent_score(ts: str) -> int:
    """Return a score in the first lane: pause, delete, detach, and changes of replies that wait."""
    return microseconds(ts)


def no_agent_score(ts: str) -> int:
    """Return a score in the second lane, for jobs that need no agent: resume, edit, unchecked replies."""
    return LANE_WIDTH + microseconds(ts)


def backfill_score(ts: str) -> int:
    """Return the score of a thread to read. The thread with the newest message goes first."""
    return -microseconds(ts)


def input_score(ts: str) -> int:
    """Return a score in the third lane: input for the agent, in the order in which people wrote it."""
    return 2 * LANE_WIDTH + microseconds(ts)


def request_score(verb: ActVerb, ts: str) -> int:
    """Return the score of a command on a task, by its verb."""
    return urgent_score(ts) if verb in ("pause", "delete", "detach") else no_agent_score(ts)
