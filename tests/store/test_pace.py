"""Pace: one speed for all replicas, the more urgent first, and Slack's own word above it."""

from collections import Counter
from itertools import pairwise

import pytest

from taskwire.model.urgency import Urgency
from taskwire.store.connection import Connections
from taskwire.store.pace import EVERYTHING, GRACE_MS, LET_AHEAD_EACH, PASSED_OVER_MS, Limit, Limits, Pace
from taskwire.telemetry import Metrics

from .engine import Engine

POST, UPDATE = "chat.postMessage", "chat.update"
# A second each, and nothing at once.
ONE_BY_ONE = {POST: Limits(None, each=Limit(1_000, 1)), UPDATE: Limits(Limit(1_000, 1))}


@pytest.fixture
def pace(engine: Engine) -> Pace:
    """A pace on the test's clock, with the limits that are in force."""
    return Pace(engine.connections, engine.keys, engine.clock, Metrics())


@pytest.fixture
def slow(engine: Engine) -> Pace:
    """A pace that is easily reckoned with."""
    return Pace(engine.connections, engine.keys, engine.clock, Metrics(), limits=ONE_BY_ONE)


async def waits(
    pace: Pace, *claimants: str, method: str = POST, where: str = "C1", urgency: Urgency = Urgency.POST
) -> list[float]:
    """For how long each is told to wait who asks one after the other."""
    return [await pace.wait(method, where, urgency, claimant) for claimant in claimants]


async def test_two_come_at_once_and_then_one_a_second(engine: Engine, pace: Pace) -> None:
    """Slack takes short bursts; the hundredth is for clocks that do not run alike."""
    at_once = await waits(pace, "a", "b", "c")
    engine.passes(1.01)
    later = await waits(pace, "c", "d")

    assert at_once == [0, 0, 1.01]
    assert later == [0, 1.01]


async def test_a_call_has_a_place_kept_in_a_channel_that_was_silent(engine: Engine, pace: Pace) -> None:
    """Whatever came first; after it a second is left for messages that travel faster than others."""
    posts = await waits(pace, "a", "b", "c")
    calls = await waits(pace, "d", "e", urgency=Urgency.CALL)
    engine.passes(2.02)
    next_call = await waits(pace, "e", "f", urgency=Urgency.CALL)
    engine.passes(6)
    again = [*await waits(pace, "g", "h"), *await waits(pace, "i", "j", urgency=Urgency.CALL)]

    assert posts == [0, 0, 1.01]
    assert calls == [0, 2.02]
    assert next_call == [0, 1.01]
    assert again == [0, 0, 0, 2.02]


async def test_each_is_told_a_time_of_its_own(engine: Engine, slow: Pace) -> None:
    """So nobody comes in vain, and nobody meets the others."""
    told = await waits(slow, *"abcde")
    came = []
    for claimant in "bcde":
        engine.passes(1)
        came += await waits(slow, claimant)

    assert told == [0, 1, 2, 3, 4]
    assert came == [0, 0, 0, 0]


async def test_who_asks_again_keeps_its_place(engine: Engine, slow: Pace) -> None:
    """However often it asks, and whoever asks between."""
    await waits(slow, *"abc")

    again = await waits(slow, "b", "b", "d", "c", "b")
    engine.passes(0.5)

    assert again == [1, 1, 3, 2, 1]
    assert await waits(slow, "b", "c") == [0.5, 1.5]


async def test_who_leaves_no_claim_pushes_nobody_back(engine: Engine, slow: Pace) -> None:
    """It only has to stand behind the others."""
    await waits(slow, "a")
    nameless = await waits(slow, "", "", "")
    engine.passes(1)

    assert nameless == [1, 1, 1]
    assert await waits(slow, "b") == [0]


async def test_a_call_gets_the_next_place_although_others_asked_before(engine: Engine, slow: Pace) -> None:
    """It would else stand behind twenty of which nobody waits for any."""
    await waits(slow, "first", *(f"post {number}" for number in range(20)))
    told = await waits(slow, "call", urgency=Urgency.CALL)
    engine.passes(1)
    at_its_time = [*await waits(slow, "post 0"), *await waits(slow, "call", urgency=Urgency.CALL)]
    engine.passes(1)

    assert told == [1]
    assert at_its_time == [1, 0]
    assert await waits(slow, "post 0") == [0]


async def test_each_class_goes_before_the_next(engine: Engine, slow: Pace) -> None:
    """Calls, posts, receipts, final cards, other cards, what is read again; whoever asked first."""
    await waits(slow, "first", method=UPDATE)
    for urgency in reversed(Urgency):
        await waits(slow, urgency.name, method=UPDATE, urgency=urgency)

    order = []
    for _ in Urgency:
        engine.passes(1)
        for urgency in reversed(Urgency):
            if await waits(slow, urgency.name, method=UPDATE, urgency=urgency) == [0]:
                order.append(urgency)
                break

    assert order == sorted(Urgency)


