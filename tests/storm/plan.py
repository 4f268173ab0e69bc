"""How long and how hard it storms, and the shorter times that everything in a storm keeps.

Times are shorter than in production so that what a kill leaves behind is taken up in seconds. They keep their
proportions: nothing that a look-alike does comes later than the bot was told that it may.
"""

from pydantic import BaseModel, ConfigDict

from taskwire.app import Timings
from taskwire.coder.client import Timeouts as CoderTimeouts
from taskwire.slack.outbound import Timeouts as SlackTimeouts
from taskwire.store.pace import LIMITS, OTHERWISE, Limit, Limits
from taskwire.store.queue import TurnTimes

CALL_SECONDS = 2.0
# Slack's limits are so much wider.
FASTER = 20


def _faster(limit: Limit | None) -> Limit | None:
    """The same limit in the storm's time; what is allowed a minute has no meaning there."""
    return None if limit is None else limit._replace(interval_ms=limit.interval_ms // FASTER, per_minute=0)


def _all_faster(limits: Limits) -> Limits:
    return Limits(_faster(limits.whole), _faster(limits.each), _faster(limits.catching_up))


TIMINGS = Timings(
    slack=SlackTimeouts(post=CALL_SECONDS, change=CALL_SECONDS, read=4.0),
    coder=CoderTimeouts(
        connect=CALL_SECONDS, read=4.0, logs=4.0, send=CALL_SECONDS, create=CALL_SECONDS, change=CALL_SECONDS
    ),
    turns=TurnTimes(lease_ms=1_500, longest_lease_ms=6_000, landing_margin_ms=2_000, second_look_ms=200),
    limits={name: _all_faster(limits) for name, limits in LIMITS.items()},
    other_limits=_all_faster(OTHERWISE),
)
# A call that is carried out when its caller has given it up, but within the margin.
LATE_SECONDS = CALL_SECONDS + 0.8
# Past the lease, and in half of the cases past the attempt too.
STOP_SECONDS = (2.0, 6.0)
POLL_SECONDS = 0.5
SETTLE_SECONDS = 3.0
# As Slack's, which waits for one and for five minutes.
RETRY_SECONDS = (0.0, 3.0, 15.0)
GAP_SECONDS = 3.0


class Plan(BaseModel):
    """How long and how hard it storms."""

    model_config = ConfigDict(frozen=True)

    tasks: int = 300
    replies: int = 3
    channels: int = 40
    people: int = 20
    replicas: int = 3
    # In these all tasks are asked for; what is written in their threads takes longer.
    seconds: float = 240.0
    longest_pause_seconds: float = 20.0
    seconds_between_kills: float = 4.0
    seconds_between_stops: float = 8.0
    # Of connections: Redis's, Slack's sockets.
    seconds_between_cuts: float = 4.0
    # Of Redis, in the second half: who has seen one trusts no first attempt for ten minutes.
    seconds_between_restarts: float = 30.0
    # How long each writer is made to wait between its last look at the deadline and its write.
    window_ms: int = 5
    # The clocks of two replicas' hosts are so far off, one ahead and one behind.
    clock_off_seconds: float = 3_600.0
    # So many times the usual share of calls and deliveries goes wrong.
    trouble: float = 1.0
    seed: int = 1
    # For everything to settle when the weather is over.
    patience_seconds: float = 150.0
