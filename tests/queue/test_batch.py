"""A batch is everything that one call writes. It is written completely or not at all. Some operations of a
batch read the store before they write."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from redis.exceptions import ResponseError

from taskwire.domain.ids import ChannelId, ThreadRef, Ts, UserId
from taskwire.domain.queueing.jobs import REPLY_ID_PREFIX, Job, Reply
from taskwire.domain.queueing.maintenance import ParkedBatch
from taskwire.domain.queueing.queues import LANE_WIDTH, input_score, to_coder
from taskwire.queue.batch import Batch, Command, Word

from .engine import LIST, Engine, job

STEER = to_coder("L1")
THREAD = ThreadRef(ChannelId("C1"), Ts("1.0"))


def reply(ts: str) -> Job:
    """Make the job of a reply with this ts."""
    return Job(id=f"{REPLY_ID_PREFIX}{ts}", work=Reply(person=UserId("U1"), ts=Ts(ts), text=f"said at {ts}"))


async def test_a_job_is_appended_once_by_its_id(engine: Engine) -> None:
    """If a job is appended a second time under the same id, the queue still has one job."""
    await engine.append("a", "a", "b", "a")

    done = []
    for _ in range(2):
        turn = await engine.takes()
        done.append(turn.job.id)
        await engine.ends(turn)

    assert done == ["a", "b"]
    assert await engine.due() == {}


async def test_a_repeated_append_changes_nothing(engine: Engine) -> None:
    """If a job with the same id already waits, an append changes neither its text nor its place nor its
    delay."""
    await engine.queues.write(Batch().append(LIST, job("a", "first"), score=1))
    await engine.queues.write(Batch().append(LIST, job("a", "second"), score=2, delay_ms=5_000))

    assert (await engine.takes()).job == job("a", "first")


async def test_the_newest_job_replaces_the_waiting_one_of_its_id(engine: Engine) -> None:
    """A job is appended with `is_newest` while a job with the same id waits. The new job replaces the text,
    the place and the delay of the waiting job."""
    await engine.queues.write(Batch().append(LIST, job("a", "first"), delay_ms=60_000))
    await engine.queues.write(Batch().append(LIST, job("a", "second"), is_newest=True))

    assert (await engine.takes()).job == job("a", "second")


async def test_a_waiting_job_that_is_redone_keeps_its_place(engine: Engine) -> None:
    """If one more run is requested while a job still waits, no second job is added. One run of the waiting
    job is enough."""
    await engine.append("a", "b")

    await engine.queues.write(Batch().redo(LIST, job("a")).redo(LIST, job("b")))

    assert (await engine.takes()).job == job("a")


async def test_a_running_job_that_is_redone_runs_once_more(engine: Engine) -> None:
    """If one more run is requested while a job runs, the job runs once more. The present run may have read
    old data."""
    await engine.append("a")
    turn = await engine.takes()
    await engine.queues.write(Batch().redo(LIST, job("a")))

    await engine.ends(turn)

    again = await engine.takes()
    await engine.ends(again)
    assert again.job == job("a")
    assert await engine.due() == {}


async def test_a_replaced_job_keeps_the_time_of_its_first_append(engine: Engine) -> None:
    """If a waiting job is replaced, the new job keeps the time at which the first one was appended."""
    await engine.append("a")
    began = engine.clock.now_ms
    engine.passes(30)
    await engine.append("a", is_newest=True)

    assert (await engine.takes()).since_ms == began


async def test_held_replies_come_back_in_their_places(engine: Engine) -> None:
    """If a task is paused, its waiting replies are held. If it is resumed, the held replies come before later
    replies."""
    for ts in ("3.000000", "1.000000", "2.000000", "9.000000"):
        await engine.queues.write(Batch().append(STEER, reply(ts), score=input_score(ts)))
    held = engine.keys.named("held", "L1")
    await engine.queues.write(Batch().hold(STEER, held, REPLY_ID_PREFIX, LANE_WIDTH, input_score("3.000000")))
    left = await engine.takes()
    await engine.queues.complete(left, "retry", Batch())

    await engine.queues.write(Batch().unhold(STEER, held))

    assert left.job.id == "reply:9.000000"
    assert await _carried_out(engine) == [f"reply:{n}.000000" for n in (1, 2, 3, 9)]
    assert await engine.connections.commands.exists(held) == 0


async def test_only_jobs_with_the_prefix_are_held(engine: Engine) -> None:
    """If a task is paused, only its waiting replies are held. An edit that a person asked for stays in the
    queue."""
    await engine.append("edit:1.000000", name=STEER, score=input_score("1.000000"))
    held = engine.keys.named("held", "L1")

    await engine.queues.write(Batch().hold(STEER, held, REPLY_ID_PREFIX, 0, input_score("9.000000")))

    assert (await engine.takes()).job.id == "edit:1.000000"


async def test_a_change_brings_the_next_try_of_an_input_forward(engine: Engine) -> None:
    """If a task changes, its waiting reply becomes due immediately, because the agent may be ready now."""
    await engine.queues.write(Batch().append(STEER, reply("1.000000"), score=1, delay_ms=30_000))

    await engine.queues.write(Batch().hasten_input(STEER))

    assert await engine.due() == {STEER: 0}


@pytest.mark.parametrize("seconds", [61, 3600])
async def test_a_change_does_not_hasten_a_reply_that_waits_for_a_person(engine: Engine, seconds: int) -> None:
    """If a task changes, a reply with a delay of over a minute does not become due earlier. Such a reply
    waits for a person."""
    batch = Batch().append(STEER, reply("1.000000"), score=1, delay_ms=seconds * 1000)
    await engine.queues.write(batch.hasten_input(STEER))

    assert await engine.due() == {STEER: seconds}


async def test_a_reply_that_waits_for_a_person_is_hastened_when_its_task_is_gone(engine: Engine) -> None:
    """If a task is gone, its reply that waits for a person becomes due immediately."""
    batch = Batch().append(STEER, reply("1.000000"), score=1, delay_ms=3_600_000)
    await engine.queues.write(batch.hasten_input(STEER, longest_ms=3_600_000))

    assert await engine.due() == {STEER: 0}


async def test_a_change_does_not_hasten_a_reconciliation(engine: Engine) -> None:
    """If a task changes, a reconciliation (the job that finds out the outcome of an attempt) does not become
    due earlier. The attempt's call could still arrive."""
    await engine.queues.write(Batch().append(STEER, reply("1.000000"), score=1))
    turn = await engine.takes()
    await engine.queues.begin(turn, "note", 15)
    await engine.queues.complete(turn, "unknown", Batch())

    await engine.queues.write(Batch().hasten_input(STEER))

    assert await engine.due() == {STEER: 20}


