"""All replicas share the rate limits. A place is the right to make one call, and priorities decide which
claimant gets the next place. After a 429, Slack's method is blocked for a while."""

from collections import Counter
from itertools import pairwise

import pytest

from taskwire.queue.rate_limiter import (
    CLAIM_GRACE_MS,
    PLACES_PER_STARVING_CLAIM,
    STARVING_AFTER_MS,
    Limit,
    MethodLimits,
    RateLimiter,
)
from taskwire.redis.connection import Connections
from taskwire.slack.call_priorities import ALL_METHODS, Priority
from taskwire.telemetry import Metrics

from .engine import Engine

POST, UPDATE = "chat.postMessage", "chat.update"
# One call a second, without a burst.
ONE_BY_ONE = {POST: MethodLimits(None, per_target=Limit(1_000, 1)), UPDATE: MethodLimits(Limit(1_000, 1))}


@pytest.fixture
def limiter(engine: Engine) -> RateLimiter:
    """A limiter on the test's clock, with the production limits."""
    return RateLimiter(engine.connections, engine.keys, engine.clock, Metrics())


@pytest.fixture
def slow(engine: Engine) -> RateLimiter:
    """Return a limiter with limits that are easy to calculate."""
    return RateLimiter(engine.connections, engine.keys, engine.clock, Metrics(), limits=ONE_BY_ONE)


async def waits(
    limiter: RateLimiter,
    *claimants: str,
    method: str = POST,
    where: str = "C1",
    priority: Priority = Priority.POST,
) -> list[float]:
    """Let each claimant ask for a place, one after the other. Return for each the seconds until it may call.
    `where` is the call's channel or message."""
    return [await limiter.take_place(method, where, priority, claimant) for claimant in claimants]


async def test_two_come_at_once_and_then_one_a_second(engine: Engine, limiter: RateLimiter) -> None:
    """Two posts to a channel may come at once, then one every 1.01 s. The hundredth of a second allows for
    clocks that differ a little."""
    at_once = await waits(limiter, "a", "b", "c")
    engine.passes(1.01)
    later = await waits(limiter, "c", "d")

    assert at_once == [0, 0, 1.01]
    assert later == [0, 1.01]


async def test_a_mention_uses_the_reserve_of_a_silent_channel(engine: Engine, limiter: RateLimiter) -> None:
    """Two posts have used the burst of a silent channel. A post that mentions somebody still gets a reserved
    place at once. The next post then waits a second longer."""
    posts = await waits(limiter, "a", "b", "c")
    calls = await waits(limiter, "d", "e", priority=Priority.MENTION)
    engine.passes(2.02)
    next_call = await waits(limiter, "e", "f", priority=Priority.MENTION)
    engine.passes(6)
    again = [*await waits(limiter, "g", "h"), *await waits(limiter, "i", "j", priority=Priority.MENTION)]

    assert posts == [0, 0, 1.01]
    assert calls == [0, 2.02]
    assert next_call == [0, 1.01]
    assert again == [0, 0, 0, 2.02]


async def test_each_is_told_a_time_of_its_own(engine: Engine, slow: RateLimiter) -> None:
    """Each claimant that has to wait gets a different time, and gets a place at that time."""
    told = await waits(slow, *"abcde")
    came = []
    for claimant in "bcde":
        engine.passes(1)
        came += await waits(slow, claimant)

    assert told == [0, 1, 2, 3, 4]
    assert came == [0, 0, 0, 0]


async def test_a_claimant_that_asks_again_keeps_its_place(engine: Engine, slow: RateLimiter) -> None:
    """If a claimant asks again, it keeps its place, even if other claimants have asked since its first
    request."""
    await waits(slow, *"abc")

    again = await waits(slow, "b", "b", "d", "c", "b")
    engine.passes(0.5)

    assert again == [1, 1, 3, 2, 1]
    assert await waits(slow, "b", "c") == [0.5, 1.5]


async def test_a_caller_without_a_claim_pushes_nobody_back(engine: Engine, slow: RateLimiter) -> None:
    """If a caller has no name, it is told to wait but gets no claim. It takes no place from claimants that
    ask later."""
    await waits(slow, "a")
    nameless = await waits(slow, "", "", "")
    engine.passes(1)

    assert nameless == [1, 1, 1]
    assert await waits(slow, "b") == [0]


