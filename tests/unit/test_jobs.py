"""The order of jobs within one queue."""

from hypothesis import given, settings
from hypothesis import strategies as st

from taskwire.domain.queueing.queues import (
    input_score,
    later_end_of_share_score,
    no_agent_score,
    request_score,
    urgent_score,
)

# Times in microseconds since 1970, up to the year 2040.
MOMENTS_END = 2_208_988_800_000_000
# Slack exists since 2013.
SLACK_BEGAN = 1_356_998_400_000_000
MOMENTS = st.integers(min_value=1, max_value=MOMENTS_END)


def ts(microseconds: int) -> str:
    return f"{microseconds // 1_000_000}.{microseconds % 1_000_000:06d}"


@settings(deadline=None)
@given(MOMENTS, MOMENTS)
def test_what_waits_for_no_agent_goes_ahead_of_input_whenever_it_was_written(one: int, other: int) -> None:
    """Whatever their times are, a pause runs before a command that needs no agent, and such a command runs
    before input for the agent. All scores are small enough to be exact in Redis."""
    assert urgent_score(ts(one)) < no_agent_score(ts(other)) < input_score(ts(one)) < 2**53
    assert request_score("pause", ts(one)) == urgent_score(ts(one))
    assert request_score("mute", ts(one)) == no_agent_score(ts(one))


@settings(deadline=None)
@given(MOMENTS)
def test_a_share_goes_ahead_of_what_waits_in_its_lane(at: int) -> None:
    """A share goes ahead of other commands, also of years before. It delays no pause."""
    share = request_score("share", ts(at))

    assert share <= no_agent_score(ts(max(1, at // 2)))
    assert urgent_score(ts(MOMENTS_END)) < share


@settings(deadline=None)
@given(MOMENTS)
def test_the_end_of_a_share_goes_ahead_of_everything(at: int) -> None:
    """The end of a share goes ahead of all acts since Slack exists, also of a pause."""
    end = request_score("unshare", ts(at))

    assert 0 <= end < urgent_score(ts(SLACK_BEGAN)) < request_score("share", ts(at))


@settings(deadline=None)
@given(MOMENTS)
def test_the_end_of_a_share_that_waits_goes_ahead_of_earlier_shares(at: int) -> None:
    """While the end of a share waits for Slack or Coder, no share begins, also of years before. It delays no
    pause."""
    end = later_end_of_share_score(ts(at))

    assert urgent_score(ts(MOMENTS_END)) < end <= request_score("share", ts(max(1, at // 2)))


@settings(deadline=None)
@given(MOMENTS, MOMENTS)
def test_within_a_lane_the_moment_decides(one: int, other: int) -> None:
    """Two inputs for the agent run in the order of their times, to the microsecond."""
    assert (input_score(ts(one)) < input_score(ts(other))) == (one < other)
