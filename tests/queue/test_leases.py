"""Taking turns: who gets which list when, and what each rule of a turn stands against."""

import asyncio

import pytest
from redis.exceptions import ResponseError

from taskwire.domain.jobs import receipts
from taskwire.queue.batch import Batch
from taskwire.queue.leases import LeaseLost, Overtaken, Trouble
from taskwire.redis.connection import Connections

from .engine import LIST, OTHER, Engine, job


async def test_a_list_is_carried_out_in_its_order(engine: Engine) -> None:
    """First in, first out, one at a time."""
    await engine.append("a", "b", "c")

    done = []
    for _ in range(3):
        turn = await engine.takes()
        done.append(turn.job.id)
        await engine.ends(turn)

    assert done == ["a", "b", "c"]
    assert await engine.due() == {}


async def test_a_list_in_hand_is_not_taken_again(engine: Engine) -> None:
    """A second taker gets another list or nothing."""
    await engine.append("a")
    await engine.takes()

    assert await engine.takes_nothing() == 1.0


async def test_every_taking_has_a_token_of_its_own(engine: Engine) -> None:
    """A token is never used again, so nobody can end somebody else's turn."""
    await engine.append("a")
    tokens = set()
    for _ in range(5):
        tokens.add((await engine.takes()).token)
        engine.passes(61)

    assert len(tokens) == 5


async def test_each_taking_without_an_end_doubles_the_lease_up_to_a_minute(engine: Engine) -> None:
    """What takes longer than its lease to prepare is not chased by itself for ever."""
    await engine.append("a")
    leases = []
    for _ in range(5):
        turn = await engine.takes()
        leases.append((turn.takes, (await engine.due())[LIST]))
        engine.passes(leases[-1][1])

    assert leases == [(1, 10), (2, 20), (3, 40), (4, 60), (5, 60)]


async def test_what_was_taken_ten_times_without_an_end_is_taken_now_and_then(engine: Engine) -> None:
    """If it ends its process, that dies every ten minutes and not every one."""
    await engine.append("a")
    began_ms = engine.clock.now_ms
    for _ in range(10):
        await engine.takes()
        engine.passes(60)

    turn = await engine.takes()

    assert (await engine.due())[LIST] == 600
    assert (turn.takes, turn.first_taken_ms) == (11, began_ms)


async def test_a_list_that_may_end_its_process_can_be_left_for_later(engine: Engine) -> None:
    """For a second; the others go on."""
    await engine.append("a")
    for _ in range(3):
        await engine.takes()
        engine.passes(60)
    await engine.append("b", name=OTHER)

    turn = await engine.queue.acquire(may_be_risky=False)

    assert turn.name == OTHER  # type: ignore[union-attr] # something is due
    assert (await engine.due())[LIST] == 1
    engine.passes(1)
    assert (await engine.takes()).job_id == "a"


async def test_a_list_that_fails_remembers_since_when(engine: Engine) -> None:
    """Until a turn ends well; waiting for a place says nothing either way."""
    await engine.append("a", "b")
    began_ms = engine.clock.now_ms
    troubles: list[Trouble] = ["failing", "same", "failing", "refused", "none"]
    seen = []
    for trouble in troubles:
        turn = await engine.takes()
        await engine.queue.complete(turn, "retry", Batch(), trouble=trouble)
        engine.passes(60)
        after = await engine.takes()
        seen.append((after.trouble, after.trouble_since_ms - began_ms if after.trouble else 0))
        await engine.queue.complete(after, "retry", Batch(), trouble="same")

    assert seen == [("failing", 0), ("failing", 0), ("failing", 0), ("refused", 180_000), ("", 0)]


async def test_what_is_due_keeps_its_place_when_something_is_appended(engine: Engine) -> None:
    """Or a busy list would always stand behind the others."""
    await engine.append("a")
    engine.passes(1)
    await engine.append("b", name=OTHER)
    engine.passes(1)
    await engine.append("c")

    assert await engine.due() == {LIST: -2, OTHER: -1}


async def test_a_turn_that_is_put_back_is_as_if_it_had_not_been(engine: Engine) -> None:
    """Somebody else may take it in a second, and nothing is held against the job."""
    await engine.append("a")
    late = await engine.takes()

    await engine.queue.release(late)

    assert await engine.due() == {LIST: 1}
    engine.passes(1)
    turn = await engine.takes()
    assert (turn.takes, turn.first_taken_ms) == (1, engine.clock.now_ms)
    with pytest.raises(LeaseLost):
        await engine.ends(late)


