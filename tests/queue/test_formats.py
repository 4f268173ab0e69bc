"""A job that only a newer version of Taskwire can read waits for this newer version, in its place. Other
queues are not delayed."""

import pytest
from redis.exceptions import ResponseError

from taskwire.domain.errors import UserError
from taskwire.domain.queueing.queues import QueueName, to_thread
from taskwire.queue.batch import Batch
from taskwire.queue.fence import FORMAT, OLDEST_COMPATIBLE_FORMAT
from taskwire.queue.formats import Formats, StrandedQueue
from taskwire.queue.leases import DEFER_DELAY_MS, LeaseLost, Queues, UnreadableJob
from taskwire.queue.stats import QueueStats
from taskwire.state.notes import Notes

from .engine import LIST, NOON_MS, OTHER, TIMES, Engine

NEWER = FORMAT + 1
WEEK = 7 * 24 * 3600
NEWER_JOB = '{"id": "n", "work": {"kind": "of a newer version"}}'
PUT = "put(ARGV[3], ARGV[4], ARGV[5], '0', 'new', ARGV[6]) return 1"


pytestmark = pytest.mark.usefixtures("newer")


@pytest.fixture
async def newer(engine: Engine) -> Queues:
    """Return the queues as a process of the next version of Taskwire sees them. The process counts as
    running."""
    queues = Queues(engine.connections, engine.keys, engine.clock, TIMES, own_format=NEWER)
    await queues.formats.record_presence()
    return queues


async def newer_writes(
    engine: Engine, job_id: str = "n", name: QueueName = LIST, score: str = "next"
) -> None:
    """Let a newer version write a job that this version cannot read."""
    await engine.run(PUT, name, job_id, score, NEWER_JOB)


async def leaves(engine: Engine) -> str:
    """Let this version acquire the unreadable job and leave it to a newer version. Return what `Queues.defer`
    returns."""
    return await engine.queues.defer(await engine.takes_unreadable())


async def test_an_unreadable_job_is_left_to_the_newer_version_at_once(engine: Engine, newer: Queues) -> None:
    """If an older version cannot read a job, the version leaves the job and does not get the job again. The
    newer version gets the job immediately."""
    await newer_writes(engine)

    left = await leaves(engine)

    assert left == "deferred"
    assert await engine.takes_nothing() == 1.0
    taken = await newer.acquire()
    assert isinstance(taken, UnreadableJob)
    assert (taken.job_id, taken.acquisitions) == ("n", 1)
    await newer.complete(taken, "done", Batch())
    assert await engine.takes_nothing() == 1.0


async def test_nothing_overtakes_an_unreadable_job(engine: Engine, newer: Queues) -> None:
    """If an older version appends a job behind an unreadable job, the new job waits until the unreadable job
    is done."""
    await newer_writes(engine)
    await leaves(engine)
    await engine.append("behind")
    engine.passes(WEEK - 3600)
    await newer.formats.record_presence()

    assert await engine.takes_nothing() == 1.0
    taken = await newer.acquire()
    assert isinstance(taken, UnreadableJob)
    await newer.complete(taken, "done", Batch())
    assert (await engine.takes()).job.id == "behind"


async def test_unreadable_jobs_keep_no_other_queue_waiting(engine: Engine, newer: Queues) -> None:
    """If 150 queues wait for a newer version, other queues are not delayed."""
    for number in range(150):
        await newer_writes(engine, name=to_thread(f"N{number:03}"))
    for _ in range(150):
        await leaves(engine)
    engine.passes(3_600)
    await newer.formats.record_presence()
    await engine.append("a", name=OTHER)

    assert (await engine.takes()).job.id == "a"
    assert await engine.takes_nothing() == 1.0


async def test_a_pause_goes_ahead_of_an_unreadable_job(engine: Engine, newer: Queues) -> None:
    """If a task is paused, the pause goes ahead of an unreadable job. After the pause, the queue waits for
    the newer version again."""
    await newer_writes(engine, score="5")
    await leaves(engine)

    await engine.append("pause", score=1)
    turn = await engine.takes()
    await engine.ends(turn)

    assert turn.job.id == "pause"
    assert await engine.takes_nothing() == 1.0
    assert isinstance(await newer.acquire(), UnreadableJob)


async def test_a_pause_is_found_after_the_newer_process_has_died(engine: Engine, newer: Queues) -> None:
    """A process of a newer version has leased a queue and dies, and a pause goes ahead in this queue. The
    regular check makes the queue available again, and this version gets the pause."""
    await newer_writes(engine, score="5")
    await leaves(engine)
    await newer.acquire()
    await engine.append("pause", score=1)
    engine.passes(60)

    await engine.queues.formats.list_stranded()

    assert (await engine.takes()).job.id == "pause"


