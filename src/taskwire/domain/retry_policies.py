"""How long each kind of work is tried, how far apart, and what happens at the end.

One table for all of it. Every failed try is a job's own: what waits for Slack's limits has not failed. The
engine's times (leases, landing, looks for a lost post) are in `queue/leases.py`.
"""

import random
from dataclasses import dataclass, replace
from datetime import timedelta

# What has failed so often waits as long as it ever will.
MOST_DOUBLINGS = 12


@dataclass(frozen=True)
class RetryPolicy:
    """How far apart the tries are, and after how long, or how many of them, there are no more.

    With `doubles` the intervals are 1, 2, 4 … seconds, up to `interval_seconds`.
    """

    interval_seconds: float
    lasts: timedelta = timedelta.max
    most_tries: int = 0
    doubles: bool = False

    @property
    def lasts_ms(self) -> int:
        """How long it is tried."""
        return self.lasts // timedelta(milliseconds=1)

    def wait_seconds(self, tries: int, asked_seconds: float | None = None) -> float:
        """The interval, or up to half of it less, where intervals double; never less than was asked for."""
        if not self.doubles:
            return asked_seconds or self.interval_seconds
        longest = min(2.0 ** min(tries, MOST_DOUBLINGS), self.interval_seconds)
        return max(longest * random.uniform(0.5, 1.0), asked_seconds or 0.0)  # noqa: S311 - jitter

    def is_over(self, since_ms: int, now_ms: int) -> bool:
        """Whether it has been tried for as long as it may be; not if it has not begun (0)."""
        return since_ms > 0 and now_ms - since_ms > self.lasts_ms


HOUR, DAY, WEEK = timedelta(hours=1), timedelta(days=1), timedelta(weeks=1)

# Any job that fails, or kills its process. At the end: a dead letter, and a word to the person who waits.
ANY_JOB = RetryPolicy(300.0, DAY, doubles=True)
# A job in which an unexpected exception is raised, at the same intervals. At the end: the same, with a
# reference that is in the log.
UNEXPECTED = replace(ANY_JOB, most_tries=5)
# A refusal where an earlier attempt may have landed: that is looked for again. At the end: as any job.
REFUSED_IN_DOUBT_SECONDS = 5.0
# A job whose account is refused; the operator mends that. At the end: as any job.
REFUSED_ACCOUNT = RetryPolicy(10.0, WEEK)
# A job during which Redis was away; it goes on when Redis is back.
WITHOUT_REDIS_SECONDS = 0.5

# What a person has just asked for by a command, a click or a form. At the end: that person is told.
COMMAND = RetryPolicy(15.0, HOUR, doubles=True)
# Creating a task where Coder answers with errors: a template that cannot work looks so. At the end: the card
# says that it failed.
CREATE_WITH_ERRORS = replace(COMMAND, lasts=timedelta(minutes=15), most_tries=5)
# A pause, a resume or a deletion while the workspace starts or stops. At the end: that person is told.
BUILD_UNDER_WAY = RetryPolicy(3.0, most_tries=40)
# A question about a message in a thread, behind the thread's other questions. At the end: its author is told.
THREAD_QUESTION = COMMAND

# A reply for which the agent is not ready, or Coder does not answer. At the end: it is given back, to be sent
# by a button; one that Coder never answers is a dead letter too.
REPLY = RetryPolicy(30.0, DAY, doubles=True)
# A reply on which a person has to decide. At the end: it is not delivered.
ASKED_REPLY_SECONDS = WEEK.total_seconds()
# A look for an input of unknown outcome in the agent's log. At the end a person is asked: see
# `domain/reconcile.py`.
INPUT_LOOK_SECONDS = 5.0

# An event that needs the agent's history. At the end: the last report in Coder's list has to be enough.
AGENT_HISTORY = replace(ANY_JOB, most_tries=4)
# A look for a shared file of unknown outcome. At the end: the same file is shared again.
FILE_LOOK = RetryPolicy(5.0, most_tries=6)
# A message for a thread whose card has been deleted, until the card is posted anew. At the end: the thread
# counts as closed.
CARD_MOVING = RetryPolicy(3.0, timedelta(minutes=1))
# Reading a channel or a thread after a gap, behind the others. At the end: as any job.
BACKFILL = RetryPolicy(5.0, DAY)

# An announced change of a task, until Coder shows it: a look each second, and further apart where Coder does
# not answer. At the end: the next poll shows it.
ANNOUNCED_CHANGE = RetryPolicy(30.0, timedelta(minutes=10), doubles=True)
