"""How long each kind of work is tried, at which intervals, and what happens after the last try.

All retry policies are here. `failures.py` applies them to a job that has failed, for example to the post of a
message. `outbox/request_retries.py` applies them to a request whose person waits for the answer. A wait for
Slack's rate limits is not a failed try. The durations of leases are in `queue/leases.py`.
"""

import random
from dataclasses import dataclass, replace
from datetime import timedelta

# An interval is doubled at most this often, so that the power of two stays small.
MAX_DOUBLINGS = 12


@dataclass(frozen=True)
class RetryPolicy:
    """The interval between tries, and the time or the number of tries after which the tries end.

    If `is_exponential` is false, each interval has `interval_seconds`. Otherwise the intervals are 1, 2, 4 …
    seconds, but at most `interval_seconds`. If `max_tries` is 0, the number of tries has no limit.
    """

    interval_seconds: float
    max_duration: timedelta = timedelta.max
    max_tries: int = 0
    is_exponential: bool = False

    @property
    def max_duration_ms(self) -> int:
        """The time after which no new try begins, in milliseconds since the first try."""
        return self.max_duration // timedelta(milliseconds=1)

    def wait_seconds(self, tries: int, asked_seconds: float | None = None) -> float:
        """Return the seconds until the next try. `tries` is the number of tries so far.

        `asked_seconds` is how long the outside system asked us to wait, if it did. This time replaces a fixed
        interval. An exponential interval is shortened at random by up to a half, but not below
        `asked_seconds`.
        """
        if not self.is_exponential:
            return asked_seconds or self.interval_seconds
        longest = min(2.0 ** min(tries, MAX_DOUBLINGS), self.interval_seconds)
        return max(longest * random.uniform(0.5, 1.0), asked_seconds or 0.0)  # noqa: S311 - jitter

    def is_over(self, since_ms: int, now_ms: int) -> bool:
        """Return whether tries have lasted too long. `since_ms` is when the first try began; 0 before it.

        Both times are Unix milliseconds.
        """
        return since_ms > 0 and now_ms - since_ms > self.max_duration_ms


HOUR, DAY, WEEK = timedelta(hours=1), timedelta(days=1), timedelta(weeks=1)

# Any job that fails or ends its process. After the last try, the job becomes a dead letter, and the bot tells
# the person who asked.
ANY_JOB = RetryPolicy(300.0, DAY, is_exponential=True)
# A job that raises an unexpected exception. After the last try, the job is given up, and the person gets a
# reference to the log.
UNEXPECTED = replace(ANY_JOB, max_tries=5)
# A request that is refused although an earlier attempt of it may have succeeded. Each try checks the earlier
# attempt again. After the last try, the job is given up.
REFUSED_AFTER_UNKNOWN_SECONDS = 5.0
# A job whose account is refused, until the operator has mended the account. After the last try, the job is
# given up.
REFUSED_ACCOUNT = RetryPolicy(10.0, WEEK)
# A job of a person who has no connected account. The job runs at once when the person connects an account.
# After the last try, the job is given up.
PERSON_WITHOUT_ACCOUNT = RetryPolicy(300.0, WEEK)
# A job during which Redis did not answer. It continues when Redis answers again.
WITHOUT_REDIS_SECONDS = 0.5

# A request by command, click or form. After the last try, the bot tells the person.
COMMAND = RetryPolicy(15.0, HOUR, is_exponential=True)
# The creation of a task while Coder answers with errors, as it does for a template that cannot work. After
# the last try, the card says that the creation failed.
CREATE_WITH_ERRORS = replace(COMMAND, max_duration=timedelta(minutes=15), max_tries=5)
# A pause, a resume or a deletion while the workspace starts or stops. After the last try, the bot tells the
# person.
BUILD_UNDER_WAY = RetryPolicy(3.0, max_tries=40)
# The answer to a question in a thread. Between two tries, other questions of the thread are answered. After
# the last try, the bot tells the author.
THREAD_QUESTION = COMMAND

# A reply while the agent is not ready, or Coder does not answer. After the last try, the author gets a button
# that sends the reply again. If Coder never answered, the job is also a dead letter.
REPLY_RETRIES = RetryPolicy(30.0, DAY, is_exponential=True)
# A reply that waits for a person's decision. After this time, the reply is not delivered.
ASKED_REPLY_SECONDS = WEEK.total_seconds()
# The interval between searches in the agent's log for an input of unknown outcome.
# `domain/lifecycle/reconcile.py` decides when the searches end.
INPUT_LOOK_SECONDS = 5.0

# An event that needs the agent's history from Coder. After the last try, the latest report in Coder's list is
# used.
AGENT_HISTORY = replace(ANY_JOB, max_tries=4)
# The search for the message of a file that may have been shared. After the last try, the same upload is
# shared again.
FILE_LOOK = RetryPolicy(5.0, max_tries=6)
# A message for a thread whose card was deleted, until the card is posted again. After this time, the thread
# counts as closed.
CARD_MOVING = RetryPolicy(3.0, timedelta(minutes=1))
# The backfill of a channel or a thread. Between two tries, other channels and threads are read. After the
# last try, the job is given up.
BACKFILL = RetryPolicy(5.0, DAY)

# The reading of a task whose change was announced, until Coder shows the change. These are the intervals
# while Coder does not answer. After the last try, the next poll shows the change.
ANNOUNCED_CHANGE = RetryPolicy(30.0, timedelta(minutes=10), is_exponential=True)