async def test_an_attempt_stays_pinned_while_its_job_waits_for_a_newer_version(
    engine: Engine, newer: Queues
) -> None:
    """If a job with an attempt waits for a newer version, the attempt stays recorded and no other job goes
    ahead. The newer version gets the job when the attempt's call can no longer reach Coder or Slack."""
    await newer_writes(engine, score="5")
    taken = await newer.acquire()
    assert isinstance(taken, UnreadableJob)
    await newer.begin(taken, "note", 2)  # type: ignore[arg-type] # as a version that reads it does
    await newer.complete(taken, "unknown", Batch())
    engine.passes(8)

    left = await leaves(engine)
    await engine.append("pause", score=1)

    assert left == "deferred"
    assert await engine.takes_nothing() == 1.0
    again = await newer.acquire()
    assert again is not None
    assert (again.job_id, await newer.formats.list_stranded()) == ("n", [])  # type: ignore[union-attr] # it is taken


async def test_a_late_complete_after_a_deferral_does_nothing(engine: Engine) -> None:
    """If this version has left a job to a newer version, its lease of the queue has ended. If it then
    completes the job, or leaves the job again, LeaseLost is raised."""
    await newer_writes(engine)
    taken = await engine.takes_unreadable()
    await engine.queues.defer(taken)

    with pytest.raises(LeaseLost):
        await engine.queues.complete(taken, "done", Batch())
    with pytest.raises(LeaseLost):
        await engine.queues.defer(taken)


async def test_a_newer_state_of_an_unreadable_job_can_be_read(engine: Engine) -> None:
    """An older version can replace a job that it cannot read, for example because a card has changed. Then
    the older version can read the new job and runs it."""
    await newer_writes(engine)
    await leaves(engine)

    await engine.append("n", is_newest=True)

    assert (await engine.takes()).job.id == "n"


async def test_without_a_newer_version_a_job_is_tried_each_minute_for_a_week(engine: Engine) -> None:
    """If no newer version is known, this version tries an unreadable job each minute for a week. After the
    week it keeps the lease, and has to complete the job itself."""
    await engine.connections.commands.delete(engine.keys.named("formats"))
    await newer_writes(engine)
    await engine.append("behind")
    found, left = [], await leaves(engine)
    while left != "no newer version":
        found.append((left, (await engine.due())[LIST]))
        engine.passes(DEFER_DELAY_MS / 1000 if len(found) < 3 else WEEK / 4)
        left = await leaves(engine)

    assert found == [("deferred", 60), *[("deferred again", 60)] * (len(found) - 1)]
    assert engine.clock.now_ms - NOON_MS > WEEK * 1000
    # The lease is kept, because its holder still has to complete the job.
    assert (await engine.due())[LIST] == 10


async def test_a_job_that_no_known_version_can_read_is_listed(engine: Engine) -> None:
    """If no known version can read a job, its queue is listed for the operator. It is listed until the job is
    gone or a version that can read the job appears."""
    await engine.connections.commands.delete(engine.keys.named("formats"))
    formats = engine.queues.formats
    await newer_writes(engine)
    await newer_writes(engine, name=OTHER)
    for _ in range(2):
        await leaves(engine)
    engine.passes(600)
    found = await formats.list_stranded(is_read_only=True)

    await engine.queues.write(Batch().drop(OTHER, "n"))
    newer = Queues(engine.connections, engine.keys, engine.clock, TIMES, own_format=NEWER)
    await newer.formats.record_presence()
    left = await leaves(engine)

    week_ms = NOON_MS + WEEK * 1000
    assert sorted(found) == [
        StrandedQueue(LIST, "n", 600_000, week_ms),
        StrandedQueue(OTHER, "n", 600_000, week_ms),
    ]
    assert left == "deferred again"
    assert [(each.name, each.absent_ms) for each in await formats.list_stranded()] == [(LIST, 0)]
    assert await engine.connections.commands.exists(engine.keys.named("unreadable")) == 0


async def test_a_version_that_was_absent_for_a_week_is_not_expected(engine: Engine) -> None:
    """A job waits for a newer version. If the newer version is absent for a week, the regular check gives the
    job to the older version, which has to complete it."""
    await newer_writes(engine)
    await leaves(engine)
    engine.passes(WEEK - 1)
    await engine.queues.formats.list_stranded()
    waits = await engine.queues.acquire()

    engine.passes(2)
    found = await engine.queues.formats.list_stranded()

    assert not isinstance(waits, UnreadableJob)
    assert found == []
    assert await leaves(engine) == "no newer version"


