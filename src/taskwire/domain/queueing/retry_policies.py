"""How long each kind of work is tried, at which intervals, and what happens at the end.

All retry policies are here. A wait for Slack's rate limits is not a failed try. The durations of leases are
in `queue/leases.py`.
"""

import random
from dataclasses import dataclass, replace
from datetime import timedelta

# An interval is doubled at most this often, so that the power of two stays small.
MAX_DOUBLINGS = 12


@dataclass(frozen=True)
class RetryPolicy:
    """The interval between tries, and the time or the number of tries after which they end.

    If not `is_exponential`, each interval has `interval_seconds`. Otherwise the intervals are 1, 2, 4 …
    seconds, but at most `interval_seconds`. If `max_tries` is 0, the number of tries has no limit.
    """

    interval_seconds: float
    max_duration: timedelta = timedelta.max
    max_tries: int = 0
    is_exponential: bool = False

    @property
    def max_duration_ms(self) -> int:
        """The time after which no other try begins, in milliseconds since the first try."""
        return self.max_duration // timedelta(milliseconds=1)

    def wait_seconds(self, tries: int, asked_seconds: float | None = None) -> float:
        """Return the seconds until the next try. `tries` is the number of tries so far.

        `asked_seconds` is how long the other system asked us to wait, if it did. A fixed interval is replaced
        by that time. An exponential interval is shortened at random by up to a half, but not below that time.
        """
        if not self.is_exponential:
            return asked_seconds or self.interval_seconds
        longest = min(2.0 ** min(tries, MAX_DOUBLINGS), self.interval_seconds)
        return max(longest * random.uniform(0.5, 1.0), asked_seconds or 0.0)  # noqa: S311 - jitter

    def is_over(self, since_ms: int, now_ms: int) -> bool:
        """Return whether tries have lasted too long. `since_ms` is when the first began; 0 if there was none.

        Both times are Unix milliseconds.
        """
        return since_ms > 0 and now_ms - since_ms > self.max_duration_ms


HOUR, DAY, WEEK = timedelta(hours=1), timedelta(days=1), timedelta(weeks=1)

# Any job that fails or ends its process. At the end it is a dead letter, and the person who asked is told.
ANY_JOB = RetryPolicy(300.0, DAY, is_exponential=True)
# A job that raises an unexpected exception. The end is that of any job, and the person gets a reference to
# the log.
UNEXPECTED = replace(ANY_JOB, max_tries=5)
# A request that is refused although an earlier attempt of it may have succeeded. Each try checks that again.
# The end is that of any job.
REFUSED_AFTER_UNKNOWN_SECONDS = 5.0
# A job whose account is refused, until the operator solves that. The end is that of any job.
REFUSED_ACCOUNT = RetryPolicy(10.0, WEEK)
# A job of a person who has no connected account. The job runs at once when the person connects one. The end
# is that of any job.
PERSON_WITHOUT_ACCOUNT = RetryPolicy(300.0, WEEK)
# A job during which Redis did not answer. It continues when Redis answers again.
WITHOUT_REDIS_SECONDS = 0.5

# A request by command, click or form. At the end the person is told.
COMMAND = RetryPolicy(15.0, HOUR, is_exponential=True)
# The creation of a task while Coder answers with errors, as it does for a template that cannot work. At the
# end the card says that it failed.
CREATE_WITH_ERRORS = replace(COMMAND, max_duration=timedelta(minutes=15), max_tries=5)
# A pause, a resume or a deletion while the workspace starts or stops. At the end the person is told.
BUILD_UNDER_WAY = RetryPolicy(3.0, max_tries=40)
# The answer to a question in a thread. Other questions of the thread go first. At the end the author is told.
THREAD_QUESTION = COMMAND

# A reply while the agent is not ready, or Coder does not answer. At the end its author gets a button that
# sends it again. If Coder never answered, it is also a dead letter.
REPLY_RETRIES = RetryPolicy(30.0, DAY, is_exponential=True)
# A reply that waits for a person's decision. At the end it is not delivered.
ASKED_REPLY_SECONDS = WEEK.total_seconds()
# The interval between searches in the agent's log for an input of unknown outcome.
# `domain/lifecycle/reconcile.py` decides when they end.
INPUT_LOOK_SECONDS = 5.0

# An event that needs the agent's history from Coder. At the end the last report in Coder's list is used.
AGENT_HISTORY = replace(ANY_JOB, max_tries=4)
# A search for the message of a file that may have been shared. At the end the same upload is shared again.
FILE_LOOK = RetryPolicy(5.0, max_tries=6)
# A message for a thread whose card was deleted, until the card is posted again. At the end the thread counts
# as closed.
CARD_MOVING = RetryPolicy(3.0, timedelta(minutes=1))
# Backfill of a channel or a thread. Other channels and threads go first. The end is that of any job.
BACKFILL = RetryPolicy(5.0, DAY)

# Reading a task whose change was announced, until Coder shows the change. These are the intervals while Coder
# does not answer. At the end the next poll shows the change.
ANNOUNCED_CHANGE = RetryPolicy(30.0, timedelta(minutes=10), is_exponential=True)
