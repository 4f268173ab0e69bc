"""How long each kind of work is tried, how far apart, and what happens at the end.

This is the only table for it. A wait for Slack's limits is not a failed try. The engine's own times (leases,
landing, looks for a lost post) are in `queue/leases.py`.
"""

import random
from dataclasses import dataclass, replace
from datetime import timedelta

# More failures do not make the wait longer.
MOST_DOUBLINGS = 12


@dataclass(frozen=True)
class RetryPolicy:
    """How far apart the tries are, and after which time or number of tries they end.

    With `doubles` the intervals are 1, 2, 4 … seconds, up to `interval_seconds`. `most_tries` 0 is no limit.
    """

    interval_seconds: float
    lasts: timedelta = timedelta.max
    most_tries: int = 0
    doubles: bool = False

    @property
    def lasts_ms(self) -> int:
        """How long the tries last, in milliseconds."""
        return self.lasts // timedelta(milliseconds=1)

    def wait_seconds(self, tries: int, asked_seconds: float | None = None) -> float:
        """Return the seconds until the next try, but at least `asked_seconds`.

        An interval that doubles is shortened at random by up to a half.
        """
        if not self.doubles:
            return asked_seconds or self.interval_seconds
        longest = min(2.0 ** min(tries, MOST_DOUBLINGS), self.interval_seconds)
        return max(longest * random.uniform(0.5, 1.0), asked_seconds or 0.0)  # noqa: S311 - jitter

    def is_over(self, since_ms: int, now_ms: int) -> bool:
        """Whether the tries that began at `since_ms` have lasted too long; False if none has begun (0)."""
        return since_ms > 0 and now_ms - since_ms > self.lasts_ms


HOUR, DAY, WEEK = timedelta(hours=1), timedelta(days=1), timedelta(weeks=1)

# Any job that fails, or kills its process. At the end it is a dead letter, and the person who waits is told.
ANY_JOB = RetryPolicy(300.0, DAY, doubles=True)
# A job that raises an unexpected exception, at the same intervals. The end is the same, with a reference that
# is in the log.
UNEXPECTED = replace(ANY_JOB, most_tries=5)
# A refusal while an earlier attempt may have landed. The next try looks again. The end is that of any job.
REFUSED_IN_DOUBT_SECONDS = 5.0
# A job whose account is refused, until the operator solves that. The end is that of any job.
REFUSED_ACCOUNT = RetryPolicy(10.0, WEEK)
# A job during which Redis was away. It continues when Redis is back.
WITHOUT_REDIS_SECONDS = 0.5

# A request by command, click or form. At the end the person is told.
COMMAND = RetryPolicy(15.0, HOUR, doubles=True)
# The creation of a task while Coder answers with errors, as it does for a template that cannot work. At the
# end the card says that it failed.
CREATE_WITH_ERRORS = replace(COMMAND, lasts=timedelta(minutes=15), most_tries=5)
# A pause, a resume or a deletion while the workspace starts or stops. At the end the person is told.
BUILD_UNDER_WAY = RetryPolicy(3.0, most_tries=40)
# A question about a message in a thread, behind the thread's other questions. At the end the author is told.
THREAD_QUESTION = COMMAND

# A reply while the agent is not ready, or Coder does not answer. At the end it is given back, with a button
# that sends it. If Coder never answered, it is also a dead letter.
REPLY = RetryPolicy(30.0, DAY, doubles=True)
# A reply that waits for a person's decision. At the end it is not delivered.
ASKED_REPLY_SECONDS = WEEK.total_seconds()
# A look in the agent's log for an input of unknown outcome. At the end a person is asked
# (`domain/reconcile.py`).
INPUT_LOOK_SECONDS = 5.0

# An event that needs the agent's history. At the end the last report in Coder's list is used.
AGENT_HISTORY = replace(ANY_JOB, most_tries=4)
# A look for a shared file of unknown outcome. At the end the same file is shared again.
FILE_LOOK = RetryPolicy(5.0, most_tries=6)
# A message for a thread whose card was deleted, until the card is posted again. At the end the thread counts
# as closed.
CARD_MOVING = RetryPolicy(3.0, timedelta(minutes=1))
# Backfill of a channel or a thread, behind the others. The end is that of any job.
BACKFILL = RetryPolicy(5.0, DAY)

# An announced change of a task, until Coder shows it: a look each second, and less often while Coder does not
# answer. At the end the next poll shows it.
ANNOUNCED_CHANGE = RetryPolicy(30.0, timedelta(minutes=10), doubles=True)
