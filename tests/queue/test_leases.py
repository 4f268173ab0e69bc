"""Leases decide which worker gets which queue and when. Each test shows one rule, and which damage the rule
prevents. An attempt is a call of Slack or Coder that is recorded before it is made, because it must not be
repeated."""

import asyncio

import pytest
from redis.exceptions import ResponseError

from taskwire.domain.queueing.queues import receipts
from taskwire.queue.batch import Batch
from taskwire.queue.leases import LeaseLost, Overtaken, Trouble
from taskwire.redis.connection import Connections

from .engine import LIST, OTHER, Engine, job


async def test_a_queue_is_carried_out_in_its_order(engine: Engine) -> None:
    """The jobs of a queue run first in, first out, one at a time."""
    await engine.append("a", "b", "c")

    done = []
    for _ in range(3):
        turn = await engine.takes()
        done.append(turn.job.id)
        await engine.ends(turn)

    assert done == ["a", "b", "c"]
    assert await engine.due() == {}


async def test_a_leased_queue_is_not_acquired_again(engine: Engine) -> None:
    """While one worker has leased a queue, a second worker does not get this queue."""
    await engine.append("a")
    await engine.takes()

    assert await engine.takes_nothing() == 1.0


async def test_every_lease_has_a_token_of_its_own(engine: Engine) -> None:
    """A token is never used again, so no worker can end another worker's lease."""
    await engine.append("a")
    tokens = set()
    for _ in range(5):
        tokens.add((await engine.takes()).token)
        engine.passes(61)

    assert len(tokens) == 5


async def test_each_lease_without_completion_is_twice_as_long_up_to_a_minute(engine: Engine) -> None:
    """If a lease ends without a completion, the next lease is twice as long, up to a minute."""
    await engine.append("a")
    leases = []
    for _ in range(5):
        turn = await engine.takes()
        leases.append((turn.acquisitions, (await engine.due())[LIST]))
        engine.passes(leases[-1][1])

    assert leases == [(1, 10), (2, 20), (3, 40), (4, 60), (5, 60)]


async def test_a_job_that_was_never_completed_in_ten_leases_is_tried_rarely(engine: Engine) -> None:
    """If ten leases of a job end without a completion, the job may crash its worker. It is then tried only
    every ten minutes."""
    await engine.append("a")
    began_ms = engine.clock.now_ms
    for _ in range(10):
        await engine.takes()
        engine.passes(60)

    turn = await engine.takes()

    assert (await engine.due())[LIST] == 600
    assert (turn.acquisitions, turn.first_acquired_ms) == (11, began_ms)


async def test_a_queue_that_may_crash_its_worker_can_be_skipped(engine: Engine) -> None:
    """If a queue's job may crash its worker, a worker can ask for another queue. The risky queue is then due
    again in a second."""
    await engine.append("a")
    for _ in range(3):
        await engine.takes()
        engine.passes(60)
    await engine.append("b", name=OTHER)

    turn = await engine.queues.acquire(may_be_risky=False)

    assert turn.name == OTHER  # type: ignore[union-attr] # something is due
    assert (await engine.due())[LIST] == 1
    engine.passes(1)
    assert (await engine.takes()).job_id == "a"


async def test_a_failing_queue_stores_since_when(engine: Engine) -> None:
    """If a job fails, its queue stores the time of the first failure until a job succeeds.

    A wait for the rate limiter does not change this time.
    """
    await engine.append("a", "b")
    began_ms = engine.clock.now_ms
    troubles: list[Trouble] = ["failing", "unchanged", "failing", "refused", "none"]
    seen = []
    for trouble in troubles:
        turn = await engine.takes()
        await engine.queues.complete(turn, "retry", Batch(), trouble=trouble)
        engine.passes(60)
        after = await engine.takes()
        seen.append((after.trouble, after.trouble_since_ms - began_ms if after.trouble else 0))
        await engine.queues.complete(after, "retry", Batch(), trouble="unchanged")

    assert seen == [("failing", 0), ("failing", 0), ("failing", 0), ("refused", 180_000), ("", 0)]