async def test_a_turn_that_is_put_back_with_an_attempt_waits_until_that_has_landed(engine: Engine) -> None:
    """Then whoever takes it reads back."""
    await engine.append("a")
    turn = await engine.takes()
    await engine.queue.begin(turn, "note", 15)

    await engine.queue.release(turn)

    assert await engine.due() == {LIST: 20}
    engine.passes(20)
    assert (await engine.takes()).attempt == "note"


async def test_a_turn_that_somebody_else_has_is_not_put_back(engine: Engine) -> None:
    """It is theirs."""
    await engine.append("a")
    late = await engine.takes()
    engine.passes(10)
    turn = await engine.takes()

    await engine.queue.release(late)

    assert await engine.due() == {LIST: 20}
    await engine.ends(turn)


async def test_an_end_begins_the_lease_anew(engine: Engine) -> None:
    """Only takings in a row without an end count."""
    await engine.append("a", "b")
    await engine.takes()
    engine.passes(10)
    await engine.ends(await engine.takes())

    turn = await engine.takes()

    assert (turn.job.id, turn.takes) == ("b", 1)


async def test_a_holder_whose_lease_has_passed_cannot_begin(engine: Engine) -> None:
    """Somebody else has the list."""
    await engine.append("a")
    late = await engine.takes()
    engine.passes(10)
    await engine.takes()

    with pytest.raises(LeaseLost):
        await engine.queue.begin(late, "note", 15)


async def test_a_holder_whose_lease_has_passed_still_holds_what_nobody_took(engine: Engine) -> None:
    """The token decides, not the clock."""
    await engine.append("a")
    late = await engine.takes()
    engine.passes(25)

    await engine.queue.begin(late, "note", 15)

    assert await engine.due() == {LIST: 20}


async def test_an_end_that_the_token_refuses_writes_only_its_tidying(engine: Engine) -> None:
    """What a stopped process did too late is looked after; what it learned is not."""
    await engine.append("a")
    late = await engine.takes()
    engine.passes(10)
    await engine.takes()

    with pytest.raises(LeaseLost):
        await engine.queue.complete(
            late,
            "done",
            Batch().append(OTHER, job("what follows")),
            compensation=Batch().append(OTHER, job("tidy")),
        )

    assert (await engine.takes()).job.id == "tidy"
    assert await engine.takes_nothing() > 0
    assert (await engine.due())[LIST] == 20


async def test_a_second_end_changes_nothing(engine: Engine) -> None:
    """An end whose answer was lost may be sent again by a network; it finds its token gone."""
    await engine.append("a", "b")
    turn = await engine.takes()
    await engine.ends(turn)

    with pytest.raises(LeaseLost):
        await engine.ends(turn)

    assert (await engine.takes()).job.id == "b"


async def test_an_end_removes_its_own_job_and_not_the_head(engine: Engine) -> None:
    """Something may have gone ahead meanwhile."""
    await engine.append("reply", score=10)
    turn = await engine.takes()
    await engine.append("pause", score=1)

    await engine.ends(turn)

    assert (await engine.takes()).job.id == "pause"


async def test_an_end_writes_what_follows_in_the_same_call(engine: Engine) -> None:
    """There is no moment in which the job is gone and what follows is not yet there."""
    await engine.append("a")
    turn = await engine.takes()
    await engine.ends(turn, Batch().append(OTHER, job("b")).write("HSET", engine.keys.link("L1"), "x", "1"))

    assert (await engine.takes()).job.id == "b"
    assert await engine.fields(engine.keys.link("L1")) == {"x": "1"}


async def test_a_step_that_cannot_be_written_leaves_the_turn_as_it_was(engine: Engine) -> None:
    """Redis takes nothing back, so a step is looked at before its first word is written."""
    await engine.append("a")
    turn = await engine.takes()
    await engine.connections.commands.set(engine.keys.link("L1"), "no hash")
    batch = Batch().append(OTHER, job("b")).write("HSET", engine.keys.link("L1"), "x", "1")

    with pytest.raises(ResponseError, match="not an operation"):
        await engine.ends(turn, batch)

    assert await engine.due() == {LIST: 10}
    await engine.ends(turn)


async def test_begin_pins_the_job_until_its_call_can_no_longer_land(engine: Engine) -> None:
    """Who dies with an attempt leaves a list that is not due before time-out and margin have passed."""
    await engine.append("a")
    turn = await engine.takes()
    engine.passes(8)

    await engine.queue.begin(turn, "note", 15)

    assert await engine.due() == {LIST: 20}
    engine.passes(20)
    again = await engine.takes()
    assert (again.job.id, again.attempt, again.takes) == ("a", "note", 2)


