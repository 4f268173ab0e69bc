"""Reads single metrics in tests. An unknown metric fails the test, because a value of 0 would hide a misspelt
name."""

from prometheus_client import CollectorRegistry


def value_of(registry: CollectorRegistry, name: str, **labels: str) -> float:
    """Return the value of a metric, or 0 if it has no sample with these labels yet."""
    metrics = list(registry.restricted_registry([name]).collect())
    assert metrics or name.removesuffix("_total") in {each.name for each in registry.collect()}, (
        f"there is no metric {name}"
    )
    samples = [sample for metric in metrics for sample in metric.samples]
    return next((each.value for each in samples if (each.name, each.labels) == (name, labels)), 0.0)
