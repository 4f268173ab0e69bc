"""When the bot tries a call again, and when it gives the call up."""

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taskwire.domain.queueing.retry_policies import BACKFILL, COMMAND, RetryPolicy


@pytest.mark.parametrize(
    ("tries", "least", "most"),
    [(0, 0.5, 1.0), (1, 1.0, 2.0), (2, 2.0, 4.0), (5, 7.5, 15.0), (10_000, 7.5, 15.0)],
)
def test_the_intervals_of_a_command_double_up_to_fifteen_seconds(
    tries: int, least: float, most: float
) -> None:
    """The time before the next try doubles with each try, up to fifteen seconds. Up to half of it is cut at
    random, so that jobs are not all retried at the same moment."""
    assert all(least <= COMMAND.wait_seconds(tries) <= most for _ in range(50))


@settings(deadline=None)
@given(st.integers(0, 10_000), st.floats(0.1, 900.0))
def test_nothing_is_tried_before_the_time_that_the_other_side_asked_for(tries: int, asked: float) -> None:
    assert COMMAND.wait_seconds(tries, asked) >= asked
    assert BACKFILL.wait_seconds(tries, asked) == asked


def test_what_has_lasted_long_enough_is_over() -> None:
    """A call is given up if its first failure is longer ago than the policy allows. The time 0 means that
    nothing has failed yet."""
    policy = RetryPolicy(1.0, timedelta(seconds=10))

    assert [policy.is_over(since_ms, now_ms=20_000) for since_ms in (0, 10_000, 9_999)] == [
        False,
        False,
        True,
    ]
