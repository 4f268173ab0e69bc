"""The scripts around links: observations in order, tasks that lists miss, and times that come."""

from datetime import UTC, datetime, timedelta

import pytest

from taskwire.domain.ids import LinkId, TaskId
from taskwire.domain.jobs import ApplyEvent, QueueName
from taskwire.domain.phases import Observation, Report
from taskwire.domain.transitions import LinkState, Observed
from taskwire.queue.batch import Batch
from taskwire.state.links import Links, LinkWrites
from taskwire.state.observations import MOST_LOOKS, Observations, StoredObservation, Sweep

from .engine import NOON_MS, Engine

NOON = datetime.fromtimestamp(NOON_MS / 1000, UTC)
TASK = TaskId("task-1")
TELL = "to_thread:L1"


@pytest.fixture
async def sweeps(engine: Engine) -> Observations:
    """Sweeps over one linked task."""
    await engine.queue.write(Batch().write("HSET", engine.keys.named("links"), TASK, "L1"))
    return Observations(engine.connections, engine.keys, engine.clock)


def seen(message: str, *, build: int = 1, seconds: int = 0) -> StoredObservation:
    """The task as a list shows it, with a report of so many seconds after noon."""
    at = NOON + timedelta(seconds=seconds)
    report = Report(id=message, at=at, state="working", message=message)
    return StoredObservation.of(
        Observation(
            task_id=TASK,
            name="n",
            title="t",
            owner_id="o",
            owner_name="alice",
            status="active",
            build=build,
            created_at=NOON,
            report=report,
        )
    )


async def _told(engine: Engine) -> list[str]:
    """What the tell list would fold in, in order."""
    told = []
    while await engine.due():
        turn = await engine.takes()
        assert isinstance(turn.job.work, ApplyEvent)
        event = turn.job.work.event
        report = event.seen.report if isinstance(event, Observed) else None
        told.append(report.message if report is not None else event.event)
        await engine.ends(turn)
    return told


async def _claim(sweeps: Observations) -> Sweep:
    sweep = await sweeps.claim("service", 20_000)
    assert isinstance(sweep, Sweep)
    return sweep


async def _can_sweep(sweeps: Observations) -> bool:
    return isinstance(await sweeps.claim("service", 20_000), Sweep)


async def test_what_is_newer_is_stored_and_told(engine: Engine, sweeps: Observations) -> None:
    """Each observation that differs is one job."""
    sweep = await _claim(sweeps)

    await sweeps.observe("service", sweep, [seen("a")])
    await sweeps.observe("service", sweep, [seen("a")])
    await sweeps.observe("service", sweep, [seen("b", seconds=1)])

    assert await _told(engine) == ["a", "b"]


async def test_while_nothing_can_be_told_only_the_newest_look_waits(
    engine: Engine, sweeps: Observations
) -> None:
    """A day without Slack is not a look each five seconds; a change of the task's condition is kept."""
    await engine.append("blocked", name=QueueName(TELL))
    sweep = await _claim(sweeps)

    await sweeps.observe("service", sweep, [seen(f"step {number}", seconds=number) for number in range(300)])
    await sweeps.observe("service", sweep, [seen("anew", build=2, seconds=301)])
    await sweeps.observe("service", sweep, [seen("anew and on", build=2, seconds=302)])
    await engine.ends(await engine.takes())

    assert await _told(engine) == ["step 299", "anew and on"]


async def test_what_changes_all_the_time_is_not_kept_without_end(
    engine: Engine, sweeps: Observations
) -> None:
    """Two hundred conditions that nobody was told of are enough."""
    await engine.append("blocked", name=QueueName(TELL))
    sweep = await _claim(sweeps)

    looks = [seen(f"build {number}", build=number, seconds=number) for number in range(MOST_LOOKS + 50)]
    await sweeps.observe("service", sweep, looks)
    await engine.ends(await engine.takes())
    told = await _told(engine)

    assert len(told) == MOST_LOOKS - 1
    assert told[-1] == f"build {MOST_LOOKS + 49}"