async def test_a_due_queue_keeps_its_place_when_a_job_is_appended(engine: Engine) -> None:
    """If a job is appended to a due queue, the queue keeps its place among the due queues."""
    await engine.append("a")
    engine.passes(1)
    await engine.append("b", name=OTHER)
    engine.passes(1)
    await engine.append("c")

    assert await engine.due() == {LIST: -2, OTHER: -1}


async def test_a_released_lease_is_as_if_it_had_not_been(engine: Engine) -> None:
    """If a worker releases its lease, the queue is due again in a second. The lease does not count as a
    failure of the job."""
    await engine.append("a")
    late = await engine.takes()

    await engine.queues.release(late)

    assert await engine.due() == {LIST: 1}
    engine.passes(1)
    turn = await engine.takes()
    assert (turn.acquisitions, turn.first_acquired_ms) == (1, engine.clock.now_ms)
    with pytest.raises(LeaseLost):
        await engine.ends(late)


async def test_a_lease_that_is_released_with_an_attempt_waits_until_that_has_arrived(engine: Engine) -> None:
    """If a worker releases its lease during an attempt, the queue is due when the attempt's call can no
    longer arrive. The next worker then finds out the outcome of the attempt."""
    await engine.append("a")
    turn = await engine.takes()
    await engine.queues.begin(turn, "note", 15)

    await engine.queues.release(turn)

    assert await engine.due() == {LIST: 20}
    engine.passes(20)
    assert (await engine.takes()).intent == "note"


async def test_a_late_release_does_nothing_to_another_lease(engine: Engine) -> None:
    """If another worker has acquired the queue, a late release does not change that worker's lease."""
    await engine.append("a")
    late = await engine.takes()
    engine.passes(10)
    turn = await engine.takes()

    await engine.queues.release(late)

    assert await engine.due() == {LIST: 20}
    await engine.ends(turn)


async def test_a_completion_starts_the_count_of_leases_again(engine: Engine) -> None:
    """A completion resets the count of leases, so only leases in a row without a completion are counted."""
    await engine.append("a", "b")
    await engine.takes()
    engine.passes(10)
    await engine.ends(await engine.takes())

    turn = await engine.takes()

    assert (turn.job.id, turn.acquisitions) == ("b", 1)


async def test_a_worker_whose_queue_another_has_acquired_cannot_begin(engine: Engine) -> None:
    """If another worker has acquired the queue, a worker with an old lease cannot begin an attempt."""
    await engine.append("a")
    late = await engine.takes()
    engine.passes(10)
    await engine.takes()

    with pytest.raises(LeaseLost):
        await engine.queues.begin(late, "note", 15)


async def test_an_expired_lease_still_holds_if_nobody_acquired_the_queue(engine: Engine) -> None:
    """If a lease has expired and no other worker has acquired the queue, the lease is still valid. The token
    decides, not the clock."""
    await engine.append("a")
    late = await engine.takes()
    engine.passes(25)

    await engine.queues.begin(late, "note", 15)

    assert await engine.due() == {LIST: 20}


async def test_a_refused_complete_writes_only_its_compensation(engine: Engine) -> None:
    """If a worker completes a job after losing its lease, the completion is refused and its batch is not
    written. Only its compensation, which removes or reports a second effect, is written."""
    await engine.append("a")
    late = await engine.takes()
    engine.passes(10)
    await engine.takes()

    with pytest.raises(LeaseLost):
        await engine.queues.complete(
            late,
            "done",
            Batch().append(OTHER, job("what follows")),
            compensation=Batch().append(OTHER, job("tidy")),
        )

    assert (await engine.takes()).job.id == "tidy"
    assert await engine.takes_nothing() > 0
    assert (await engine.due())[LIST] == 20


async def test_a_second_complete_changes_nothing(engine: Engine) -> None:
    """If a worker sends a completion twice, the second one finds no token and changes nothing."""
    await engine.append("a", "b")
    turn = await engine.takes()
    await engine.ends(turn)

    with pytest.raises(LeaseLost):
        await engine.ends(turn)

    assert (await engine.takes()).job.id == "b"


