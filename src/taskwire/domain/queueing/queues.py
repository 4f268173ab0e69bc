"""The queues of jobs: their names, and the scores that order the jobs in a link's `to_coder` queue.

`domain/queueing/jobs.py` has the jobs, and `queue/lua/queues.lua` keeps their order. As a rule, the job with
the lowest score runs first. A score consists of a lane and a time. The time, `ts`, orders the jobs of one
lane.
"""

from datetime import datetime
from typing import NewType

from taskwire.domain.ids import LinkId, microseconds, to_ms
from taskwire.domain.queueing.jobs import ActVerb

QueueName = NewType("QueueName", str)

# The difference between the scores of two lanes. A message's ts in microseconds needs 51 bits. A score of a
# sorted set has 53 bits, so three lanes fit.
LANE_WIDTH = 2**51
# The score of a request that overtakes all other requests in its person's queue `intake`.
FIRST_IN_INTAKE = 0


def intake(person: str) -> QueueName:
    """Name the queue of a person's requests that do not belong to a known link.

    `person` may also be the id of a channel, for a request that no person made.
    """
    return QueueName(f"intake:{person}")


def account(person: str) -> QueueName:
    """Name the queue of jobs that connect, renew or disconnect one person's Coder account."""
    return QueueName(f"account:{person}")


def waiting_requests(person: str) -> QueueName:
    """Name the queue of requests that wait until this person has connected their Coder account."""
    return QueueName(f"waiting_requests:{person}")


def to_coder(link: str) -> QueueName:
    """Name the queue of jobs that call Coder about one link."""
    return QueueName(f"to_coder:{link}")


def to_thread(link: str) -> QueueName:
    """Name the queue of one link's events, and of the messages about these events."""
    return QueueName(f"to_thread:{link}")


def thread_answers(link: str, person: str) -> QueueName:
    """Name the queue of answers to one person's questions in one link's thread.

    An answer may wait for an agent that does not answer. Neither notices nor answers to other people wait for
    this queue. The person is a part of the kind, so that only the link's id follows the colon, as in every
    name.
    """
    return QueueName(f"thread_answers.{person}:{link}")


def picked_files(person: str, at: str, about: str) -> QueueName:
    """Name the queue of one job: it reads the files of a message that the person has picked at `at`.

    Each message has a queue of its own, so that its files are read at once, whatever else waits. `about` is
    the id of a link, or of a channel if the message is to become a new task.
    """
    return QueueName(f"picked_files.{person}.{at}:{about}")


def receipts(link: str) -> QueueName:
    """Name the queue of receipts, the reactions to replies, in one link's thread."""
    return QueueName(f"receipts:{link}")


def card(link: str) -> QueueName:
    """Name the queue of updates of one link's card. Receipts do not wait for this queue."""
    return QueueName(f"card:{link}")


def live(link: str) -> QueueName:
    """Name the queue of edits to the message with the agent's live output, for one link."""
    return QueueName(f"live:{link}")


def session(link: str) -> QueueName:
    """Name the queue of jobs that show in Slack's agent surface whether one link's agent works."""
    return QueueName(f"session:{link}")


def duplicates(link: str) -> QueueName:
    """Name the queue of jobs that check whether something of one link was posted or sent twice."""
    return QueueName(f"duplicates:{link}")


def home(person: str) -> QueueName:
    """Name the queue of jobs that show a person's tasks in the person's Home tab."""
    return QueueName(f"home:{person}")


def quiet_hours(person: str) -> QueueName:
    """Name the queue in which the summary for a person waits until their quiet hours end."""
    return QueueName(f"quiet_hours:{person}")


def channel_messages(channel: str) -> QueueName:
    """Name the queue of messages that the bot posts in a channel and that concern no task."""
    return QueueName(f"channel_messages:{channel}")


def lost_threads(channel: str, ts: str) -> QueueName:
    """Name the queue of a thread whose link is not known. `ts` is the ts of the thread's first message."""
    return QueueName(f"lost_threads:{channel}:{ts}")


# The queues of backfill. All processes of a deployment together run only one job of each queue at a time.
BACKFILL_THREADS = QueueName("backfill:threads")
BACKFILL_CHANNELS = QueueName("backfill:channels")


def get_kind(name: str) -> str:
    """Return the kind of a queue from its name, for example `thread_answers` from `thread_answers.U1:L1`."""
    return name.partition(":")[0].partition(".")[0]


def get_link_id(name: str) -> LinkId:
    """Return the id of the link from a queue's name, for example `L1` from `to_coder:L1`."""
    return LinkId(name.partition(":")[2])


def urgent_score(ts: str) -> int:
    """Return a score in the first lane, for jobs that run first, such as a pause or an edited reply."""
    return microseconds(ts)


def no_agent_score(ts: str) -> int:
    """Return a score in the second lane, for jobs that need no agent.

    Examples are a resume, a new prompt, and a reply before its author's rights are checked.
    """
    return LANE_WIDTH + microseconds(ts)


def account_score(at: datetime) -> int:
    """Return the score of a job in the queue `account`. `at` is when the job is due."""
    return to_ms(at)


def backfill_score(ts: str) -> int:
    """Return the score of a thread to read in backfill.

    `ts` is the thread's newest message. The thread with the newest message is read first.
    """
    return -microseconds(ts)


def input_score(ts: str) -> int:
    """Return a score in the third lane, for input for the agent, in the order in which people wrote it."""
    return 2 * LANE_WIDTH + microseconds(ts)


def share_score(ts: str) -> int:
    """Return a score at the beginning of the second lane, for a job that begins a share.

    The share lets another person act on the task, so it runs before the jobs of that person. It runs after
    the first lane, so it delays no pause.
    """
    return LANE_WIDTH + microseconds(ts) // 2


def end_of_share_score(ts: str) -> int:
    """Return a score before all other jobs, for a job that ends a share.

    The person with whom the task was shared may have asked for a pause that now waits for Coder. The share
    must end before that pause can run. The end also runs before a share that was asked for earlier. That
    share then has no effect (`people/shares.py`).
    """
    return microseconds(ts) // 2


def later_end_of_share_score(ts: str) -> int:
    """Return a score before all shares, for a job that ends a share and that waits for Slack or Coder.

    It runs after the first lane, so it delays no pause. A share that was asked for before it does not begin
    meanwhile.
    """
    return LANE_WIDTH + microseconds(ts) // 4


def share_message_score(ts: str) -> int:
    """Return a score behind all other direct messages of a person, for what they are told of their shares.

    The other direct messages are numbered in the order in which they are queued.
    """
    return LANE_WIDTH + microseconds(ts)


def request_score(verb: ActVerb, ts: str) -> int:
    """Return the score of a command.

    The end of a share runs first. Then come pause, delete and detach, in the first lane. Then come shares,
    and all other commands, in the second lane.
    """
    match verb:
        case "unshare":
            return end_of_share_score(ts)
        case "pause" | "delete" | "detach":
            return urgent_score(ts)
        case "share":
            return share_score(ts)
        case _:
            return no_agent_score(ts)
