"""Simulates the rate limiter against a Slack with the documented limits. Slack refuses no call, and at least
95 % of each limit is used."""

import heapq
import random
from bisect import bisect_left
from dataclasses import dataclass, field

import pytest

from taskwire.queue.rate_limiter import RateLimiter
from taskwire.redis.connection import Connections
from taskwire.slack.call_priorities import Priority
from taskwire.telemetry import Metrics
from taskwire_sandbox.slack.rate_limiter import MethodRateLimiter as SlackRateLimiter

from .engine import Engine

SECONDS = 180
# Calls take different times to reach Slack. Posts of one channel must not arrive much closer together than
# they left.
UNDER_WAY_SECONDS, POST_UNDER_WAY_SECONDS = 2.0, 1.0
# A worker asks a little too late each time, sometimes later than its claim lasts.
LATE_SECONDS, VERY_LATE_SECONDS = 0.05, 5.0


@dataclass(order=True)
class Requester:
    """A claimant that always has work. `at` is the time of the claimant's next request."""

    at: float
    name: str
    where: str = field(compare=False, default="")
    priority: Priority = field(compare=False, default=Priority.POST)


@dataclass(frozen=True)
class Arrival:
    """A call that reaches Slack."""

    at: float
    where: str


class Crowd:
    """Claimants of one method on two replicas, with a simulated clock."""

    def __init__(self, engine: Engine, method: str, seed: int) -> None:
        self._engine = engine
        self._method = method
        self._chance = random.Random(seed)  # noqa: S311 - repeatable on purpose
        self._replicas = [
            RateLimiter(engine.connections, engine.keys, engine.clock, Metrics()) for _ in range(2)
        ]

    async def runs(self, askers: list[Requester]) -> list[Arrival]:
        """Let all claimants ask for three minutes of the simulated clock. Return the calls in the order in
        which they reach Slack."""
        start_ms, arrivals = self._engine.clock.now_ms, []
        heapq.heapify(askers)
        while askers[0].at < SECONDS:
            requester = heapq.heappop(askers)
            self._engine.clock.now_ms = start_ms + round(requester.at * 1000)
            limiter = self._chance.choice(self._replicas)
            seconds = await limiter.take_place(
                self._method, requester.where, requester.priority, requester.name
            )
            if seconds == 0:
                arrivals.append(Arrival(requester.at + self._under_way(), requester.where))
            requester.at += seconds + self._late()
            heapq.heappush(askers, requester)
        return sorted(arrivals, key=lambda arrival: arrival.at)

    def _under_way(self) -> float:
        is_post = self._method == "chat.postMessage"
        return self._chance.uniform(0.0, POST_UNDER_WAY_SECONDS if is_post else UNDER_WAY_SECONDS)

    def _late(self) -> float:
        return self._chance.uniform(
            0.001, VERY_LATE_SECONDS if self._chance.random() < 0.02 else LATE_SECONDS
        )


def refused(method: str, tier: int, arrivals: list[Arrival]) -> list[Arrival]:
    """Return the calls that Slack would answer with 429."""
    now = 0.0
    slack = SlackRateLimiter(is_on=True, clock=lambda: now)
    found = []
    for arrival in arrivals:
        now = arrival.at
        if slack.take(method, tier, arrival.where):
            found.append(arrival)
    return found


def most_in_a_minute(arrivals: list[Arrival]) -> int:
    """Return the largest number of calls that reached Slack within any minute."""
    times = [arrival.at for arrival in arrivals]
    return max(number - bisect_left(times, at - 60) + 1 for number, at in enumerate(times))


def a_minute(arrivals: list[Arrival]) -> float:
    """Return the number of calls a minute. The first minute, which has the burst, does not count."""
    return sum(arrival.at >= 60 for arrival in arrivals) / (SECONDS - 60) * 60


def askers(count: int, urgencies: tuple[Priority, ...], wheres: tuple[str, ...] = ("",)) -> list[Requester]:
    """Make `count` claimants. They get the priorities `urgencies` and the targets `wheres` by turns."""
    return [
        Requester(0.0, f"list {number}", wheres[number % len(wheres)], urgencies[number % len(urgencies)])
        for number in range(count)
    ]


ANY = (Priority.MENTION, Priority.POST)
TIERS = [
    ("users.info", 4, 100),
    ("conversations.replies", 3, 50),
    ("reactions.remove", 2, 20),
]


@pytest.mark.parametrize(("method", "tier", "allowed"), TIERS)
async def test_a_tier_is_used_and_never_passed(
    real: Connections, method: str, tier: int, allowed: int
) -> None:
    """If twenty claimants call a method all the time, they use at least 95 % of its limit. They never exceed
    the limit."""
    urgencies = (*ANY, Priority.BACKFILL) if method == "conversations.replies" else ANY
    arrivals = await Crowd(Engine(real), method, seed=tier).runs(askers(20, urgencies))

    assert refused(method, tier, arrivals) == []
    assert most_in_a_minute(arrivals) <= allowed
    assert a_minute(arrivals) >= 0.95 * allowed


@pytest.mark.parametrize("seed", range(2))
async def test_a_channel_is_posted_to_once_a_second(real: Connections, seed: int) -> None:
    """If claimants post to two channels all the time, each channel gets 95 % of sixty posts a minute. Slack
    refuses none."""
    arrivals = await Crowd(Engine(real), "chat.postMessage", seed).runs(askers(20, ANY, ("C1", "C2")))

    assert refused("chat.postMessage", 0, arrivals) == []
    for channel in ("C1", "C2"):
        assert a_minute([arrival for arrival in arrivals if arrival.where == channel]) >= 57


async def test_many_channels_share_what_the_workspace_may_post(real: Connections) -> None:
    """If claimants post to thirteen channels all the time, they share three hundred posts a minute. Each
    channel gets some of them."""
    channels = tuple(f"C{number}" for number in range(13))
    arrivals = await Crowd(Engine(real), "chat.postMessage", seed=1).runs(askers(39, ANY, channels))

    assert refused("chat.postMessage", 0, arrivals) == []
    assert a_minute(arrivals) >= 285
    for channel in channels:
        assert a_minute([arrival for arrival in arrivals if arrival.where == channel]) >= 10


async def test_cards_keep_to_their_forty_five(real: Connections) -> None:
    """If sixty cards change all the time, they share 45 edits a minute. Each card is edited."""
    cards = tuple(f"C1:{number}" for number in range(60))
    arrivals = await Crowd(Engine(real), "chat.update", seed=1).runs(askers(60, (Priority.CARD,), cards))

    assert refused("chat.update", 3, arrivals) == []
    assert most_in_a_minute(arrivals) <= 45
    assert a_minute(arrivals) >= 0.95 * 45
    assert len({arrival.where for arrival in arrivals}) == 60


async def test_one_message_that_always_changes_is_edited_once_in_three_seconds(real: Connections) -> None:
    """If one message changes all the time, it is edited once in three seconds. The second edit leaves three
    seconds after the first."""
    crowd = Crowd(Engine(real), "chat.update", seed=1)
    arrivals = await crowd.runs(askers(1, (Priority.LIVE,), ("C1:1.1",)))

    assert 17 <= a_minute(arrivals) <= 20


async def test_one_card_that_always_changes_is_edited_once_in_fifteen_seconds(real: Connections) -> None:
    """If one card changes all the time, it leaves most edits of a minute to other cards."""
    crowd = Crowd(Engine(real), "chat.update", seed=1)
    arrivals = await crowd.runs(askers(1, (Priority.FINAL_CARD,), ("C1:1.1",)))

    assert 4 <= a_minute(arrivals) <= 6