async def test_a_complete_removes_its_own_job_and_not_the_head(engine: Engine) -> None:
    """A completion removes the job that has run, even if another job is first in the queue by then."""
    await engine.append("reply", score=10)
    turn = await engine.takes()
    await engine.append("pause", score=1)

    await engine.ends(turn)

    assert (await engine.takes()).job.id == "pause"


async def test_a_complete_writes_what_follows_in_the_same_call(engine: Engine) -> None:
    """A completion removes the job and writes the jobs that follow from it in one call."""
    await engine.append("a")
    turn = await engine.takes()
    await engine.ends(turn, Batch().append(OTHER, job("b")).write("HSET", engine.keys.link("L1"), "x", "1"))

    assert (await engine.takes()).job.id == "b"
    assert await engine.fields(engine.keys.link("L1")) == {"x": "1"}


async def test_a_wrong_batch_leaves_the_lease_as_it_was(engine: Engine) -> None:
    """If the batch of a completion is wrong, the lease stays as it was. Redis cannot roll back, so a batch is
    checked before its first write."""
    await engine.append("a")
    turn = await engine.takes()
    await engine.connections.commands.set(engine.keys.link("L1"), "no hash")
    batch = Batch().append(OTHER, job("b")).write("HSET", engine.keys.link("L1"), "x", "1")

    with pytest.raises(ResponseError, match="not an operation"):
        await engine.ends(turn, batch)

    assert await engine.due() == {LIST: 10}
    await engine.ends(turn)


async def test_begin_pins_the_job_until_its_call_can_no_longer_arrive(engine: Engine) -> None:
    """If a worker dies during an attempt, the attempt's call may still arrive. So the queue is due only after
    the timeout of the call and a margin."""
    await engine.append("a")
    turn = await engine.takes()
    engine.passes(8)

    await engine.queues.begin(turn, "note", 15)

    assert await engine.due() == {LIST: 20}
    engine.passes(20)
    again = await engine.takes()
    assert (again.job.id, again.intent, again.acquisitions) == ("a", "note", 2)


async def test_begin_never_shortens_a_lease(engine: Engine) -> None:
    """If a lease is longer than the attempt that begins in it, the lease keeps its length."""
    await engine.append("a")
    for _ in range(4):
        turn = await engine.takes()
        engine.passes((await engine.due())[LIST])
    turn = await engine.takes()

    await engine.queues.begin(turn, "note", 1)

    assert await engine.due() == {LIST: 60}


async def test_an_attempt_without_a_note_is_an_attempt(engine: Engine) -> None:
    """If an attempt begins with an empty intent record, it still counts as an attempt."""
    await engine.append("a")
    await engine.queues.begin(await engine.takes(), "", 1)
    engine.passes(60)

    assert (await engine.takes()).intent == ""


async def test_begin_is_refused_if_a_job_has_gone_ahead(engine: Engine) -> None:
    """If a pause or another job has gone ahead of a leased job, the leased job cannot begin an attempt."""
    await engine.append("reply", score=10)
    turn = await engine.takes()
    await engine.append("pause", score=1)

    with pytest.raises(Overtaken):
        await engine.queues.begin(turn, "note", 15)

    await engine.queues.complete(turn, "retry", Batch())
    first = await engine.takes()
    assert (first.job.id, first.intent) == ("pause", None)


async def test_a_running_attempt_is_renewed_even_if_a_job_has_gone_ahead(engine: Engine) -> None:
    """If a pause arrives during an attempt, the pause waits until the call has ended. The worker can still
    begin the same attempt again."""
    await engine.append("reply", score=10)
    turn = await engine.takes()
    await engine.queues.begin(turn, "note", 2)
    await engine.append("pause", score=1)
    engine.passes(6)

    await engine.queues.begin(turn, "note", 2, is_again=True)

    engine.passes(7)
    other = await engine.takes()
    assert (other.job_id, other.intent) == ("reply", "note")
    with pytest.raises(LeaseLost):
        await engine.queues.begin(turn, "note", 2, is_again=True)


async def test_begin_is_refused_if_the_job_has_changed(engine: Engine) -> None:
    """If a leased job was changed, the worker cannot begin an attempt. So a reply that its author has edited
    is not sent with the old text."""
    await engine.append("reply", score=10)
    turn = await engine.takes()
    await engine.append("reply", score=10, is_newest=True)

    with pytest.raises(Overtaken):
        await engine.queues.begin(turn, "note", 15)