async def test_begin_never_shortens_a_lease(engine: Engine) -> None:
    """The lease may be longer than the attempt."""
    await engine.append("a")
    for _ in range(4):
        turn = await engine.takes()
        engine.passes((await engine.due())[LIST])
    turn = await engine.takes()

    await engine.queue.begin(turn, "note", 1)

    assert await engine.due() == {LIST: 60}


async def test_an_attempt_without_a_note_is_an_attempt(engine: Engine) -> None:
    """Nothing to remember is not nothing begun."""
    await engine.append("a")
    await engine.queue.begin(await engine.takes(), "", 1)
    engine.passes(60)

    assert (await engine.takes()).attempt == ""


async def test_begin_is_refused_if_something_has_gone_ahead(engine: Engine) -> None:
    """A pause that came while the reply was being prepared is done first."""
    await engine.append("reply", score=10)
    turn = await engine.takes()
    await engine.append("pause", score=1)

    with pytest.raises(Overtaken):
        await engine.queue.begin(turn, "note", 15)

    await engine.queue.complete(turn, "retry", Batch())
    first = await engine.takes()
    assert (first.job.id, first.attempt) == ("pause", None)


async def test_an_attempt_that_goes_on_is_kept_up_whatever_has_gone_ahead(engine: Engine) -> None:
    """Its call is on its way: a pause that comes now waits for it, and only its holder can say so."""
    await engine.append("reply", score=10)
    turn = await engine.takes()
    await engine.queue.begin(turn, "note", 2)
    await engine.append("pause", score=1)
    engine.passes(6)

    await engine.queue.begin(turn, "note", 2, is_again=True)

    engine.passes(7)
    other = await engine.takes()
    assert (other.job_id, other.attempt) == ("reply", "note")
    with pytest.raises(LeaseLost):
        await engine.queue.begin(turn, "note", 2, is_again=True)


async def test_begin_is_refused_if_the_job_has_changed(engine: Engine) -> None:
    """What is sent must not be what its author has corrected since."""
    await engine.append("reply", score=10)
    turn = await engine.takes()
    await engine.append("reply", score=10, is_newest=True)

    with pytest.raises(Overtaken):
        await engine.queue.begin(turn, "note", 15)


async def test_begin_is_refused_if_the_job_came_back_under_its_old_id(engine: Engine) -> None:
    """A version is never given twice."""
    await engine.append("reply", score=10)
    turn = await engine.takes()
    await engine.queue.write(Batch().drop(LIST, "reply").append(LIST, job("reply", "other words"), score=10))

    with pytest.raises(Overtaken):
        await engine.queue.begin(turn, "note", 15)


async def test_a_repeated_attempt_lets_a_pause_go_ahead_too(engine: Engine) -> None:
    """An attempt that was read back and not found is begun anew only if nothing has come before it."""
    await engine.append("reply", score=10)
    turn = await engine.takes()
    await engine.queue.begin(turn, "note", 15)
    await engine.append("pause", score=1)
    engine.passes(20)
    again = await engine.takes()

    with pytest.raises(Overtaken):
        await engine.queue.begin(again, "note 2", 15)

    assert again.job.id == "reply"
    await engine.queue.complete(again, "retry", Batch())
    assert (await engine.takes()).job.id == "pause"


async def test_an_unknown_outcome_keeps_the_attempt_pinned(engine: Engine) -> None:
    """Whoever takes the list next reads back, when the call can no longer land, whatever has gone ahead."""
    await engine.append("reply", score=10)
    turn = await engine.takes()
    await engine.queue.begin(turn, "note", 15)
    engine.passes(3)

    await engine.queue.complete(turn, "unknown", Batch(), job=job("reply", "tried once"))
    await engine.append("pause", score=1)

    assert await engine.due() == {LIST: 17}
    engine.passes(17)
    again = await engine.takes()
    assert (again.job.id, again.attempt, again.takes) == ("reply", "note", 1)
    assert again.job == job("reply", "tried once")


async def test_an_unknown_outcome_may_be_read_back_later_still(engine: Engine) -> None:
    """What cannot be read yet waits, and nothing that is appended moves it."""
    await engine.append("a")
    turn = await engine.takes()
    await engine.queue.begin(turn, "note", 15)

    await engine.queue.complete(turn, "unknown", Batch(), delay_ms=90_000)
    await engine.append("b")

    assert await engine.due() == {LIST: 90}


async def test_a_delay_belongs_to_the_job(engine: Engine) -> None:
    """It delays what stands behind it in its list, and nothing else."""
    await engine.append("a", "b")
    await engine.append("c", name=OTHER)
    turn = await engine.takes()

    await engine.queue.complete(turn, "retry", Batch(), delay_ms=30_000)

    assert await engine.due() == {LIST: 30, OTHER: 0}


