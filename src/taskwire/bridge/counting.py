"""What a turn adds to the figures: whose it was before, what it began and found, and how it ended."""

from collections.abc import Iterable

from taskwire.bridge.hand import Ending, Hand
from taskwire.store.queue import Trouble, Turn
from taskwire.telemetry import Metrics

# Why a turn has to be repeated, by how its list fares; what only waits for an agent is no repetition.
_WHY: dict[Trouble, str] = {"failing": "failed", "refused": "account"}


def from_zero(metrics: Metrics, kinds: Iterable[str]) -> None:
    """Show what an alert looks at before it first happens: a figure that begins with 1 has not risen."""
    for kind in kinds:
        metrics.taken_over.labels(kind)
        metrics.read_backs.labels(kind, "unclear")
        metrics.dead.labels(kind)


def taken(metrics: Metrics, turn: Turn) -> None:
    """Count a turn that begins."""
    if turn.takes > 1:
        metrics.taken_over.labels(turn.job.work.kind).inc()


def no_room(metrics: Metrics, hand: Hand) -> None:
    """Count a turn that has to be repeated since Slack's limits left no place for it."""
    metrics.retries.labels(hand.job.work.kind, "no_room").inc()


def carried_out(metrics: Metrics, hand: Hand) -> None:
    """Count what a turn has done to the world outside, however it ends."""
    kind = hand.job.work.kind
    if hand.begun:
        metrics.attempts.labels(kind).inc(hand.begun)
    if hand.found:
        metrics.read_backs.labels(kind, hand.found).inc()
    if hand.doubles:
        metrics.doubles.labels(kind).inc(hand.doubles)


def ended(metrics: Metrics, hand: Hand, ending: Ending) -> None:
    """Count a turn whose end is written."""
    kind, is_over = hand.job.work.kind, ending.verdict == "done"
    is_given_up = is_over and ending.trouble == "same"
    metrics.jobs.labels(kind, "given_up" if is_given_up else ending.verdict).inc()
    if ending.has_letter:
        metrics.dead.labels(kind).inc()
    if ending.trouble in _WHY:
        metrics.retries.labels(kind, _WHY[ending.trouble]).inc()