async def test_begin_is_refused_if_the_job_came_back_under_its_old_id(engine: Engine) -> None:
    """A leased job was removed and appended again. It has a new version, so the old lease is refused."""
    await engine.append("reply", score=10)
    turn = await engine.takes()
    await engine.queues.write(Batch().drop(LIST, "reply").append(LIST, job("reply", "other words"), score=10))

    with pytest.raises(Overtaken):
        await engine.queues.begin(turn, "note", 15)


async def test_a_repeated_attempt_lets_a_pause_go_ahead_too(engine: Engine) -> None:
    """If a pause arrives after an attempt of a reply has begun, the attempt cannot be repeated. The pause
    runs first, even if the attempt had no effect."""
    await engine.append("reply", score=10)
    turn = await engine.takes()
    await engine.queues.begin(turn, "note", 15)
    await engine.append("pause", score=1)
    engine.passes(20)
    again = await engine.takes()

    with pytest.raises(Overtaken):
        await engine.queues.begin(again, "note 2", 15)

    assert again.job.id == "reply"
    await engine.queues.complete(again, "retry", Batch())
    assert (await engine.takes()).job.id == "pause"


async def test_an_unknown_outcome_keeps_the_attempt_pinned(engine: Engine) -> None:
    """If the outcome of an attempt is unknown, its job is first in the queue, even before a pause. The queue
    is due when the attempt's call can no longer arrive. The next worker then finds out the outcome."""
    await engine.append("reply", score=10)
    turn = await engine.takes()
    await engine.queues.begin(turn, "note", 15)
    engine.passes(3)

    await engine.queues.complete(turn, "unknown", Batch(), job=job("reply", "tried once"))
    await engine.append("pause", score=1)

    assert await engine.due() == {LIST: 17}
    engine.passes(17)
    again = await engine.takes()
    assert (again.job.id, again.intent, again.acquisitions) == ("reply", "note", 1)
    assert again.job == job("reply", "tried once")


async def test_a_reconciliation_can_be_delayed(engine: Engine) -> None:
    """If a worker delays the check of an attempt's outcome, the queue is due only after the delay. A job that
    is appended does not make the queue due earlier."""
    await engine.append("a")
    turn = await engine.takes()
    await engine.queues.begin(turn, "note", 15)

    await engine.queues.complete(turn, "unknown", Batch(), delay_ms=90_000)
    await engine.append("b")

    assert await engine.due() == {LIST: 90}


async def test_a_delay_belongs_to_the_job(engine: Engine) -> None:
    """If a job is delayed, the jobs behind it in its queue wait too. No other queue waits."""
    await engine.append("a", "b")
    await engine.append("c", name=OTHER)
    turn = await engine.takes()

    await engine.queues.complete(turn, "retry", Batch(), delay_ms=30_000)

    assert await engine.due() == {LIST: 30, OTHER: 0}


async def test_a_job_that_goes_ahead_of_a_delayed_one_is_due_at_once(engine: Engine) -> None:
    """If a job is appended ahead of a delayed job, the new job is due immediately. The delayed job keeps its
    time."""
    await engine.append("reply", score=10)
    await engine.queues.complete(await engine.takes(), "retry", Batch(), delay_ms=30_000)

    await engine.append("pause", score=1)

    assert await engine.due() == {LIST: 0}
    await engine.ends(await engine.takes())
    assert await engine.due() == {LIST: 30}


async def test_an_append_does_not_make_a_leased_queue_due(engine: Engine) -> None:
    """If a job is appended to a leased queue, the queue does not become due."""
    await engine.append("a")
    await engine.takes()
    engine.passes(4)

    await engine.append("b", score=-1)

    assert await engine.due() == {LIST: 6}


async def test_a_newer_state_survives_the_completion_of_the_older_one(engine: Engine) -> None:
    """If a card changes during an edit, the completion of this edit does not remove the newer job."""
    name = receipts("L1")
    await engine.append("card", name=name, score="due", is_newest=True)
    turn = await engine.takes()
    await engine.append("card", name=name, score="due", is_newest=True)

    await engine.ends(turn)

    assert (await engine.takes()).job.id == "card"