async def test_an_answer_asked_for_earlier_is_not_stored_later(engine: Engine, sweeps: Observations) -> None:
    """It would tell old news as new."""
    old = await _claim(sweeps)
    new = await _claim(sweeps)

    assert await sweeps.observe("service", new, [seen("new", seconds=5)])
    assert not await sweeps.observe("service", old, [seen("old")])

    assert await _told(engine) == ["new"]


@pytest.mark.parametrize("older", [seen("old", build=1, seconds=9), seen("old", build=2, seconds=1)])
async def test_an_older_build_or_report_is_none(
    engine: Engine, sweeps: Observations, older: StoredObservation
) -> None:
    """Coder may answer from a replica that lags."""
    sweep = await _claim(sweeps)
    await sweeps.observe("service", sweep, [seen("new", build=2, seconds=5)])

    await sweeps.observe("service", sweep, [older])

    assert await _told(engine) == ["new"]


async def test_a_new_build_may_report_anew(engine: Engine, sweeps: Observations) -> None:
    """Its reports begin again."""
    sweep = await _claim(sweeps)
    await sweeps.observe("service", sweep, [seen("before", build=1, seconds=50)])

    await sweeps.observe("service", sweep, [seen("after", build=2, seconds=10)])

    assert await _told(engine) == ["before", "after"]


async def test_a_task_without_a_link_is_nothing_to_us(engine: Engine, sweeps: Observations) -> None:
    """One list shows all tasks there are."""
    sweep = await _claim(sweeps)
    await engine.queue.write(Batch().write("HDEL", engine.keys.named("links"), TASK))

    await sweeps.observe("service", sweep, [seen("a")])

    assert await engine.due() == {}


async def test_a_task_is_gone_when_two_lists_in_a_row_have_missed_it(sweeps: Observations) -> None:
    """A list that shows it begins the count anew."""
    sweep = await _claim(sweeps)

    assert await sweeps.miss("service", sweep, [TASK]) == []
    await sweeps.observe("service", sweep, [seen("a")])
    assert await sweeps.miss("service", sweep, [TASK]) == []
    assert await sweeps.miss("service", sweep, [TASK]) == [LinkId("L1")]


async def test_what_an_overtaken_list_did_not_show_is_not_gone(sweeps: Observations) -> None:
    """Whoever slept meanwhile hears so, and counts nothing."""
    old = await _claim(sweeps)
    new = await _claim(sweeps)

    assert await sweeps.miss("service", old, [TASK]) is None
    assert await sweeps.miss("service", new, [TASK]) == []


async def test_one_replica_sweeps_at_a_time(engine: Engine, sweeps: Observations) -> None:
    """Until its lease has passed, or it leaves."""
    other = Observations(engine.connections, engine.keys, engine.clock)
    await _claim(sweeps)

    assert not await _can_sweep(other)
    engine.passes(20)
    assert await _can_sweep(other)
    assert not await _can_sweep(sweeps)
    await other.leave("service")
    assert await _can_sweep(sweeps)


async def test_each_sweep_has_a_higher_number(sweeps: Observations) -> None:
    """It must only ever rise."""
    numbers = [(await _claim(sweeps)).number for _ in range(3)]

    assert numbers == sorted(set(numbers))


async def test_a_time_that_has_come_is_told_once(engine: Engine) -> None:
    """And not before."""
    links, writes = Links(engine.connections, engine.keys, engine.clock), LinkWrites(engine.keys)
    await engine.queue.write(writes.state(Batch(), LinkId("L1"), LinkState(), engine.clock.now_ms + 5_000))

    assert await links.come() == 0
    engine.passes(5)
    assert await links.come() == 1
    assert await links.come() == 0

    assert await _told(engine) == ["time_came"]


async def test_many_times_that_came_at_once_come_in_portions(engine: Engine) -> None:
    """A night's worth does not stall the store."""
    links = Links(engine.connections, engine.keys, engine.clock)
    batch = Batch()
    for number in range(250):
        batch.write("ZADD", engine.keys.named("timers"), engine.clock.now_ms, f"L{number}")
    await engine.queue.write(batch)

    assert [await links.come() for _ in range(3)] == [200, 50, 0]
    assert await engine.connections.commands.zcard(engine.keys.named("ready")) == 250
