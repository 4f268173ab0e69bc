"""Percentiles are measured values, and the columns of the table are aligned."""

import pytest

from tests.bench.figures import HEAD, Figure, percentile


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [
        ([7.0], 0.5, 7.0),
        ([7.0], 0.99, 7.0),
        ([4.0, 1.0, 3.0, 2.0], 0.5, 2.0),
        ([float(n) for n in range(1, 101)], 0.5, 50.0),
        ([float(n) for n in range(1, 101)], 0.99, 99.0),
        ([float(n) for n in range(1, 102)], 0.99, 100.0),
        ([1.0] * 98 + [50.0, 90.0], 0.99, 50.0),
    ],
)
def test_a_percentile_is_the_smallest_value_that_so_many_do_not_exceed(
    values: list[float], share: float, expected: float
) -> None:
    """A percentile is one of the measured values (nearest rank). No percentile is interpolated or rounded."""
    assert percentile(values, share) == expected


def test_a_figure_is_held_against_the_baseline_of_its_run() -> None:
    """A figure with a baseline is shown with this baseline and their ratio, in the table and as JSON."""
    figure = Figure("ack p99", 12.0, "ms", 10.0, "Bolt alone", "at most 1.5 times")

    assert figure.as_json()["ratio"] == 1.2
    assert " ".join(figure.as_line().split()) == "ack p99 12.00 ms 10.00 ms 1.20 at most 1.5 times Bolt alone"
    assert figure.as_line().index("at most") == HEAD.index("target")


def test_a_figure_without_a_baseline_has_no_ratio() -> None:
    """A figure without a baseline shows no ratio."""
    figure = Figure("answers 429", 0.0, "answers", target="none")

    assert figure.as_json()["ratio"] is None
    assert " ".join(figure.as_line().split()) == "answers 429 0 answers none"
