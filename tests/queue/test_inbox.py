"""Each delivery is claimed once, however often Slack sends it, and never without its batch."""

import asyncio
import os
import signal

import pytest

from taskwire.domain.errors import OutcomeUnknown, TryLater
from taskwire.domain.ids import ChannelId, LinkId, ThreadRef, Ts
from taskwire.domain.queueing.queues import QueueName, to_coder
from taskwire.queue import inbox as claims_of
from taskwire.queue.batch import Batch
from taskwire.queue.inbox import DELIVERY_CLAIM_TTL_MS, PARKED_TTL_MS, Inbox
from taskwire.redis import connection
from taskwire.redis.connection import Connections
from tests.faults.proxy import proxy

from .engine import LIST, Engine, job

THREAD = ThreadRef(ChannelId("C1"), Ts("1.000000"))
HERE = to_coder("@")


@pytest.fixture
def inbox(engine: Engine) -> Inbox:
    """Return an inbox on the store and the clock of `engine`."""
    return Inbox(engine.connections, engine.keys, engine.clock)


async def test_a_delivery_is_claimed_once(engine: Engine, inbox: Inbox) -> None:
    """If Slack sends an event again because our ack did not arrive, the second delivery counts as a
    duplicate."""
    first = await inbox.claim("event", "Ev1", Batch().append(LIST, job("a")))
    await engine.ends(await engine.takes())
    second = await inbox.claim("event", "Ev1", Batch().append(LIST, job("a")))

    assert (first, second) == ("claimed", "duplicate")
    assert await engine.due() == {}


async def test_a_claim_outlives_slacks_last_retry(engine: Engine, inbox: Inbox) -> None:
    """A claim is kept until Slack no longer sends its delivery again. Later the claim expires."""
    await inbox.claim("event", "Ev1", Batch())

    lives = await engine.connections.commands.pttl(engine.keys.named("claim", "event", "Ev1"))
    assert 15 * 60_000 < lives <= DELIVERY_CLAIM_TTL_MS


async def test_of_many_claims_at_once_one_succeeds(inbox: Inbox) -> None:
    """If a mention arrives as two events at the same time, perhaps at two replicas, only one claim of it
    succeeds."""
    batch = Batch().append(LIST, job("a"))

    taken = await asyncio.gather(*(inbox.claim("message", "C1:2.0", batch) for _ in range(8)))

    assert sorted(taken) == ["claimed"] + ["duplicate"] * 7


async def test_a_wrong_batch_leaves_no_claim(engine: Engine, inbox: Inbox) -> None:
    """If a delivery's batch is wrong, nothing is claimed. Otherwise Slack's next delivery would count as a
    duplicate, and the message would be lost."""
    await engine.connections.commands.set("tw:x", "no hash")

    with pytest.raises(TryLater):
        await inbox.claim("event", "Ev1", Batch().append(LIST, job("a")).write("HSET", "tw:x", "a", "b"))

    assert await engine.connections.commands.keys("*claim*") == []
    assert await engine.due() == {}


async def test_a_message_of_no_thread_of_ours_leaves_nothing(engine: Engine, inbox: Inbox) -> None:
    """If a message is in a thread that is not ours, its claim writes nothing."""
    taken = await inbox.claim_in_thread(
        "C1:2.0", THREAD, Batch().append(HERE, job("a"), claimed_in=THREAD), is_ours=False
    )

    assert taken == "not_ours"
    assert await engine.written() == []


async def test_a_message_goes_to_the_link_of_its_thread(engine: Engine, inbox: Inbox) -> None:
    """The batch of a message has `@` in the place of the link's id. The claim replaces `@` by the id of the
    thread's link."""
    await engine.connections.commands.set(engine.keys.named("thread", "C1:1.000000"), "L1")

    taken = await inbox.claim_in_thread(
        "C1:2.0", THREAD, Batch().append(HERE, job("a"), claimed_in=THREAD), is_ours=False
    )

    assert taken == "claimed"
    assert await engine.due() == {"to_coder:L1": 0}


async def test_a_message_before_its_thread_is_known_is_parked(engine: Engine, inbox: Inbox) -> None:
    """A reply to a card can arrive before Slack's answer to our post of the card.

    Such a reply is parked until the thread has a link.
    """
    for name in ("a", "b"):
        batch = Batch().append(HERE, job(name), claimed_in=THREAD)
        assert await inbox.claim_in_thread(f"C1:{name}", THREAD, batch, is_ours=True) == "parked"
    kept = engine.keys.named("parked", "C1:1.000000")
    assert 0 < await engine.connections.commands.pttl(kept) <= PARKED_TTL_MS

    await engine.queues.write(Batch().adopt(kept, LinkId("L1")))

    turn = await engine.takes()
    assert (turn.name, turn.job.id) == ("to_coder:L1", "a")
    await engine.ends(turn)
    assert (await engine.takes()).job.id == "b"
    assert await engine.connections.commands.exists(kept) == 0