async def test_a_claim_becomes_more_urgent_with_what_it_is_for(slow: Pace) -> None:
    """A card whose task ends while it waits goes before the others from then on."""
    await waits(slow, "first", "one", "two", "three", method=UPDATE, urgency=Urgency.CARD)

    told = await waits(slow, "three", method=UPDATE, urgency=Urgency.FINAL_CARD)

    assert told == [1]
    assert await waits(slow, "one", method=UPDATE, urgency=Urgency.CARD) == [2]


async def test_a_claim_ends_if_its_claimant_does_not_come(engine: Engine, slow: Pace) -> None:
    """Its process may have died; nobody waits for it for longer than three seconds."""
    await waits(slow, "first")
    await waits(slow, *(f"dead {number}" for number in range(5)), urgency=Urgency.CALL)
    engine.passes(5)
    meanwhile = await waits(slow, "post")
    engine.passes(GRACE_MS / 1000)

    assert meanwhile[0] > 0
    assert await waits(slow, "post") == [0]


async def test_who_comes_too_late_is_still_the_older(engine: Engine, slow: Pace) -> None:
    """Its process may only have been slow; others had its place meanwhile, and wait behind it now."""
    await waits(slow, "first", "late")
    engine.passes(1 + GRACE_MS / 1000)
    await waits(slow, "b", "c", "d")

    assert await waits(slow, "late") == [1]
    assert await waits(slow, "c", "d") == [2, 3]