async def test_a_call_gets_the_next_place_although_others_asked_before(
    engine: Engine, slow: RateLimiter
) -> None:
    """If twenty posts that mention nobody wait, a later post that mentions somebody goes before them."""
    await waits(slow, "first", *(f"post {number}" for number in range(20)))
    told = await waits(slow, "call", priority=Priority.MENTION)
    engine.passes(1)
    at_its_time = [*await waits(slow, "post 0"), *await waits(slow, "call", priority=Priority.MENTION)]
    engine.passes(1)

    assert told == [1]
    assert at_its_time == [1, 0]
    assert await waits(slow, "post 0") == [0]


async def test_each_priority_goes_before_the_next(engine: Engine, slow: RateLimiter) -> None:
    """Claims of a higher priority go before claims of a lower priority, in whatever order they were made."""
    await waits(slow, "first", method=UPDATE)
    for priority in reversed(Priority):
        await waits(slow, priority.name, method=UPDATE, priority=priority)

    order = []
    for _ in Priority:
        engine.passes(1)
        for priority in reversed(Priority):
            if await waits(slow, priority.name, method=UPDATE, priority=priority) == [0]:
                order.append(priority)
                break

    assert order == sorted(Priority)


async def test_a_claim_gets_the_new_priority_of_its_caller(slow: RateLimiter) -> None:
    """If a waiting claimant asks again with a new priority, its claim gets this priority. So the card of a
    task that has ended goes before other cards."""
    await waits(slow, "first", "one", "two", "three", method=UPDATE, priority=Priority.CARD)

    told = await waits(slow, "three", method=UPDATE, priority=Priority.FINAL_CARD)

    assert told == [1]
    assert await waits(slow, "one", method=UPDATE, priority=Priority.CARD) == [2]


async def test_a_claim_lapses_if_its_claimant_does_not_ask_again(engine: Engine, slow: RateLimiter) -> None:
    """If a claimant does not ask again, for example because its process is dead, its claim expires. It
    expires three seconds after the time at which it could have called."""
    await waits(slow, "first")
    await waits(slow, *(f"dead {number}" for number in range(5)), priority=Priority.MENTION)
    engine.passes(5)
    meanwhile = await waits(slow, "post")
    engine.passes(CLAIM_GRACE_MS / 1000)

    assert meanwhile[0] > 0
    assert await waits(slow, "post") == [0]


async def test_a_claimant_that_asks_too_late_keeps_the_age_of_its_claim(
    engine: Engine, slow: RateLimiter
) -> None:
    """If a claimant asks again after its claim has expired, it goes before claims that were made after its
    first request."""
    await waits(slow, "first", "late")
    engine.passes(1 + CLAIM_GRACE_MS / 1000)
    await waits(slow, "b", "c", "d")

    assert await waits(slow, "late") == [1]
    assert await waits(slow, "c", "d") == [2, 3]


