"""The Lua scripts of links and polls: observations in order, tasks that polls miss, and timers that are
due."""

from datetime import UTC, datetime, timedelta

import pytest

from taskwire.domain.ids import LinkId, TaskId
from taskwire.domain.lifecycle.events import Observed
from taskwire.domain.lifecycle.link_state import LinkState
from taskwire.domain.lifecycle.phases import Observation, Report
from taskwire.domain.queueing.jobs import ApplyEvent
from taskwire.domain.queueing.queues import QueueName
from taskwire.queue.batch import Batch
from taskwire.state.link_writes import LinkWrites
from taskwire.state.links import Links
from taskwire.state.observations import MAX_WAITING_OBSERVATIONS, Observations, Poll, StoredObservation
from tests.queue.engine import NOON_MS, Engine

NOON = datetime.fromtimestamp(NOON_MS / 1000, UTC)
TASK, LINK = TaskId("task-1"), LinkId("L1")
TELL = "to_thread:L1"


@pytest.fixture
async def polls(engine: Engine) -> Observations:
    """Return the polls of an account with one linked task."""
    await engine.queues.write(Batch().write("HSET", engine.keys.named("links"), TASK, "L1"))
    return Observations(engine.connections, engine.keys, engine.clock)


def seen(message: str, *, build: int = 1, seconds: int = 0) -> StoredObservation:
    """Return what a poll has seen of the task: its latest report is `message`, and its build is `build`. The
    report's time is `seconds` after noon."""
    at = NOON + timedelta(seconds=seconds)
    report = Report(id=message, at=at, state="working", message=message)
    return StoredObservation.of(
        LINK,
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
        ),
    )


async def _told(engine: Engine) -> list[str]:
    """Complete all due jobs. Return one text for each job: the report of an observation, or else the event's
    name."""
    told = []
    while await engine.due():
        turn = await engine.takes()
        assert isinstance(turn.job.work, ApplyEvent)
        event = turn.job.work.event
        report = event.observation.report if isinstance(event, Observed) else None
        told.append(report.message if report is not None else event.event)
        await engine.ends(turn)
    return told


async def _claim(polls: Observations) -> Poll:
    poll = await polls.claim("service", 20_000)
    assert isinstance(poll, Poll)
    return poll


async def _can_poll(polls: Observations) -> bool:
    return isinstance(await polls.claim("service", 20_000), Poll)


async def test_what_is_newer_is_stored_and_told(engine: Engine, polls: Observations) -> None:
    """An observation that differs from the stored one is stored, and one job is appended for it. For an equal
    observation, no job is appended."""
    poll = await _claim(polls)

    await polls.observe("service", poll, [seen("a")])
    await polls.observe("service", poll, [seen("a")])
    await polls.observe("service", poll, [seen("b", seconds=1)])

    assert await _told(engine) == ["a", "b"]


async def test_while_nothing_can_be_told_only_the_newest_look_waits(
    engine: Engine, polls: Observations
) -> None:
    """While Slack is away, an observation that waits as a job is replaced by a newer one with the same build,
    status and health. So not every poll adds a job."""
    await engine.append("blocked", name=QueueName(TELL))
    poll = await _claim(polls)

    await polls.observe("service", poll, [seen(f"step {number}", seconds=number) for number in range(300)])
    await polls.observe("service", poll, [seen("anew", build=2, seconds=301)])
    await polls.observe("service", poll, [seen("anew and on", build=2, seconds=302)])
    await engine.ends(await engine.takes())

    assert await _told(engine) == ["step 299", "anew and on"]


async def test_what_changes_all_the_time_is_not_kept_without_end(engine: Engine, polls: Observations) -> None:
    """If a task changes all the time while nothing can be posted, at most two hundred of its observations
    wait."""
    await engine.append("blocked", name=QueueName(TELL))
    poll = await _claim(polls)

    looks = [
        seen(f"build {number}", build=number, seconds=number)
        for number in range(MAX_WAITING_OBSERVATIONS + 50)
    ]
    await polls.observe("service", poll, looks)
    await engine.ends(await engine.takes())
    told = await _told(engine)

    assert len(told) == MAX_WAITING_OBSERVATIONS - 1
    assert told[-1] == f"build {MAX_WAITING_OBSERVATIONS + 49}"


async def test_an_answer_asked_for_earlier_is_not_stored_later(engine: Engine, polls: Observations) -> None:
    """If an older poll ends after a newer one, the observations of the older poll are not stored."""
    old = await _claim(polls)
    new = await _claim(polls)

    assert await polls.observe("service", new, [seen("new", seconds=5)])
    assert not await polls.observe("service", old, [seen("old")])

    assert await _told(engine) == ["new"]