async def test_nobody_is_passed_over_for_ever(engine: Engine, slow: Pace) -> None:
    """Of five places one goes to who has waited for a minute, though calls never end."""
    posts = dict.fromkeys((f"post {number}" for number in range(4)), Urgency.POST)
    await waits(slow, "first", *posts)
    waiting, took = posts, []
    for second in range(PASSED_OVER_MS // 1000 + 5 * LET_AHEAD_EACH):
        waiting = waiting | {f"call {second}": Urgency.CALL}
        await waits(slow, f"call {second}", urgency=Urgency.CALL)
        engine.passes(1)
        took += [who for who, urgency in waiting.items() if await slow.wait(POST, "C1", urgency, who) == 0]
        waiting = {who: urgency for who, urgency in waiting.items() if who not in took}

    turns = [number for number, who in enumerate(took) if who in posts]
    assert [who for who in took if who in posts] == list(posts)
    assert turns[0] >= PASSED_OVER_MS // 1000 - 1
    assert [after - before for before, after in pairwise(turns)] == [LET_AHEAD_EACH] * 3


async def test_channels_do_not_wait_for_each_other(slow: Pace) -> None:
    """Slack counts posts by channel."""
    await waits(slow, "a", "b", "c")

    assert await waits(slow, "d", where="C2") == [0]


async def test_all_channels_share_what_the_workspace_may_post(pace: Pace) -> None:
    """Several hundred a minute; a call in any of them goes before the posts in all others."""
    told = [await pace.wait(POST, f"C{number}", Urgency.POST, f"post {number}") for number in range(30)]
    call = await pace.wait(POST, "C99", Urgency.CALL, "call")

    assert told[:20] == [0] * 20
    assert min(told[20:]) > 0
    assert 0 < call <= min(told[20:])


async def test_one_card_is_edited_once_in_three_seconds(engine: Engine, pace: Pace) -> None:
    """Whatever it shows; other cards are not concerned."""
    await waits(pace, "a", method=UPDATE, where="C1:1.1", urgency=Urgency.CARD)

    again = await waits(pace, "a", method=UPDATE, where="C1:1.1", urgency=Urgency.FINAL_CARD)
    other = await waits(pace, "b", method=UPDATE, where="C1:2.2", urgency=Urgency.CARD)
    engine.passes(3)

    assert (again, other) == ([3], [0])
    assert await waits(pace, "a", method=UPDATE, where="C1:1.1", urgency=Urgency.FINAL_CARD) == [0]


async def test_catching_up_takes_half_and_leaves_half(pace: Pace) -> None:
    """Read-backs, for which posts wait, have the other half of conversations.replies."""
    reads = await waits(pace, *[""] * 40, method="conversations.replies", urgency=Urgency.CATCHING_UP)
    read_backs = await waits(pace, *[""] * 5, method="conversations.replies", urgency=Urgency.POST)

    assert reads.count(0) <= 25
    assert read_backs == [0] * 5


async def test_a_429_rests_the_method_for_all_replicas(engine: Engine, pace: Pace) -> None:
    """In every channel, since Slack does not say which limit it was, and for no other method."""
    replica = Pace(engine.connections, engine.keys, engine.clock, Metrics())
    await pace.rest(POST, 30)

    assert await waits(replica, "a", urgency=Urgency.CALL) == [30]
    assert await waits(replica, "b", where="C2") == [30.207]
    assert await waits(replica, "c", method=UPDATE, where="C1:1.1") == [0]
    engine.passes(29.5)
    assert await waits(replica, "a", urgency=Urgency.CALL) == [0.5]
    engine.passes(0.5)
    assert await waits(replica, "b", where="C2") == [0.207]
    assert await waits(replica, "a", urgency=Urgency.CALL) == [0]


async def test_a_429_of_the_whole_app_rests_everything(engine: Engine, pace: Pace) -> None:
    """Also what has no limit of its own."""
    await pace.rest(EVERYTHING, 7)
    methods = (POST, UPDATE, "users.info", "response_url", "a.new.method")

    assert [await pace.wait(method, "C1") for method in methods] == [7] * 5
    engine.passes(7)
    assert [await pace.wait(method, "C1") for method in methods] == [0] * 5


async def test_a_shorter_rest_does_not_end_a_longer_one(pace: Pace) -> None:
    """Two replicas may be told different things."""
    await pace.rest(POST, 30)
    await pace.rest(POST, 1)

    assert await waits(pace, "a") == [30]


async def test_after_a_rest_places_come_one_by_one(engine: Engine, pace: Pace) -> None:
    """Slack has counted more than we have, so there is no burst."""
    await pace.rest(UPDATE, 10)
    engine.passes(10)

    told = [await pace.wait(UPDATE, f"C1:{number}", Urgency.CARD, f"card {number}") for number in range(3)]

    assert told == [0, 1.378, 2.756]


async def test_a_method_without_limit_only_rests(pace: Pace) -> None:
    """Response URLs and uploads: Slack states no limit, but may say that it was too much."""
    free = await waits(pace, *[""] * 200, method="response_url")
    await pace.rest("response_url", 3)

    assert free == [0] * 200
    assert await waits(pace, "a", method="response_url") == [3]
    assert await waits(pace, "a", method="upload") == [0]


async def test_what_nobody_has_listed_has_the_limit_of_most_methods(pace: Pace) -> None:
    """Twenty a minute, ten of them at once."""
    told = await waits(pace, *[""] * 12, method="a.new.method")

    assert told == [0] * 10 + [3.1] * 2


async def test_nothing_of_it_stays(engine: Engine, pace: Pace) -> None:
    """Each key ends by itself."""
    await waits(pace, "a", "b", "c")
    await waits(pace, "a", "b", method=UPDATE, where="C1:1.1")
    await pace.rest(UPDATE, 5)

    redis = engine.connections.commands
    keys = await redis.keys("*")

    assert len(keys) >= 8
    assert {key: await redis.pttl(key) for key in keys if await redis.pttl(key) <= 0} == {}


async def test_asking_is_one_call_of_redis(real: Connections) -> None:
    """However many wait, and it looks at no more of them."""
    engine = Engine(real)
    pace = Pace(real, engine.keys, engine.clock, Metrics())
    few = await _commands(pace, real, "a", "b", "c", "d")
    await waits(pace, *(str(number) for number in range(200)))
    many = await _commands(pace, real, "e", "f", "g", "h")

    assert (few["evalsha"], many["evalsha"]) == (4, 4)
    assert sum(many.values()) <= sum(few.values())


async def _commands(pace: Pace, redis: Connections, *claimants: str) -> Counter[str]:
    """What Redis does while these ask."""
    before = await _counted(redis)
    await waits(pace, *claimants)
    return await _counted(redis) - before


async def _counted(redis: Connections) -> Counter[str]:
    stats = await redis.commands.info("commandstats")
    return Counter({name.removeprefix("cmdstat_"): int(each["calls"]) for name, each in stats.items()})


async def test_waits_are_measured_by_method_and_urgency(engine: Engine) -> None:
    """From the first asking to the place; and each 429 is counted."""
    metrics = Metrics()
    measured = Pace(engine.connections, engine.keys, engine.clock, metrics, limits=ONE_BY_ONE)
    await waits(measured, "a", "b", urgency=Urgency.CALL)
    engine.passes(1)
    await waits(measured, "b", urgency=Urgency.CALL)
    await measured.rest(POST, 5)

    figures = metrics.exposition().decode()
    labels = '{method="chat.postMessage",urgency="call"}'
    assert f"taskwire_limiter_wait_seconds_count{labels} 2.0" in figures
    assert f"taskwire_limiter_wait_seconds_sum{labels} 1.0" in figures
    assert 'taskwire_rate_limited_total{method="chat.postMessage"} 1.0' in figures
