"""One person may make at most ten requests in any minute, in any order and on any replica."""

import asyncio

import pytest

from taskwire.domain.errors import TryLater
from taskwire.domain.ids import ChannelId, ThreadRef, Ts, UserId
from taskwire.domain.queueing.queues import thread_answers
from taskwire.queue.batch import Batch
from taskwire.queue.inbox import ClaimResult, Inbox
from taskwire.queue.user_limits import UserLimit

from .engine import Engine, job

THREAD = ThreadRef(ChannelId("C1"), Ts("1000.000000"))
BEGIN = 1_700_000_000


@pytest.fixture
def inbox(engine: Engine) -> Inbox:
    """Return an inbox on the store and the clock of `engine`."""
    return Inbox(engine.connections, engine.keys, engine.clock)


async def asks(inbox: Inbox, second: float, *, is_ours: bool = True) -> ClaimResult:
    """Let one person make a request in a thread at this second. Return the result of its claim.

    `is_ours` says whether the thread is known to be ours.
    """
    ts = Ts(f"{BEGIN + second:.6f}")
    when_told, when_limited = (
        Batch().append(thread_answers("@", "U1"), job(f"told:{ts}"), claimed_in=THREAD),
        Batch(),
    )
    user_limit = UserLimit(UserId("U1"), "ask", ts, 10, when_told=when_told, when_limited=when_limited)
    batch = Batch().append(thread_answers("@", "U1"), job(f"asked:{ts}"), claimed_in=THREAD)
    return await inbox.claim_in_thread(f"C1:{ts}", THREAD, batch, is_ours=is_ours, user_limit=user_limit)


async def presses(inbox: Inbox, number: int, link: str) -> ClaimResult:
    """Let one person press button number `number`, which names this link. Return the result of its claim."""
    ts = Ts(f"{BEGIN + number}.000000")
    user_limit = UserLimit(UserId("U1"), "ask", ts, 10, link)
    return await inbox.claim("click", f"{ts}:U1", Batch(), user_limit)


async def linked(engine: Engine) -> None:
    """Store a link for the thread."""
    await engine.connections.commands.set(engine.keys.named("thread", "C1:1000.000000"), "L1")


ORDERS = {
    "oldest first": list(range(15)),
    "newest first": list(range(15))[::-1],
    "shuffled": [7, 2, 11, 0, 14, 5, 9, 1, 13, 4, 10, 3, 12, 6, 8],
}


@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS)
async def test_ten_of_fifteen_are_done_in_any_order(engine: Engine, inbox: Inbox, order: list[int]) -> None:
    """If a person makes fifteen requests in a minute, ten are done, in whatever order they arrive. The
    eleventh is answered with a notice of the limit. The other four write no job."""
    await linked(engine)

    taken = [await asks(inbox, number / 2) for number in order]

    assert taken == ["claimed"] * 10 + ["limit_told"] + ["limited"] * 4
    names = await engine.connections.commands.zrange(
        engine.keys.named("queue", "thread_answers.U1:L1", "order"), 0, -1
    )
    assert len(names) == 11


@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS)
async def test_requests_within_the_limit_are_never_refused(
    engine: Engine, inbox: Inbox, order: list[int]
) -> None:
    """If a person makes ten requests a minute, all are done, even if backfill finds all of them at once."""
    await linked(engine)

    taken = [await asks(inbox, number * 6) for number in order]

    assert taken == ["claimed"] * 15


async def test_all_replicas_count_together(engine: Engine, inbox: Inbox) -> None:
    """If several replicas claim one person's deliveries, each delivery is counted once and all are counted
    together."""
    await linked(engine)
    other = Inbox(engine.connections, engine.keys, engine.clock)

    taken = await asyncio.gather(*(asks(each, number / 2) for number in range(15) for each in (inbox, other)))

    assert sorted(taken) == ["claimed"] * 10 + ["duplicate"] * 15 + ["limit_told"] + ["limited"] * 4


async def test_a_refused_request_stays_refused_when_slack_retries(engine: Engine, inbox: Inbox) -> None:
    """If a request over the limit is sent again by Slack after the minute, it stays refused."""
    await linked(engine)
    for number in range(12):
        await asks(inbox, number)

    engine.passes(90)

    assert [await asks(inbox, number) for number in (10, 11)] == ["duplicate", "duplicate"]
    assert await asks(inbox, 90) == "claimed"


async def test_links_that_are_made_up_count_together(engine: Engine, inbox: Inbox) -> None:
    """Requests for links that do not exist are counted together. Requests for each real link are counted
    separately."""
    await engine.connections.commands.hset(engine.keys.link("L1"), "record", "{}")

    made_up = [await presses(inbox, number, f"x{number}") for number in range(12)]
    real = [await presses(inbox, 20 + number, "L1") for number in range(12)]

    assert made_up == real == ["claimed"] * 10 + ["limit_told", "limited"]


async def test_a_thread_that_is_not_known_yet_is_counted_too(engine: Engine, inbox: Inbox) -> None:
    """If fifteen requests come in a thread that has no link yet, all are parked and counted. When the thread
    gets its link, ten of them are done."""
    for number in range(15):
        assert await asks(inbox, number) == "parked"

    batch = Batch().adopt(engine.keys.named("parked", "C1:1000.000000"), "L1")
    await engine.queues.write(batch)

    names = await engine.connections.commands.zrange(
        engine.keys.named("queue", "thread_answers.U1:L1", "order"), 0, -1
    )
    assert len(names) == 11


@pytest.mark.parametrize("bad", ["when_told", "when_limited"])
@pytest.mark.parametrize("comes", ["by a button", "in a thread"])
async def test_a_limit_with_a_wrong_batch_writes_nothing(
    engine: Engine, inbox: Inbox, bad: str, comes: str
) -> None:
    """A claim with a limit has two more batches, which are written if the request is over the limit. If one
    of them is wrong, nothing is written and nothing is counted."""
    await linked(engine)
    redis, ts = engine.connections.commands, Ts(f"{BEGIN}.000000")
    batch, wrong = Batch(), Batch().write("ZADD", engine.keys.named("x"), "no number", "x")
    when_told, when_limited = (wrong, batch) if bad == "when_told" else (batch, wrong)
    user_limit = UserLimit(UserId("U1"), "ask", ts, 0, when_told=when_told, when_limited=when_limited)
    if comes == "in a thread":
        taking = inbox.claim_in_thread(f"C1:{ts}", THREAD, batch, is_ours=True, user_limit=user_limit)
    else:
        taking = inbox.claim("click", f"{ts}:U1", batch, user_limit)

    with pytest.raises(TryLater, match="not an operation: ZADD"):
        await taking

    kinds = ("notes", "claim", "parked", "queue", "x")
    assert not [key for kind in kinds async for key in redis.scan_iter(engine.keys.named(kind) + "*")]


async def test_all_counts_expire(engine: Engine, inbox: Inbox) -> None:
    """All counters expire within ten minutes."""
    await linked(engine)
    for number in range(12):
        await asks(inbox, number)

    redis = engine.connections.commands
    counted = [key async for key in redis.scan_iter(engine.keys.named("notes", "*"))]
    assert len(counted) == 2
    assert all([0 < await redis.pttl(key) <= 600_000 for key in counted])