async def test_text_arrives_as_it_was_written(engine: Engine) -> None:
    """If a batch has texts with patterns, quotes, empty lists, large numbers or other alphabets, they are
    stored unchanged."""
    text = "100% @ %1 %% \\ \"quoted\" '' [] {} \u0000 9007199254740993 1e400 é 漢字 🙂 @N@\nnew line"
    await engine.queues.write(Batch().append(LIST, job("a %1 @", text)))

    turn = await engine.takes()

    assert turn.job == job("a %1 @", text)


async def test_a_batch_of_many_operations_is_written(engine: Engine) -> None:
    """A batch of two thousand jobs is written."""
    batch = Batch()
    for number in range(2_000):
        batch.append(LIST, job(f"job {number}"))

    await engine.queues.write(batch)

    assert await engine.connections.commands.zcard(engine.keys.named("queue", LIST, "order")) == 2_000


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("HSET", ["field"]),
        ("HSET", []),
        ("ZADD", ["no number", "member"]),
        ("ZADD", ["nan", "member"]),
        ("PEXPIRE", ["soon"]),
        ("ZREMRANGEBYRANK", ["0"]),
        ("LTRIM", ["0", "1"]),
        ("SET", ["a", "b"]),
        ("DEL", ["a"]),
        ("FLUSHALL", []),
    ],
)
async def test_a_wrong_operation_writes_nothing(engine: Engine, command: Command, words: list[Word]) -> None:
    """If one operation of a batch is wrong, the operations before it are not written either."""
    batch = Batch().append(LIST, job("a")).write("SET", "tw:x", "1").write(command, "tw:y", *words)

    with pytest.raises(ResponseError, match="not an operation"):
        await engine.queues.write(batch)

    assert await engine.written() == []