async def test_a_wrong_batch_is_refused_before_it_is_parked(engine: Engine, inbox: Inbox) -> None:
    """If the batch of a message is wrong, the claim is refused and nothing is parked. If the mistake were
    found later, nobody could be told of it."""
    wrong = Batch().write("HSET", "tw:x", "a field and no value")

    with pytest.raises(TryLater):
        await inbox.claim_in_thread("C1:2.0", THREAD, wrong, is_ours=True)

    assert await engine.written() == []


async def test_a_lost_answer_is_asked_for_again(real: Connections) -> None:
    """If the answer to a claim is lost, the claim is sent again. The second try recognizes the first one, and
    does not count as a duplicate."""
    engine = Engine(real)
    async with proxy(_url(real)) as network, connection.open(f"redis://127.0.0.1:{network.port}") as through:
        inbox = Inbox(through, engine.keys, engine.clock)
        await inbox.claim("event", "Ev0", Batch())
        network.drop_next_reply()

        taken = await inbox.claim("event", "Ev1", Batch().append(LIST, job("a")))

    assert taken == "claimed"
    assert await engine.due() == {LIST: 0}


async def test_a_lost_answer_to_a_parked_message_is_asked_for_again(real: Connections) -> None:
    """A claim parks a message, but Redis's answer is lost. So the claim is sent again, and the message is
    still parked only once."""
    engine = Engine(real)
    async with proxy(_url(real)) as network, connection.open(f"redis://127.0.0.1:{network.port}") as through:
        inbox = Inbox(through, engine.keys, engine.clock)
        await inbox.claim_in_thread("C1:1.0", THREAD, Batch(), is_ours=False)
        network.drop_next_reply()

        taken = await inbox.claim_in_thread(
            "C1:2.0", THREAD, Batch().append(HERE, job("a"), claimed_in=THREAD), is_ours=True
        )

    assert taken == "parked"
    assert await real.commands.llen(engine.keys.named("parked", "C1:1.000000")) == 1


async def test_a_delivery_that_another_claimed_is_not_ours_after_a_lost_answer(real: Connections) -> None:
    """One replica has claimed a delivery, and another replica claims it too. If Redis's answer to the second
    claim is lost, the claim is repeated and counts as a duplicate."""
    engine = Engine(real)
    async with proxy(_url(real)) as network, connection.open(f"redis://127.0.0.1:{network.port}") as through:
        inbox = Inbox(through, engine.keys, engine.clock)
        await inbox.claim("event", "Ev0", Batch())
        await Inbox(real, engine.keys, engine.clock).claim("event", "Ev1", Batch())
        network.drop_next_reply()

        taken = await inbox.claim("event", "Ev1", Batch().append(LIST, job("a")))

    assert taken == "duplicate"
    assert await engine.due() == {}


async def test_claims_that_begin_together_go_together(real: Connections) -> None:
    """Claims that begin at the same time share one exchange. Each caller gets the answer to its own claim."""
    engine = Engine(real)
    async with proxy(_url(real)) as network, connection.open(f"redis://127.0.0.1:{network.port}") as through:
        inbox = Inbox(through, engine.keys, engine.clock)
        await inbox.claim("event", "Ev0", Batch())
        before = network.requests

        outcomes = await asyncio.gather(
            inbox.claim("event", "Ev1", Batch().append(LIST, job("a"))),
            inbox.claim("event", "Ev2", Batch().write("HSET", "tw:x", "a field and no value")),
            *(inbox.claim("event", "Ev3", Batch().append(LIST, job("b"))) for _ in range(2)),
            return_exceptions=True,
        )

    order = await real.commands.zrange(engine.keys.named("queue", LIST, "order"), 0, -1)
    assert [outcomes[0], outcomes[2], outcomes[3], order] == ["claimed", "claimed", "duplicate", ["a", "b"]]
    assert isinstance(outcomes[1], TryLater)
    assert network.requests == before + 1


async def test_each_call_of_a_failed_exchange_is_tried_again(real: Connections) -> None:
    """If an exchange with several claims fails, each of its claims is tried again."""
    engine = Engine(real)
    async with proxy(_url(real)) as network, connection.open(f"redis://127.0.0.1:{network.port}") as through:
        inbox = Inbox(through, engine.keys, engine.clock)
        await inbox.claim("event", "Ev0", Batch())
        network.drop_next_reply()

        taken = await asyncio.gather(*(inbox.claim("event", f"Ev{number}", Batch()) for number in (1, 2, 3)))

    assert taken == ["claimed"] * 3


async def test_a_store_that_is_not_there_has_certainly_written_nothing(real: Connections) -> None:
    """If Redis cannot be reached, nothing was written, and the error says that the person may try again."""
    engine = Engine(real)
    async with proxy(_url(real)) as network:
        port = network.port
    async with connection.open(f"redis://127.0.0.1:{port}") as gone:
        inbox = Inbox(gone, engine.keys, engine.clock)

        with pytest.raises(TryLater):
            await inbox.claim("event", "Ev1", Batch())


