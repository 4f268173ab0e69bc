"""The limits that are kept against those that Slack documents, for every method that is called."""

import pytest

from taskwire.queue.rate_limiter import LIMITS, WINDOW_MS, MethodLimits
from taskwire.slack.calls import Method
from taskwire_sandbox.slack.pace import PER_MINUTE, POST_BURST, POST_SECONDS

from .slack_table import METHODS

each_method = pytest.mark.parametrize("method", list(Method))
# Cards are promised less than chat.update's tier.
OURS = {Method.UPDATE: 45}


@each_method
def test_a_method_that_is_called_has_its_documented_tier(method: Method) -> None:
    """No less than that is kept, and no more is left unused than `queue/rate_limiter.py` says."""
    documented = PER_MINUTE[METHODS[method].tier]

    limit = LIMITS[method].whole

    assert limit is not None
    assert limit.per_minute == OURS.get(method, documented) <= documented


@pytest.mark.parametrize("limits", LIMITS.values(), ids=LIMITS.keys())
def test_a_burst_and_what_follows_it_stay_within_the_minute(limits: MethodLimits) -> None:
    """Whatever comes at once counts too."""
    for limit in filter(None, limits):
        assert limit.burst <= max(limit.per_minute, 2)
        assert limit.per_minute == 0 or limit.interval_ms * limit.per_minute >= WINDOW_MS


def test_posts_of_a_channel_stay_below_one_a_second_and_its_burst() -> None:
    """A message less at once than Slack takes, and a hundredth less often."""
    each = LIMITS[Method.POST].each

    assert each is not None
    assert each.burst == POST_BURST - 1
    assert 1.0 <= each.interval_ms / 1000 / POST_SECONDS <= 1.05
