"""Reading single metrics in tests. A metric that does not exist fails the test: 0 would hide a wrong name."""

from prometheus_client import CollectorRegistry


def value_of(registry: CollectorRegistry, name: str, **labels: str) -> float:
    """Return the value of a metric, or 0 if these labels have none yet."""
    names = {metric.name for metric in registry.collect()}
    assert name.removesuffix("_total") in names, f"there is no metric {name}"
    return registry.get_sample_value(name, labels) or 0.0