@pytest.mark.parametrize(
    "wrong", ["[[1]]", '[["append","to_thread:L1"]]', '{"a":1}x', "", '[["adopt","a",1]]']
)
async def test_a_malformed_batch_writes_nothing(engine: Engine, wrong: str) -> None:
    """If a batch is malformed, for example because another version wrote it, nothing is written."""
    # fakeredis raises the error of its own JSON reader.
    with pytest.raises((ResponseError, ValueError)):
        await engine.run("run(checked(ARGV[3])) return 1", wrong)

    assert await engine.written() == []


async def test_a_key_of_another_type_stops_the_batch_before_its_first_write(engine: Engine) -> None:
    """If a key that a batch writes has the wrong type in Redis, the batch fails. It fails before its first
    write, not halfway."""
    await engine.connections.commands.set("tw:hash", "no hash")
    batch = Batch().append(LIST, job("a")).write_expiring(1_000, "HSET", "tw:hash", "field", "value")

    with pytest.raises(ResponseError, match="not an operation"):
        await engine.queues.write(batch)

    assert await engine.due() == {}


async def test_a_parked_batch_of_a_newer_version_does_not_stop_the_link(engine: Engine) -> None:
    """When a thread gets its link, the parked batches of the thread are written. If this version cannot read
    a batch, it keeps the batch as a job in the place of the message. All other batches are written as
    usual."""
    kept = engine.keys.named("parked", "C1:1.0")
    good, last = (
        Batch().append(to_coder("@"), reply(f"{n}.0"), score=n, claimed_in=THREAD).encoded() for n in (2, 4)
    )
    alien = '[["append","to_coder:@","reply:3.0","3","0","new","{}"],["frobnicate","@"]]'
    await engine.connections.commands.rpush(kept, last, alien, good, "no json")

    await engine.queues.write(Batch().adopt(kept, "L1"))

    jobs = []
    for _ in range(4):
        turn = await engine.takes()
        jobs.append(turn.job.work)
        await engine.ends(turn)
    assert jobs == [
        ParkedBatch(batch="no json"),
        reply("2.0").with_work(claimed_in="C1:1.0").work,
        ParkedBatch(batch=alien),
        reply("4.0").with_work(claimed_in="C1:1.0").work,
    ]
    assert await engine.letters() == []


@pytest.mark.parametrize("link", ["L1", "%1", "a%b%", "@", "task-0%0f"])
async def test_a_links_id_is_only_text(engine: Engine, link: str) -> None:
    """A percent sign is special in Lua patterns. If a link's id has one, the id is still used as plain
    text."""
    kept = engine.keys.named("parked", "C1:1.0")
    batch = Batch().append(to_coder("@"), reply("1.0"), score=1, claimed_in=THREAD)
    await engine.connections.commands.rpush(kept, batch.encoded())

    await engine.queues.write(Batch().adopt(kept, link))

    assert await engine.due() == {to_coder(link): 0}


@settings(deadline=None)
@given(words=st.lists(st.text(alphabet=st.characters(exclude_categories=["Cs"])), min_size=1, max_size=20))
def test_a_batch_reads_as_it_was_written(words: list[str]) -> None:
    """A batch is encoded as JSON. If the JSON is parsed, each operation has the same words as before."""
    batch = Batch()
    for word in words:
        batch.write("SET", word, word)

    assert json.loads(batch.encoded()) == [["SET", word, word] for word in words]


async def _carried_out(engine: Engine) -> list[str]:
    done = []
    while await engine.due():
        turn = await engine.takes()
        done.append(turn.job.id)
        await engine.ends(turn)
    return done
