"""What one lease adds to the metrics: was it taken over, what did it attempt and find, how did it end."""

from collections.abc import Iterable

from taskwire.job_context import JobContext, Outcome
from taskwire.queue.leases import Lease, Trouble
from taskwire.telemetry import Metrics

# Why a turn has to be repeated, by how its list fares; what only waits for an agent is no repetition.
_WHY: dict[Trouble, str] = {"failing": "failed", "refused": "account"}


def from_zero(metrics: Metrics, kinds: Iterable[str]) -> None:
    """Show what an alert looks at before it first happens: a figure that begins with 1 has not risen."""
    for kind in kinds:
        metrics.leases_taken_over.labels(kind)
        metrics.reconciled.labels(kind, "unclear")
        metrics.dead_letters.labels(kind)


def taken(metrics: Metrics, lease: Lease) -> None:
    """Count a turn that begins."""
    if lease.takes > 1:
        metrics.leases_taken_over.labels(lease.job.work.kind).inc()


def no_capacity(metrics: Metrics, context: JobContext) -> None:
    """Count a turn that has to be repeated since Slack's limits left no place for it."""
    metrics.retries.labels(context.job.work.kind, "rate_limited").inc()


def effects(metrics: Metrics, context: JobContext) -> None:
    """Count what a turn has done to the world outside, however it ends."""
    kind = context.job.work.kind
    if context.begun:
        metrics.attempts.labels(kind).inc(context.begun)
    if context.found:
        metrics.reconciled.labels(kind, context.found).inc()
    if context.doubles:
        metrics.duplicates_removed.labels(kind).inc(context.doubles)


def ended(metrics: Metrics, context: JobContext, outcome: Outcome) -> None:
    """Count a turn whose end is written."""
    kind, is_over = context.job.work.kind, outcome.kind == "done"
    is_given_up = is_over and outcome.trouble == "same"
    metrics.jobs.labels(kind, "given_up" if is_given_up else outcome.kind).inc()
    if outcome.is_dead_letter:
        metrics.dead_letters.labels(kind).inc()
    if outcome.trouble in _WHY:
        metrics.retries.labels(kind, _WHY[outcome.trouble]).inc()
