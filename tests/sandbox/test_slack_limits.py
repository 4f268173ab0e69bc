"""The Slack stand-in's rate limits, when a test turns them on."""

from taskwire_sandbox.slack.rate_limiter import MethodRateLimiter
from tests.sandbox.slack_worlds import world


class Clock:
    """A clock in seconds that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_tier_is_a_sliding_minute() -> None:
    """An app may make fifty calls of tier 3 within a minute. The next call must wait until the first of them
    is a minute old."""
    clock = Clock()
    limiter = MethodRateLimiter(is_on=True, clock=clock)

    for _ in range(50):
        assert limiter.take("chat.update", 3, "") == 0
        clock.now += 0.5
    refused = limiter.take("chat.update", 3, "")
    clock.now += refused

    assert refused == 35
    assert limiter.take("chat.update", 3, "") == 0
    assert limiter.take("chat.delete", 3, "") == 0


def test_a_channel_takes_a_message_a_second_after_a_short_burst() -> None:
    """Three posts to a channel may come at once, then one a second. Other channels have limits of their
    own."""
    clock = Clock()
    limiter = MethodRateLimiter(is_on=True, clock=clock)

    burst = [limiter.take("chat.postMessage", 0, "C1") for _ in range(4)]
    elsewhere = limiter.take("chat.postMessage", 0, "C2")
    clock.now += 1
    later = [limiter.take("chat.postMessage", 0, "C1") for _ in range(2)]

    assert (burst, elsewhere, later) == ([0, 0, 0, 1], 0, [0, 1])


async def test_too_many_calls_are_told_when_to_come_back() -> None:
    """If an app makes too many calls, it gets HTTP 429 with Retry-After. If the test has not turned on the
    limits, the app may make any number of calls."""
    async with world(limits="documented") as api:
        for _ in range(20):
            assert (await api.call("usergroups.list"))["ok"]
        async with api.raw("usergroups.list") as response:
            limited = (response.status, await response.json())
            seconds = int(response.headers["Retry-After"])

    async with world() as api:
        unlimited = [(await api.call("usergroups.list"))["ok"] for _ in range(21)]

    assert limited == (429, {"ok": False, "error": "ratelimited"})
    assert 1 <= seconds <= 60
    assert all(unlimited)