async def test_a_delayed_card_does_not_hold_up_receipts(engine: Engine) -> None:
    """In a receipts queue, a job that is delayed does not delay the jobs behind it."""
    name = receipts("L1")
    await engine.append("card", "receipt", name=name, score="due", is_newest=True)
    turn = await engine.takes()

    await engine.queues.complete(turn, "retry", Batch(), delay_ms=3_000)

    assert (await engine.takes()).job.id == "receipt"


async def test_a_busy_queue_does_not_starve_the_others(engine: Engine) -> None:
    """Queues run in the order in which they became due, so a busy queue does not starve other queues."""
    await engine.append("a", "b", "c")
    engine.passes(0.1)
    await engine.append("d", name=OTHER)
    engine.passes(0.1)

    done = []
    for _ in range(4):
        turn = await engine.takes()
        done.append(turn.job.id)
        engine.passes(0.1)
        await engine.ends(turn)

    assert done == ["a", "d", "b", "c"]


async def test_an_unreadable_job_can_be_completed(engine: Engine) -> None:
    """A job that this version cannot read can be completed. Then the job behind it is the next one."""
    await engine.run("put(ARGV[3], 'new kind', '1', '0', 'new', '{\"id\": \"x\"}') return 1", LIST)
    await engine.append("b", score=2)

    taken = await engine.takes_unreadable()

    assert (taken.job_id, taken.body) == ("new kind", '{"id": "x"}')
    await engine.queues.complete(taken, "done", Batch())
    assert (await engine.takes()).job.id == "b"


async def test_an_attempt_whose_job_is_gone_does_not_block_its_queue(engine: Engine) -> None:
    """If the job of an attempt was dropped, its queue continues without the attempt."""
    await engine.append("a", "b")
    await engine.queues.begin(await engine.takes(), "note", 15)
    await engine.queues.write(Batch().drop(LIST, "a"))
    engine.passes(20)

    turn = await engine.takes()

    assert (turn.job.id, turn.intent) == ("b", None)


async def test_the_record_of_an_empty_queue_expires(engine: Engine) -> None:
    """If a queue is empty, its record expires, unless a job is appended."""
    state = engine.keys.named("queue", LIST, "state")
    await engine.append("a")
    await engine.ends(await engine.takes())
    lives = await engine.connections.commands.pttl(state)
    await engine.append("b")

    assert 0 < lives <= 3_600_000
    assert await engine.connections.commands.pttl(state) == -1


async def test_two_workers_never_acquire_the_same_queue(engine: Engine) -> None:
    """If eight workers acquire leases at the same time, no two of them get the same queue."""
    await engine.append("a")
    await engine.append("b", name=OTHER)

    taken = await asyncio.gather(*(engine.queues.acquire() for _ in range(8)))

    assert sorted(turn.job.id for turn in taken if hasattr(turn, "job")) == ["a", "b"]


async def test_scripts_survive_a_server_that_forgot_them(engine: Engine) -> None:
    """If Redis has forgotten the scripts, after a restart or SCRIPT FLUSH, they are loaded again."""
    await engine.append("a")
    await engine.connections.commands.script_flush()

    assert (await engine.takes()).job.id == "a"


async def test_a_wake_up_wakes_a_waiting_worker(real: Connections) -> None:
    """Each call that makes a queue due wakes a waiting worker. The list of wake-ups stays short."""
    engine = Engine(real)
    waiting = asyncio.create_task(engine.queues.wait(1.9))

    await engine.append(*(f"job {number}" for number in range(100)))

    await waiting
    assert await real.commands.llen(engine.keys.named("wakeups")) <= 64


async def test_without_a_test_clock_the_server_tells_the_time(real: Connections) -> None:
    """Without a test clock, the scripts use Redis's own time, so all replicas have one clock."""
    engine = Engine(real)
    await engine.append("a")
    engine.clock.stamp = lambda: ""  # type: ignore[method-assign] # as production does

    turn = await engine.takes()

    seconds, _ = await real.commands.time()
    assert abs(turn.now_ms / 1000 - seconds) < 60
