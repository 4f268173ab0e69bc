"""The number of waiting jobs is limited. Jobs over the limit are rejected, and the person who caused such a
job can be told so."""

import pytest

from taskwire.domain.ids import ChannelId, LinkId, ThreadRef, Ts, UserId
from taskwire.domain.queueing.jobs import REPLY_ID_PREFIX, Job, Reply
from taskwire.domain.queueing.queues import (
    QueueName,
    input_score,
    intake,
    to_coder,
    to_thread,
)
from taskwire.queue.batch import Batch
from taskwire.queue.inbox import (
    MAX_REPLIES_OF_ONE,
    MAX_REPLIES_OF_OTHERS,
    MAX_WAITING_ANSWERS,
    MAX_WAITING_REPLIES,
    MAX_WAITING_REQUESTS,
    REJECTION,
    ClaimResult,
    Inbox,
)
from taskwire.queue.user_limits import STEERER, limit_of_reply
from taskwire.redis.connection import Connections
from taskwire.state.link_writes import MAX_MARKED_REPLIES, LinkWrites

from .engine import Engine, job

THREAD = ThreadRef(ChannelId("C1"), Ts("1.000000"))
HERE = to_coder("@")


@pytest.fixture
def engine(real: Connections) -> Engine:
    """The queues of one workspace, on the real store only."""
    return Engine(real)


@pytest.fixture
def inbox(engine: Engine) -> Inbox:
    """Return an inbox on the store and the clock of `engine`."""
    return Inbox(engine.connections, engine.keys, engine.clock)


async def writes(
    inbox: Inbox, count: int, name: str = REPLY_ID_PREFIX, here: QueueName = HERE
) -> list[ClaimResult]:
    """Claim `count` messages of a thread, one after the other, and return the results.

    Each claim appends a job to the queue `here`. The id of each job is `name` and a number.
    """
    return [
        await inbox.claim_in_thread(
            f"C1:{name}{number}",
            THREAD,
            Batch().append(here, job(f"{name}{number}"), claimed_in=THREAD),
            is_ours=True,
        )
        for number in range(count)
    ]


async def linked(engine: Engine) -> None:
    """Store a link for the thread, so that its messages are not parked."""
    await engine.connections.commands.set(engine.keys.named("thread", "C1:1.000000"), "L1")


async def filled(engine: Engine, count: int) -> None:
    """Append `count` replies, which then wait."""
    batch = Batch()
    for number in range(count):
        batch.append(to_coder("L1"), job(f"{REPLY_ID_PREFIX}old-{number}"))
    await engine.queues.write(batch)


async def waiting(engine: Engine, name: str) -> int:
    """Return how many jobs wait in a queue."""
    return await engine.connections.commands.zcard(engine.keys.named("queue", name, "order"))


async def test_of_a_thousand_replies_two_hundred_are_kept(engine: Engine, inbox: Inbox) -> None:
    """If a thread gets a thousand replies while nothing is sent, 200 are accepted. A rejected reply leaves no
    claim. So the same reply can be claimed again, to tell its author of the rejection."""
    await linked(engine)

    taken = await writes(inbox, 1_000)

    assert taken == ["claimed"] * MAX_WAITING_REPLIES + ["rejected"] * (1_000 - MAX_WAITING_REPLIES)
    assert await waiting(engine, "to_coder:L1") == MAX_WAITING_REPLIES
    assert (
        await engine.connections.commands.exists(engine.keys.named("claim", "message", "C1:reply:999")) == 0
    )


async def test_an_accepted_reply_is_not_rejected_when_slack_retries(engine: Engine, inbox: Inbox) -> None:
    """If Slack sends an accepted reply again, the reply counts as a duplicate. It is not rejected, even if
    too many replies wait by then."""
    await linked(engine)
    await writes(inbox, 1)
    await filled(engine, MAX_WAITING_REPLIES)

    assert await writes(inbox, 2) == ["duplicate", "rejected"]


