"""The length and severity of a storm, and the shortened times of all its parts.

Times are shorter than in production, so that other processes take over the jobs of a killed process within
seconds. They are shortened in proportion. So, as in production, a stand-in executes a call within the time
that the bot allows for it, or never.
"""

from pydantic import BaseModel, ConfigDict, Field

from taskwire.app.wiring import Timings
from taskwire.coder.client import CoderTimeouts
from taskwire.queue.leases import LeaseTimes
from taskwire.queue.rate_limiter import DEFAULT_LIMITS, LIMITS, Limit, MethodLimits
from taskwire.slack.calls import SlackTimeouts

CALL_SECONDS = 2.0
# Slack's limits in a storm allow this many times more calls.
FASTER = 20


def _faster(limit: Limit | None) -> Limit | None:
    """Return the limit with a shorter interval between calls and without a limit for each minute. Return None
    for None, which means no limit."""
    return None if limit is None else limit._replace(interval_ms=limit.interval_ms // FASTER, per_minute=0)


def _all_faster(limits: MethodLimits) -> MethodLimits:
    return MethodLimits(*map(_faster, limits))


TIMINGS = Timings(
    slack=SlackTimeouts(post=CALL_SECONDS, change=CALL_SECONDS, read=4.0),
    coder=CoderTimeouts(
        connect=CALL_SECONDS, read=4.0, logs=4.0, send=CALL_SECONDS, create=CALL_SECONDS, change=CALL_SECONDS
    ),
    lease_times=LeaseTimes(lease_ms=1_500, longest_lease_ms=6_000, late_arrival_ms=2_000, recheck_ms=200),
    limits={name: _all_faster(limits) for name, limits in LIMITS.items()},
    other_limits=_all_faster(DEFAULT_LIMITS),
)
# After how many seconds a late call is executed: after its caller has given up, but before the bot counts it
# as impossible.
LATE_SECONDS = CALL_SECONDS + 0.8
# For how many seconds a process is stopped: longer than its lease, and in half of the cases beyond the
# deadline of an attempt.
STOP_SECONDS = (2.0, 6.0)
POLL_SECONDS = 0.5
SETTLE_SECONDS = 3.0
REMINDER_SECONDS = 4.0
# After how many seconds Slack's stand-in repeats a delivery: immediately, later, and a last time. The real
# Slack does so immediately, after one minute and after five minutes.
RETRY_SECONDS = (0.0, 3.0, 15.0)
GAP_SECONDS = 3.0


# The key that replaces `tests.keys.KEY` during a storm.
NEW_KEY = "YW5vdGhlciBrZXkgdGhhdCB0ZXN0cyBjYW4ga25vdyE="


class Plan(BaseModel):
    """The length and severity of a storm."""

    model_config = ConfigDict(frozen=True)

    tasks: int = Field(default=300, description="how many are asked for")
    replies: int = Field(default=3, description="so many in each thread")
    acts: int = Field(default=2, description="so many other things at most that a person does about a task")
    offer_seconds: float = Field(default=8.0, description="that a person waits for a button or a dialog")
    channels: int = Field(default=40, description="in which they are asked for")
    people: int = Field(default=20, description="who ask")
    replicas: int = Field(default=3, description="whole bots, each a process")
    seconds: float = Field(
        default=240.0,
        description="in which all tasks are asked for; what is written in their threads takes longer",
    )
    longest_pause_seconds: float = Field(default=20.0, description="that a person waits before the next word")
    seconds_between_kills: float = Field(default=4.0, description="of a bot, by SIGKILL")
    seconds_between_stops: float = Field(
        default=8.0, description="of a bot, by SIGSTOP; it goes on after its lease"
    )
    seconds_between_cuts: float = Field(default=4.0, description="of connections: Redis's, Slack's sockets")
    seconds_between_restarts: float = Field(
        default=30.0,
        description="of Redis, in the second half: who has seen one trusts no first attempt for ten minutes",
    )
    rotations: int = Field(default=1, description="of the key with which values are encrypted; 0 or 1")
    window_ms: int = Field(
        default=5,
        description="that each writer is made to wait between its last look at the deadline and its write",
    )
    clock_off_seconds: float = Field(
        default=3_600.0, description="by which one replica's clock is ahead, and another's behind"
    )
    trouble: float = Field(
        default=1.0, description="times the usual share of calls and deliveries that go wrong"
    )
    seed: int = Field(default=1, description="of everything that is left to chance")
    patience_seconds: float = Field(
        default=150.0, description="for everything to settle when the faults are over"
    )