async def test_a_silent_store_may_have_written_it(real: Connections) -> None:
    """If Redis does not answer, the outcome of the claim is unknown. The error then does not tell the person
    to try again."""
    engine = Engine(real)
    async with proxy(_url(real)) as network, connection.open(f"redis://127.0.0.1:{network.port}") as through:
        inbox = Inbox(through, engine.keys, engine.clock)
        await inbox.claim("event", "Ev0", Batch())
        network.freeze()

        with pytest.raises(OutcomeUnknown):
            await inbox.claim("event", "Ev1", Batch().append(LIST, job("a")))


async def test_a_store_of_our_own_that_stands_still_may_have_written_it(embedded_store: Connections) -> None:
    """If the embedded store stops answering on its Unix socket, the outcome of the claim is unknown too."""
    engine = Engine(embedded_store)
    inbox = Inbox(embedded_store, engine.keys, engine.clock)
    await inbox.claim("event", "Ev0", Batch())
    server = int((await embedded_store.commands.info("server"))["process_id"])
    os.kill(server, signal.SIGSTOP)
    try:
        with pytest.raises(OutcomeUnknown):
            await inbox.claim("event", "Ev1", Batch())
    finally:
        os.kill(server, signal.SIGCONT)


async def test_a_refusal_after_a_lost_answer_is_still_not_known(real: Connections) -> None:
    """If the answer to a claim is lost, the claim is sent again. If this second try is refused, the outcome
    of the claim stays unknown."""
    engine = Engine(real)
    async with proxy(_url(real)) as network, connection.open(f"redis://127.0.0.1:{network.port}") as through:
        inbox = Inbox(through, engine.keys, engine.clock)
        await inbox.claim("event", "Ev0", Batch())
        network.drop_next_reply()
        await real.commands.set("tw:x", "no hash")

        with pytest.raises(OutcomeUnknown):
            await inbox.claim("event", "Ev1", Batch().write("HSET", "tw:x", "a", "b"))


def _url(real: Connections) -> str:
    return real.where


async def test_a_claim_that_redis_has_lost_is_made_again(engine: Engine, inbox: Inbox) -> None:
    """If Redis has lost a claim that this process made, the process makes the claim again, with the same job
    id."""
    await inbox.claim("command", "one", Batch().append(LIST, job("a")))
    await engine.connections.commands.flushall()

    lost = [await inbox.repeat_lost_claims(), await inbox.repeat_lost_claims()]

    assert lost == [1, 0]
    assert (await engine.takes()).job_id == "a"


async def test_a_claim_with_a_lost_answer_is_made_again_too(real: Connections) -> None:
    """If the answer to a claim was lost and Redis then loses the claim, the process makes the claim again
    too."""
    engine = Engine(real)
    async with proxy(_url(real)) as network, connection.open(f"redis://127.0.0.1:{network.port}") as through:
        inbox = Inbox(through, engine.keys, engine.clock)
        await inbox.claim("event", "Ev0", Batch())
        network.drop_next_reply()
        await inbox.claim("command", "one", Batch().append(LIST, job("a")))
        await real.commands.flushall()

        lost = [await inbox.repeat_lost_claims(), await inbox.repeat_lost_claims()]

    assert lost == [2, 0]
    assert (await engine.takes()).job_id == "a"


async def test_a_claim_that_redis_has_kept_is_not_made_again(engine: Engine, inbox: Inbox) -> None:
    """If Redis still has a claim of this process, the process does not repeat the claim. The job of the claim
    was written with it and is not written twice."""
    await inbox.claim("command", "one", Batch().append(LIST, job("a")))
    await engine.ends(await engine.takes())

    assert await inbox.repeat_lost_claims() == 0
    assert await engine.due() == {}


async def test_only_the_last_claims_are_remembered(
    engine: Engine, inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process remembers its latest claims, to repeat them if Redis loses them. Earlier claims are forgotten
    when all claims together exceed a limit of size."""
    monkeypatch.setattr(claims_of, "REMEMBERED_BYTES", 1_000)
    for number in range(50):
        await inbox.claim("command", str(number), Batch().append(LIST, job(f"job-{number}")))
    await engine.connections.commands.flushall()

    assert 0 < await inbox.repeat_lost_claims() < 10


async def test_a_search_for_an_unknown_thread_is_queued(engine: Engine, inbox: Inbox) -> None:
    """If a message is in an unknown thread, a search for the thread is queued.

    If the thread gets a link first, the search is removed.
    """
    looking, unknown = QueueName("lost_threads:C1:1.000000"), Batch()
    unknown.append(QueueName("lost_threads:C1:1.000000"), job("find"), score="due", delay_ms=30_000)
    batch = Batch().append(HERE, job("a"), claimed_in=THREAD)
    for name in ("1", "2"):
        await inbox.claim_in_thread(f"C1:{name}", THREAD, batch, is_ours=True, when_parked=unknown)
    looked_for = await engine.due()

    await engine.queues.write(Batch().adopt(engine.keys.named("parked", "C1:1.000000"), LinkId("L1")))

    assert looked_for == {looking: 30.0}
    assert looking not in await engine.due()