async def test_no_claim_starves(engine: Engine, slow: RateLimiter) -> None:
    """If posts that mention somebody never stop, a post that has waited for a minute still gets one in five
    places."""
    posts = dict.fromkeys((f"post {number}" for number in range(4)), Priority.POST)
    await waits(slow, "first", *posts)
    waiting, took = posts, []
    for second in range(STARVING_AFTER_MS // 1000 + 5 * PLACES_PER_STARVING_CLAIM):
        waiting = waiting | {f"call {second}": Priority.MENTION}
        await waits(slow, f"call {second}", priority=Priority.MENTION)
        engine.passes(1)
        took += [
            who for who, priority in waiting.items() if await slow.take_place(POST, "C1", priority, who) == 0
        ]
        waiting = {who: priority for who, priority in waiting.items() if who not in took}

    turns = [number for number, who in enumerate(took) if who in posts]
    assert [who for who in took if who in posts] == list(posts)
    assert turns[0] >= STARVING_AFTER_MS // 1000 - 1
    assert [after - before for before, after in pairwise(turns)] == [PLACES_PER_STARVING_CLAIM] * 3


async def test_channels_do_not_wait_for_each_other(slow: RateLimiter) -> None:
    """Each channel has its own limit of posts. Posts to one channel do not make a post to another channel
    wait."""
    await waits(slow, "a", "b", "c")

    assert await waits(slow, "d", where="C2") == [0]


async def test_all_channels_share_what_the_workspace_may_post(limiter: RateLimiter) -> None:
    """If the workspace is at its limit, a post that mentions somebody goes before the waiting posts of all
    channels."""
    told = [
        await limiter.take_place(POST, f"C{number}", Priority.POST, f"post {number}") for number in range(30)
    ]
    call = await limiter.take_place(POST, "C99", Priority.MENTION, "call")

    assert told[:20] == [0] * 20
    assert min(told[20:]) > 0
    assert 0 < call <= min(told[20:])


async def test_one_card_is_edited_once_in_three_seconds(engine: Engine, limiter: RateLimiter) -> None:
    """A card is edited at most once in three seconds. Edits of other cards do not have to wait because of
    it."""
    await waits(limiter, "a", method=UPDATE, where="C1:1.1", priority=Priority.CARD)

    again = await waits(limiter, "a", method=UPDATE, where="C1:1.1", priority=Priority.FINAL_CARD)
    other = await waits(limiter, "b", method=UPDATE, where="C1:2.2", priority=Priority.CARD)
    engine.passes(3)

    assert (again, other) == ([3], [0])
    assert await waits(limiter, "a", method=UPDATE, where="C1:1.1", priority=Priority.FINAL_CARD) == [0]


async def test_a_card_that_changes_without_end_is_edited_once_in_fifteen_seconds(
    engine: Engine, limiter: RateLimiter
) -> None:
    """A task's state changes every three seconds for ten minutes. Then its card has one edit in fifteen
    seconds. An edit that shows that a press was received does not wait for that."""
    edits = []
    for second in range(0, 600, 3):
        if await waits(limiter, "a", method=UPDATE, where="C1:1.1", priority=Priority.CARD) == [0]:
            edits.append(second)
        engine.passes(3)
    press = await waits(limiter, "a", method=UPDATE, where="C1:1.1", priority=Priority.MENTION)
    other = await waits(limiter, "b", method=UPDATE, where="C1:2.2", priority=Priority.CARD)

    assert edits[:20] == list(range(0, 60, 3))
    assert {later - one for one, later in pairwise(edits[-20:])} == {15}
    assert (press, other) == ([0], [0])


async def test_backfill_takes_half_and_leaves_half(limiter: RateLimiter) -> None:
    """Backfill uses at most half of the limit of conversations.replies.

    The other half is for calls that look for posts of unknown outcome.
    """
    reads = await waits(limiter, *[""] * 40, method="conversations.replies", priority=Priority.BACKFILL)
    read_backs = await waits(limiter, *[""] * 5, method="conversations.replies", priority=Priority.POST)

    assert reads.count(0) <= 25
    assert read_backs == [0] * 5


async def test_a_429_rests_the_method_for_all_replicas(engine: Engine, limiter: RateLimiter) -> None:
    """After a 429, the method is blocked in every channel and for all replicas. Slack does not say which
    limit was exceeded.

    Other methods are not blocked.
    """
    replica = RateLimiter(engine.connections, engine.keys, engine.clock, Metrics())
    await limiter.block(POST, 30)

    assert await waits(replica, "a", priority=Priority.MENTION) == [30]
    assert await waits(replica, "b", where="C2") == [30.207]
    assert await waits(replica, "c", method=UPDATE, where="C1:1.1") == [0]
    engine.passes(29.5)
    assert await waits(replica, "a", priority=Priority.MENTION) == [0.5]
    engine.passes(0.5)
    assert await waits(replica, "b", where="C2") == [0.207]
    assert await waits(replica, "a", priority=Priority.MENTION) == [0]


async def test_a_429_of_the_whole_app_rests_everything(engine: Engine, limiter: RateLimiter) -> None:
    """After a 429 for the whole app, all methods are blocked, even those without a limit of their own."""
    await limiter.block(ALL_METHODS, 7)
    methods = (POST, UPDATE, "users.info", "response_url", "a.new.method")

    assert [await limiter.take_place(method, "C1") for method in methods] == [7] * 5
    engine.passes(7)
    assert [await limiter.take_place(method, "C1") for method in methods] == [0] * 5


async def test_a_shorter_rest_does_not_end_a_longer_one(limiter: RateLimiter) -> None:
    """If two replicas get different waiting times from Slack, the longer block counts."""
    await limiter.block(POST, 30)
    await limiter.block(POST, 1)

    assert await waits(limiter, "a") == [30]


async def test_after_a_rest_places_come_one_by_one(engine: Engine, limiter: RateLimiter) -> None:
    """After a block, places come one by one and not in a burst. Slack has counted more calls than the
    limiter."""
    await limiter.block(UPDATE, 10)
    engine.passes(10)

    told = [
        await limiter.take_place(UPDATE, f"C1:{number}", Priority.CARD, f"card {number}")
        for number in range(3)
    ]

    assert told == [0, 1.378, 2.756]


async def test_a_method_without_limit_only_rests(limiter: RateLimiter) -> None:
    """If the limiter has no limit for a method, such as an upload, only a 429 blocks the method."""
    free = await waits(limiter, *[""] * 200, method="response_url")
    await limiter.block("response_url", 3)

    assert free == [0] * 200
    assert await waits(limiter, "a", method="response_url") == [3]
    assert await waits(limiter, "a", method="upload") == [0]


async def test_an_unlisted_method_has_the_limit_of_most_methods(limiter: RateLimiter) -> None:
    """If the limiter does not list a method, it may be called twenty times a minute, ten of them at once."""
    told = await waits(limiter, *[""] * 12, method="a.new.method")

    assert told == [0] * 10 + [3.1] * 2


async def test_every_key_of_the_limiter_expires(engine: Engine, limiter: RateLimiter) -> None:
    """Every key of the limiter has a time to live."""
    await waits(limiter, "a", "b", "c")
    await waits(limiter, "a", "b", method=UPDATE, where="C1:1.1")
    await limiter.block(UPDATE, 5)

    redis = engine.connections.commands
    keys = await redis.keys("*")

    assert len(keys) >= 8
    assert {key: await redis.pttl(key) for key in keys if await redis.pttl(key) <= 0} == {}


async def test_asking_is_one_call_of_redis(real: Connections) -> None:
    """The limiter calls Redis once for each request for a place. The script runs no more commands if two
    hundred claims wait."""
    engine = Engine(real)
    limiter = RateLimiter(real, engine.keys, engine.clock, Metrics())
    few = await _commands(limiter, real, "a", "b", "c", "d")
    await waits(limiter, *(str(number) for number in range(200)))
    many = await _commands(limiter, real, "e", "f", "g", "h")

    assert (few["evalsha"], many["evalsha"]) == (4, 4)
    assert sum(many.values()) <= sum(few.values())


async def _commands(limiter: RateLimiter, redis: Connections, *claimants: str) -> Counter[str]:
    """Count the commands that Redis runs while these claimants ask for places."""
    before = await _counted(redis)
    await waits(limiter, *claimants)
    return await _counted(redis) - before


async def _counted(redis: Connections) -> Counter[str]:
    stats = await redis.commands.info("commandstats")
    return Counter({name.removeprefix("cmdstat_"): int(each["calls"]) for name, each in stats.items()})


async def test_waits_are_measured_by_method_and_priority(engine: Engine) -> None:
    """The metrics show for each method and priority how long callers waited for a place. For each method they
    count the 429s."""
    metrics = Metrics()
    measured = RateLimiter(engine.connections, engine.keys, engine.clock, metrics, limits=ONE_BY_ONE)
    await waits(measured, "a", "b", priority=Priority.MENTION)
    engine.passes(1)
    await waits(measured, "b", priority=Priority.MENTION)
    await measured.block(POST, 5)

    figures = metrics.exposition().decode()
    labels = '{method="chat.postMessage",priority="mention"}'
    assert f"taskwire_limiter_wait_seconds_count{labels} 2.0" in figures
    assert f"taskwire_limiter_wait_seconds_sum{labels} 1.0" in figures
    assert 'taskwire_rate_limited_total{method="chat.postMessage"} 1.0' in figures
