"""The priority of jobs decides which queue is acquired first.

First come jobs that mention somebody and requests of people, then other notices, then receipts, then cards.
Every kind gets its turn, however many jobs of other kinds wait.
"""

import pytest

from taskwire import sealing
from taskwire.domain.ids import Ts
from taskwire.domain.lifecycle.events import Notice
from taskwire.domain.masking.secrets import Masker
from taskwire.domain.queueing.display_jobs import FIRST_DRAW_JOB_ID, DrawCard
from taskwire.domain.queueing.jobs import Job, PostNotice, PostText
from taskwire.domain.queueing.queues import (
    QueueName,
    card,
    input_score,
    intake,
    no_agent_score,
    receipts,
    to_coder,
    to_thread,
)
from taskwire.domain.text.message import Message
from taskwire.queue.batch import MENTION_LOOKAHEAD, Batch
from taskwire.queue.leases import Lease, Queues
from taskwire.worker import IGNORE_PRIORITY_EVERY

from .engine import TIMES, Engine, job

CARDS = [card(f"L{number:02}") for number in range(20)]


async def taken(engine: Engine, *, ignores_priority: bool = False) -> QueueName:
    """Acquire a lease, and return the name of its queue. With `ignores_priority`, acquire the queue that has
    been due for longest."""
    lease = await engine.queues.acquire(ignores_priority=ignores_priority)
    assert isinstance(lease, Lease), lease
    return lease.name


async def cards_wait(engine: Engine) -> None:
    """Append a job to each of twenty card queues. They have then been due for a second."""
    for name in CARDS:
        await engine.append("card", name=name, score="due", is_newest=True)
    engine.passes(1)


async def much_is_said(engine: Engine) -> None:
    """Append a notice without a mention to each of twenty threads. They have then been due for a second."""
    for number in range(20):
        await engine.append("notice", name=to_thread(f"N{number:02}"))
    engine.passes(1)


CALLING = Job(id="a", work=PostNotice(notice=Notice(kind="completed", id="a", is_call=True)))
ASKING = Job(id="a", work=PostText(message=Message(text="Send it?"), is_call=True))


@pytest.mark.parametrize("calling", [CALLING, ASKING], ids=["a notice", "a question"])
async def test_a_job_that_mentions_somebody_goes_first(engine: Engine, calling: Job) -> None:
    """If a job mentions somebody, its queue goes first. Jobs before it in the same queue run even earlier, to
    keep the order."""
    await much_is_said(engine)
    await engine.append(*(f"before {number}" for number in range(MENTION_LOOKAHEAD - 1)), name=to_thread("T"))
    await engine.queues.write(Batch().append(to_thread("T"), calling))

    order = []
    for _ in range(MENTION_LOOKAHEAD + 1):
        lease = await engine.takes()
        order.append(lease.job_id)
        await engine.ends(lease)

    assert order == ["before 0", "before 1", "before 2", "a", "notice"]