async def test_a_version_that_comes_back_is_expected_again(engine: Engine, newer: Queues) -> None:
    """Each time that a process of the newer version is seen, the week in which it is expected starts
    again."""
    await newer_writes(engine)
    await leaves(engine)
    engine.passes(WEEK - 1)
    await newer.formats.record_presence()
    engine.passes(WEEK - 1)

    (found,) = await engine.queues.formats.list_stranded()

    assert found == StrandedQueue(LIST, "n", (WEEK - 1) * 1000, engine.clock.now_ms + 1000)


async def test_a_middle_version_leaves_the_job_to_the_newest(engine: Engine, newer: Queues) -> None:
    """If there are three versions, the middle version leaves a job of the newest version to the newest
    version."""
    newest = Queues(engine.connections, engine.keys, engine.clock, TIMES, own_format=NEWER + 1)
    await newest.formats.record_presence()
    await newer_writes(engine)
    await leaves(engine)
    taken = await newer.acquire()
    assert isinstance(taken, UnreadableJob)

    await newer.defer(taken)

    assert not isinstance(await newer.acquire(), UnreadableJob)
    assert isinstance(await newest.acquire(), UnreadableJob)


async def test_a_request_goes_before_a_card_that_was_left_to_a_newer_version(
    engine: Engine, newer: Queues
) -> None:
    """If an older version has left a card to a newer version, the newer version still runs a new command
    first."""
    await newer_writes(engine, name=QueueName("card:C"))
    await leaves(engine)
    engine.passes(10)
    await engine.append("asked", name=QueueName("intake:U1"))

    first = await newer.acquire()
    second = await newer.acquire()

    assert (first.job_id, second.job_id) == ("asked", "n")  # type: ignore[union-attr] # there is something


async def test_jobs_that_wait_for_a_newer_version_are_counted(engine: Engine) -> None:
    """Jobs that wait for a newer version are counted in the statistics, and so are the jobs behind them."""
    queue_stats = QueueStats(engine.connections, engine.keys, engine.clock)
    await newer_writes(engine)
    await engine.append("behind")
    await leaves(engine)
    engine.passes(5)

    found = (await queue_stats.read()).by_kind

    assert (found["to_thread"].jobs, found["to_thread"].oldest_seconds) == (2, 5.0)


async def test_a_version_that_would_do_damage_does_not_start(engine: Engine, newer: Queues) -> None:
    """If a newer version forbids older versions on its store, an older version does not start there."""
    redis, key = engine.connections.commands, engine.keys.named("formats")
    await redis.hset(key, str(NEWER), f"{engine.clock.now_ms} {NEWER}")

    with pytest.raises(UserError) as refused:
        await engine.queues.formats.record_presence()

    assert str(refused.value) == (
        f"This Redis is used by a newer Taskwire (its data has format {NEWER}, this one's {FORMAT}). "
        "Start that one, or let this one have a Redis of its own."
    )
    assert str(FORMAT) not in await engine.fields(key)
    await newer.formats.record_presence()


async def test_an_older_process_is_refused_at_its_next_call(engine: Engine) -> None:
    """A newer version forbids older versions on its store while an older process runs. The next call of the
    older process is refused."""
    await engine.append("a")
    turn = await engine.takes()
    notes = Notes(engine.connections, engine.keys)
    redis, formats = engine.connections.commands, engine.keys.named("formats")
    await redis.hset(formats, str(NEWER), f"{engine.clock.now_ms} {NEWER}")
    before = await engine.written()

    for call in (
        lambda: engine.ends(turn),
        lambda: engine.append("b"),
        lambda: engine.queues.acquire(),
        lambda: notes.keep("1", "x"),
        lambda: notes.keep_if_new("y"),
    ):
        with pytest.raises(ResponseError, match="NEWER"):
            await call()

    assert await engine.written() == before


async def test_each_process_notes_its_format(engine: Engine) -> None:
    """Each process stores its format (the version of its data) and the time every few seconds."""
    formats = Formats(engine.connections, engine.keys, engine.clock)
    for _ in range(4):
        await formats.record_presence()
        engine.passes(2)

    assert await engine.fields(engine.keys.named("formats")) == {
        str(FORMAT): f"{NOON_MS + 6_000} {OLDEST_COMPATIBLE_FORMAT}",
        str(NEWER): f"{NOON_MS} {OLDEST_COMPATIBLE_FORMAT}",
    }