async def test_accepted_requests_are_not_rejected_after_data_loss(engine: Engine, inbox: Inbox) -> None:
    """If Redis loses accepted replies and commands, the process claims them again. These claims are accepted
    even if too many other jobs wait by then."""
    await linked(engine)
    await writes(inbox, 2)
    await inbox.claim("command", "T1", Batch().append(intake("U1"), job("asked")))
    await engine.connections.commands.flushall()
    await linked(engine)
    await filled(engine, MAX_WAITING_REPLIES)
    for number in range(MAX_WAITING_REQUESTS):
        await engine.append(f"c{number}", name=intake("U1"))

    assert await inbox.repeat_lost_claims() == 3
    assert await waiting(engine, "to_coder:L1") == MAX_WAITING_REPLIES + 2
    assert await waiting(engine, "intake:U1") == MAX_WAITING_REQUESTS + 1


async def test_replies_that_a_pause_holds_count_too(engine: Engine, inbox: Inbox) -> None:
    """Replies that a pause holds count toward the limit of waiting replies."""
    await linked(engine)
    await filled(engine, MAX_WAITING_REPLIES - 1)
    await engine.queues.write(
        Batch().hold(to_coder("L1"), engine.keys.named("held", "L1"), REPLY_ID_PREFIX, 0, MAX_WAITING_REPLIES)
    )

    assert await writes(inbox, 2) == ["claimed", "rejected"]


async def replies_of(inbox: Inbox, person: str, count: int) -> list[ClaimResult]:
    """Claim `count` replies of a person whose rights were checked, and return the results."""
    results: list[ClaimResult] = []
    for number in range(count):
        ts = Ts(f"{number + 1}.{int(person[1:]):06}")
        reply = Job(id=f"{REPLY_ID_PREFIX}{ts}", work=Reply(person=UserId(person), ts=ts, text="go on"))
        batch = Batch().append(HERE, reply, score=input_score(ts), claimed_in=THREAD)
        limit = limit_of_reply(UserId(person), ts, Batch(), Batch())
        results.append(await inbox.claim_in_thread(f"C1:{ts}", THREAD, batch, is_ours=True, user_limit=limit))
    return results


@pytest.mark.parametrize("is_held", [False, True])
async def test_some_places_are_only_for_the_owner(engine: Engine, inbox: Inbox, *, is_held: bool) -> None:
    """One person other than the owner has 100 places, and all of them have 150, also for replies that a pause
    holds. A person who may not steer takes none of these. The owner has the other 50, whatever waits."""
    await linked(engine)
    redis, held = engine.connections.commands, engine.keys.named("held", "L1")
    await redis.hset(engine.keys.link("L1"), "record", '{"owner_slack":"U1"}')
    for person in ("U2", "U3"):
        await redis.set(engine.keys.named("notes", f"{STEERER}:L1:{person}"), "1")
    of_others = MAX_REPLIES_OF_OTHERS - MAX_REPLIES_OF_ONE

    first = await replies_of(inbox, "U2", MAX_REPLIES_OF_ONE + 1)
    if is_held:
        await engine.queues.write(Batch().hold(to_coder("L1"), held, REPLY_ID_PREFIX, 0, 2**53))
    second = await replies_of(inbox, "U3", of_others + 1)
    stranger = await replies_of(inbox, "U4", 1)
    await filled(engine, MAX_WAITING_REPLIES)
    owner = await replies_of(inbox, "U1", MAX_WAITING_REPLIES - MAX_REPLIES_OF_OTHERS + 1)

    assert first == ["claimed"] * MAX_REPLIES_OF_ONE + ["rejected"]
    assert second == ["claimed"] * of_others + ["rejected"]
    assert stranger == ["rejected"]
    assert owner == ["claimed"] * (len(owner) - 1) + ["rejected"]


async def test_a_pause_is_accepted_however_many_replies_wait(engine: Engine, inbox: Inbox) -> None:
    """If too many replies wait, a new reply would be rejected. A pause is still accepted."""
    await linked(engine)
    await filled(engine, MAX_WAITING_REPLIES)

    assert await writes(inbox, 1, name="pause:") == ["claimed"]