async def test_what_goes_ahead_of_a_delayed_job_is_due_at_once(engine: Engine) -> None:
    """And the delayed one keeps its time."""
    await engine.append("reply", score=10)
    await engine.queue.complete(await engine.takes(), "retry", Batch(), delay_ms=30_000)

    await engine.append("pause", score=1)

    assert await engine.due() == {LIST: 0}
    await engine.ends(await engine.takes())
    assert await engine.due() == {LIST: 30}


async def test_while_a_list_is_held_nobody_else_moves_its_time(engine: Engine) -> None:
    """An append to it does not make it due."""
    await engine.append("a")
    await engine.takes()
    engine.passes(4)

    await engine.append("b", score=-1)

    assert await engine.due() == {LIST: 6}


async def test_a_newer_state_survives_the_end_of_the_older_one(engine: Engine) -> None:
    """The card changed while an edit of it was on its way: it is drawn once more."""
    name = receipts("L1")
    await engine.append("card", name=name, score="due", is_newest=True)
    turn = await engine.takes()
    await engine.append("card", name=name, score="due", is_newest=True)

    await engine.ends(turn)

    assert (await engine.takes()).job.id == "card"


async def test_a_delayed_card_does_not_hold_up_receipts(engine: Engine) -> None:
    """In a show list each job has its own time, and the earliest goes first."""
    name = receipts("L1")
    await engine.append("card", "receipt", name=name, score="due", is_newest=True)
    turn = await engine.takes()

    await engine.queue.complete(turn, "retry", Batch(), delay_ms=3_000)

    assert (await engine.takes()).job.id == "receipt"


async def test_a_busy_list_does_not_starve_the_others(engine: Engine) -> None:
    """Lists that are due are taken in the order in which they became so."""
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


async def test_a_job_that_cannot_be_read_is_handed_out_as_that(engine: Engine) -> None:
    """It can be ended like any other, and what stands behind it goes on."""
    await engine.run("put(ARGV[3], 'new kind', '1', '0', 'new', '{\"id\": \"x\"}') return 1", LIST)
    await engine.append("b", score=2)

    taken = await engine.takes_unreadable()

    assert (taken.job_id, taken.body) == ("new kind", '{"id": "x"}')
    await engine.queue.complete(taken, "done", Batch())
    assert (await engine.takes()).job.id == "b"


async def test_an_attempt_whose_job_is_gone_does_not_block_its_list(engine: Engine) -> None:
    """The list goes on without it."""
    await engine.append("a", "b")
    await engine.queue.begin(await engine.takes(), "note", 15)
    await engine.queue.write(Batch().drop(LIST, "a"))
    engine.passes(20)

    turn = await engine.takes()

    assert (turn.job.id, turn.attempt) == ("b", None)


async def test_an_empty_list_leaves_nothing_for_ever(engine: Engine) -> None:
    """Its record gets a time to live, and the next append takes it away."""
    state = engine.keys.named("queue", LIST, "state")
    await engine.append("a")
    await engine.ends(await engine.takes())
    lives = await engine.connections.commands.pttl(state)
    await engine.append("b")

    assert 0 < lives <= 3_600_000
    assert await engine.connections.commands.pttl(state) == -1


async def test_two_takers_never_get_the_same_list(engine: Engine) -> None:
    """However many ask at once."""
    await engine.append("a")
    await engine.append("b", name=OTHER)

    taken = await asyncio.gather(*(engine.queue.acquire() for _ in range(8)))

    assert sorted(turn.job.id for turn in taken if hasattr(turn, "job")) == ["a", "b"]


async def test_scripts_survive_a_server_that_forgot_them(engine: Engine) -> None:
    """As after a restart, or SCRIPT FLUSH."""
    await engine.append("a")
    await engine.connections.commands.script_flush()

    assert (await engine.takes()).job.id == "a"


async def test_a_word_wakes_whoever_waits(real: Connections) -> None:
    """Every call that makes a list due now leaves one, in a list that stays short."""
    engine = Engine(real)
    waiting = asyncio.create_task(engine.queue.wait(1.9))

    await engine.append(*(f"job {number}" for number in range(100)))

    await waiting
    assert await real.commands.llen(engine.keys.named("wakeups")) <= 64


async def test_without_a_clock_of_ours_the_server_tells_the_time(real: Connections) -> None:
    """All replicas share one clock."""
    engine = Engine(real)
    await engine.append("a")
    engine.clock.stamp = lambda: ""  # type: ignore[method-assign] # as production does

    turn = await engine.takes()

    seconds, _ = await real.commands.time()
    assert abs(turn.now_ms / 1000 - seconds) < 60