async def test_a_call_in_which_a_token_is_masked_is_still_a_call(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job whose text mentions somebody keeps its priority if a secret token in the text is masked."""
    token = "xoxb-123456789012-1234567890123-abcDEFghiJKLmnoPQR"
    masker = Masker(own=[token])
    monkeypatch.setattr(sealing, "masked", masker.mask_own_in_json)
    queues = Queues(engine.connections, engine.keys, engine.clock, TIMES, masker.mask_own_in_json)
    asking = Job(id="a", work=PostText(message=Message(text=f"Send {token}?"), is_call=True))
    await much_is_said(engine)

    await queues.write(Batch().append(to_thread("T"), asking))

    lease = await engine.takes()
    assert lease.name == to_thread("T")
    assert lease.job.work == PostText(message=Message(text="Send •••?"), is_call=True)


@pytest.mark.parametrize("ahead", [(intake("U1"), 1), (to_coder("L1"), no_agent_score("1764071000.000100"))])
async def test_a_request_goes_before_notices(engine: Engine, ahead: tuple[QueueName, int]) -> None:
    """If twenty notices are due, a command or a pause that arrives later goes before them."""
    await much_is_said(engine)
    await engine.append("asked", name=ahead[0], score=ahead[1])

    assert await taken(engine) == ahead[0]


async def test_a_reply_that_waits_for_its_agent_has_no_priority(engine: Engine) -> None:
    """A reply that waits for its agent has no priority. Otherwise the replies of ten thousand busy agents
    would delay all other queues."""
    await much_is_said(engine)
    await engine.append("reply:1", name=to_coder("L1"), score=input_score(Ts("1764071000.000100")))

    assert await taken(engine) == to_thread("N00")


async def test_a_persons_text_gives_no_priority(engine: Engine) -> None:
    """Whatever text a person writes, the text cannot give a job priority."""
    await much_is_said(engine)
    await engine.queues.write(Batch().append(to_thread("T"), job("a", '"is_call":true')))

    assert await taken(engine) == to_thread("N00")


async def test_a_new_card_waits_for_no_other_card_and_no_receipt(engine: Engine) -> None:
    """The job that first draws a card goes before other cards and receipts, because it adds the task and the
    buttons. Later edits of a card wait."""
    await cards_wait(engine)
    await engine.append("receipt:1.1", name=receipts("R"), score="due", is_newest=True)
    await engine.append("card", name=card("N"), score="due", is_newest=True)
    await engine.queues.write(Batch().append(card("N"), Job(id=FIRST_DRAW_JOB_ID, work=DrawCard()), score=0))

    lease = await engine.takes()
    await engine.ends(lease)
    later = [await taken(engine), await taken(engine)]

    assert (lease.name, lease.job_id) == (card("N"), FIRST_DRAW_JOB_ID)
    assert later == [receipts("R"), CARDS[0]]


async def test_notices_go_before_receipts_and_receipts_before_cards(engine: Engine) -> None:
    """Notices go before receipts, and receipts before cards, even if the cards were due earlier."""
    await cards_wait(engine)
    await engine.append("receipt:1.1", name=receipts("R"), score="due", is_newest=True)
    await engine.append("notice", name=to_thread("T"))

    assert [await taken(engine) for _ in range(3)] == [to_thread("T"), receipts("R"), CARDS[0]]


async def test_receipts_and_cards_are_served_however_many_notices_wait(engine: Engine) -> None:
    """However many notices wait, one in five acquisitions takes the queue that has been due for longest. So
    receipts and cards get their turn."""
    older, waiting = 10, {receipts("R"), card("C")}
    for number in range(older):
        await engine.append("notice", name=to_thread(f"A{number}"))
    engine.passes(1)
    for name in waiting:
        await engine.append("mark", name=name, score="due", is_newest=True)

    takings = 0
    while waiting and takings < 1_000:
        engine.passes(0.01)
        for beside in "XY":
            await engine.append("notice", name=to_thread(f"{beside}{takings}"))
        takings += 1
        waiting -= {await taken(engine, ignores_priority=takings % IGNORE_PRIORITY_EVERY == 0)}

    assert takings <= IGNORE_PRIORITY_EVERY * (older + 2)


async def test_queues_that_another_version_has_moved_hold_up_no_other(engine: Engine) -> None:
    """A version of Taskwire that does not know priorities has delayed 150 queues. These queues do not hold up
    cards that are due."""
    names = [to_thread(f"T{number}") for number in range(150)]
    for name in names:
        await engine.append("notice", name=name)
    held = {str(name): engine.clock.now_ms + 10_000 for name in names}
    await engine.connections.commands.zadd(engine.keys.named("ready"), held)
    await cards_wait(engine)

    assert [await taken(engine) for _ in range(3)] == CARDS[:3]


async def test_a_queue_that_is_not_due_holds_up_no_other(engine: Engine) -> None:
    """A notice that is not due yet does not go before a card that is due now."""
    await engine.append("notice", name=to_thread("T"), delay_ms=5_000)
    await cards_wait(engine)

    assert await taken(engine) == CARDS[0]


async def test_a_queue_that_another_version_has_moved_is_found(engine: Engine) -> None:
    """A version of Taskwire that does not know priorities has delayed a queue. This version acquires the
    queue when it is due."""
    await cards_wait(engine)
    await engine.append("notice", name=to_thread("T"))
    moved = {str(to_thread("T")): engine.clock.now_ms + 5_000}
    await engine.connections.commands.zadd(engine.keys.named("ready"), moved)
    meanwhile = await taken(engine)
    engine.passes(5)

    assert meanwhile == CARDS[0]
    assert await taken(engine) == to_thread("T")


async def test_nothing_is_left_of_empty_queues(engine: Engine) -> None:
    """Empty queues leave no entry in any index."""
    await engine.append("receipt:1.1", name=receipts("R"), score="due", is_newest=True)
    await engine.append("notice", name=to_thread("T"))
    for _ in range(2):
        await engine.ends(await engine.takes())

    assert await engine.connections.commands.keys("*ready*") == []