async def test_acts_on_waiting_replies_are_accepted_however_many_wait(engine: Engine, inbox: Inbox) -> None:
    """If 400 replies wait in the queue, a pause is still accepted. If a pause then holds these replies, a
    press of one of their buttons is accepted. A new reply is rejected."""
    await linked(engine)
    batch, held = Batch(), engine.keys.named("held", "L1")
    for number in range(2 * MAX_WAITING_REPLIES):
        batch.append(
            to_coder("L1"), job(f"{REPLY_ID_PREFIX}{number}"), score=input_score(Ts(f"{number}.000000"))
        )
    await engine.queues.write(batch)

    waiting_then = await writes(inbox, 1, name="pause:")
    await engine.queues.write(
        Batch().hold(to_coder("L1"), held, REPLY_ID_PREFIX, 0, input_score(Ts("999.000000")))
    )
    held_then = await writes(inbox, 1, name="click:")

    assert (waiting_then, held_then) == (["claimed"], ["claimed"])
    assert await writes(inbox, 1) == ["rejected"]
    assert await engine.connections.commands.hlen(held) == 2 * MAX_WAITING_REPLIES


async def test_of_a_thousand_acts_in_a_thread_two_hundred_and_fifty_are_kept(
    engine: Engine, inbox: Inbox
) -> None:
    """If people ask a thousand times in one thread for a pause while Coder is unreachable, 250 requests are
    accepted. The others are rejected. Edits of earlier replies are still accepted."""
    await linked(engine)

    taken = await writes(inbox, 1_000, name="pause:")

    assert (
        taken.count("claimed")
        == await waiting(engine, "to_coder:L1")
        == MAX_WAITING_REPLIES + MAX_WAITING_REQUESTS
    )
    assert await writes(inbox, 1, name="reply_changed:") == ["claimed"]


async def test_of_a_thousand_questions_in_a_thread_three_hundred_are_kept(
    engine: Engine, inbox: Inbox
) -> None:
    """If people ask a thousand times in one thread for the log while Slack is unreachable, 300 requests are
    accepted. Up to 300 refusals of later requests wait to be posted. Further refusals are dropped."""
    await linked(engine)

    taken = await writes(inbox, 1_000, name="logs:", here=to_thread("@"))
    told = await writes(inbox, 1_000, name=f"{REJECTION}:", here=to_thread("@"))

    assert (taken.count("claimed"), told.count("claimed")) == (MAX_WAITING_ANSWERS, MAX_WAITING_ANSWERS)
    assert await waiting(engine, "to_thread:L1") == 2 * MAX_WAITING_ANSWERS


async def test_the_newest_messages_of_an_unknown_thread_are_kept(engine: Engine, inbox: Inbox) -> None:
    """If a thread never gets a link, its newest 200 messages are kept. Older messages are dropped, because
    the list must not grow for ever."""
    taken = await writes(inbox, MAX_WAITING_REPLIES + 20)

    kept = engine.keys.named("parked", "C1:1.000000")
    assert set(taken) == {"parked"}
    assert await engine.connections.commands.llen(kept) == MAX_WAITING_REPLIES
    await engine.queues.write(Batch().adopt(kept, "L1"))
    assert (await engine.takes()).job_id == "reply:20"


async def test_a_person_may_have_fifty_commands_waiting(inbox: Inbox) -> None:
    """If a person types many commands while Coder is away, 50 of them wait and the others are rejected.
    Commands of other people are still accepted."""
    taken = [
        await inbox.claim("command", f"T{number}", Batch().append(intake("U1"), job(f"c{number}")))
        for number in range(MAX_WAITING_REQUESTS + 2)
    ]

    assert taken == ["claimed"] * MAX_WAITING_REQUESTS + ["rejected"] * 2
    assert await inbox.claim("command", "T-bob", Batch().append(intake("U2"), job("c"))) == "claimed"


async def test_a_thread_of_many_replies_remembers_the_newest(engine: Engine) -> None:
    """The store marks each reply that was delivered. If a thread has very many replies, the store keeps only
    the marks of the newest."""
    key, writes = engine.keys.link("L1", "delivered"), LinkWrites(engine.keys)
    batch = Batch()
    for number in range(2 * MAX_MARKED_REPLIES + 10):
        writes.mark_delivered(batch, LinkId("L1"), Ts(f"{1_764_000_000 + number}.000000"))

    await engine.queues.write(batch)

    kept = sorted(await engine.fields(key))
    assert len(kept) == MAX_MARKED_REPLIES + 10
    assert kept[-1] == f"{1_764_000_000 + 2 * MAX_MARKED_REPLIES + 9}.000000"
