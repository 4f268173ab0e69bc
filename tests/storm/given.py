"""What a storm is given, and what each of its worker processes is."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from taskwire.model.ids import LinkId
from taskwire.slack.outbound import Timeouts
from taskwire.store.queue import TurnTimes

# Shorter than in production, so that what a kill leaves behind is taken up in seconds. What counts is that
# the look-alike never executes a call later than time-out and margin.
POST_SECONDS = 1.0
TIMEOUTS = Timeouts(post=POST_SECONDS, change=POST_SECONDS, read=4.0)
TIMES = TurnTimes(lease_ms=1_000, longest_lease_ms=8_000, landing_margin_ms=1_500, second_look_ms=200)
# A call that Slack executes late, but within the margin.
LATE_SECONDS = POST_SECONDS + 0.4


class Plan(BaseModel):
    """How long and how hard it storms."""

    model_config = ConfigDict(frozen=True)

    posts: int = 5_000
    threads: int = 40
    processes: int = 3
    seconds_between_kills: float = 1.0
    seconds_between_stops: float = 4.0
    # How long each writer is made to wait between its look at the deadline and its write.
    window_ms: int = 0
    seed: int = 1
    patience_seconds: float = 600.0


class WorkerGiven(BaseModel):
    """What a worker process has to know."""

    model_config = ConfigDict(frozen=True)

    slack_url: str
    token: str
    store_url: str
    window_ms: int


def link_of(number: int) -> LinkId:
    """The link of a thread."""
    return LinkId(f"L{number:03d}")


def text_of(thread: int, number: int) -> str:
    """What a post says: which one it is."""
    return f"thread {thread}, post {number}"


def tests_root() -> Path:
    """From where `python -m tests.storm.worker` can be started."""
    return Path(__file__).parents[2]