@pytest.mark.parametrize("older", [seen("old", build=1, seconds=9), seen("old", build=2, seconds=1)])
async def test_an_older_build_or_report_is_none(
    engine: Engine, polls: Observations, older: StoredObservation
) -> None:
    """If a poll reads an older build or an older report than an earlier poll, what it has read is ignored.
    Coder may have answered from a replica that lags behind."""
    poll = await _claim(polls)
    await polls.observe("service", poll, [seen("new", build=2, seconds=5)])

    await polls.observe("service", poll, [older])

    assert await _told(engine) == ["new"]


async def test_a_new_build_may_report_anew(engine: Engine, polls: Observations) -> None:
    """If the agent of a new build reports something, the report is stored, even if its time is earlier than
    that of the old build's report."""
    poll = await _claim(polls)
    await polls.observe("service", poll, [seen("before", build=1, seconds=50)])

    await polls.observe("service", poll, [seen("after", build=2, seconds=10)])

    assert await _told(engine) == ["before", "after"]


async def test_a_task_without_a_link_is_nothing_to_us(engine: Engine, polls: Observations) -> None:
    """If a poll reads a task that has no link, nothing is stored or appended."""
    poll = await _claim(polls)
    await engine.queues.write(Batch().write("HDEL", engine.keys.named("links"), TASK))

    await polls.observe("service", poll, [seen("a")])

    assert await engine.due() == {}


async def test_a_task_is_gone_when_two_lists_in_a_row_have_missed_it(polls: Observations) -> None:
    """If two polls in a row do not list a task, it is gone. If a poll lists the task, counting starts
    again."""
    poll = await _claim(polls)

    assert await polls.count_missing("service", poll, [(TASK, LINK)]) == []
    await polls.observe("service", poll, [seen("a")])
    assert await polls.count_missing("service", poll, [(TASK, LINK)]) == []
    assert await polls.count_missing("service", poll, [(TASK, LINK)]) == [LINK]


async def test_what_an_overtaken_list_did_not_show_is_not_gone(polls: Observations) -> None:
    """If an older poll ends after a newer one, the older poll does not count tasks as missed. Its caller
    learns that a newer poll was faster."""
    old = await _claim(polls)
    new = await _claim(polls)

    assert await polls.count_missing("service", old, [(TASK, LINK)]) is None
    assert await polls.count_missing("service", new, [(TASK, LINK)]) == []


async def test_one_replica_polls_at_a_time(engine: Engine, polls: Observations) -> None:
    """Only one replica polls an account, until its lease ends or until it releases the account."""
    other = Observations(engine.connections, engine.keys, engine.clock)
    await _claim(polls)

    assert not await _can_poll(other)
    engine.passes(20)
    assert await _can_poll(other)
    assert not await _can_poll(polls)
    await other.release("service")
    assert await _can_poll(polls)


async def test_each_poll_has_a_higher_number(polls: Observations) -> None:
    """Each poll has a higher number than all polls before it."""
    numbers = [(await _claim(polls)).number for _ in range(3)]

    assert numbers == sorted(set(numbers))


async def test_a_time_that_has_come_is_told_once(engine: Engine) -> None:
    """If a timer is due, it is returned once."""
    links, writes = Links(engine.connections, engine.keys, engine.clock), LinkWrites(engine.keys)
    await engine.queues.write(
        writes.write_state(Batch(), LinkId("L1"), LinkState(), engine.clock.now_ms + 5_000)
    )

    assert await links.fire_timers() == 0
    engine.passes(5)
    assert await links.fire_timers() == 1
    assert await links.fire_timers() == 0

    assert await _told(engine) == ["timer_fired"]


async def test_many_times_that_came_at_once_come_in_portions(engine: Engine) -> None:
    """If very many timers are due, at most two hundred are returned at once, so that Redis is not blocked for
    long."""
    links = Links(engine.connections, engine.keys, engine.clock)
    batch = Batch()
    for number in range(250):
        batch.write("ZADD", engine.keys.named("timers"), engine.clock.now_ms, f"L{number}")
    await engine.queues.write(batch)

    assert [await links.fire_timers() for _ in range(3)] == [200, 50, 0]
    assert await engine.connections.commands.zcard(engine.keys.named("ready")) == 250


async def test_another_link_in_the_map_gets_nothing(engine: Engine, polls: Observations) -> None:
    """Somebody writes another link into the map from tasks to links, after the poll has checked the map. The
    other link gets no observation, and does not count as missed."""
    poll = await _claim(polls)
    await engine.queues.write(Batch().write("HSET", engine.keys.named("links"), TASK, "L2"))

    await polls.observe("service", poll, [seen("a")])

    assert [await polls.count_missing("service", poll, [(TASK, LINK)]) for _ in range(2)] == [[], []]
    assert await engine.due() == {}
    assert not await engine.connections.commands.exists(engine.keys.link("L1"), engine.keys.link("L2"))
