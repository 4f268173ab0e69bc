"""Redis loses its latest writes, by a failover or because an operator restored an older copy. Jobs that were
done before are not done again."""

import contextlib
import shutil
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from taskwire.dependencies import Dependencies
from taskwire.domain.ids import ChannelId, LinkId, Ts
from taskwire.domain.queueing.jobs import Job, PostText
from taskwire.domain.queueing.queues import QueueName
from taskwire.domain.text.message import Message
from taskwire.job_context import JobContext, JobEnded
from taskwire.outbox.posting import post_once
from taskwire.queue.batch import Batch
from taskwire.queue.data_loss_detector import DataLoss, DataLossDetector
from taskwire.queue.leases import Lease, NothingDue, Queues
from taskwire.queue.scripts import ServerClock
from taskwire.redis import connection, embedded
from taskwire.redis.connection import Connections
from taskwire.redis.write_log import WriteLog
from taskwire.slack.metadata import Metadata
from taskwire_sandbox.slack import SlackSandbox
from tests.queue.engine import TestClock

from .dependencies import KEYS, open_dependencies

QUEUE = QueueName("to_thread:L1")


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Connections]:
    """Run an empty store and connect to it."""
    async with embedded.store(tmp_path / "store") as running, connection.open(running.url) as both:
        yield both


async def _polls(store: Connections, number: int) -> None:
    await store.commands.hset(KEYS.named("poll:number"), "service", str(number))


def _new_detector(store: Connections) -> DataLossDetector:
    """Return the data-loss detector of a new process."""
    return DataLossDetector(store, KEYS, ServerClock())


async def _now_ms(store: Connections) -> int:
    seconds, microseconds = await store.commands.time()
    return int(seconds) * 1000 + int(microseconds) // 1000


async def test_a_number_that_has_fallen_is_noticed_once(store: Connections) -> None:
    """The number of polls in Redis only rises. If it falls, each process notices the data loss, once."""
    data_loss_detector, other = _new_detector(store), _new_detector(store)
    await _polls(store, 7)
    before = [await data_loss_detector.find_new(), await other.find_new()]
    await _polls(store, 8)
    before.append(await data_loss_detector.find_new())
    await _polls(store, 6)

    noticed = await data_loss_detector.find_new()
    told = [
        await data_loss_detector.find_new(),
        await other.find_new(),
        await other.find_new(),
        await _new_detector(store).find_new(),
    ]

    assert before == [None, None, None]
    assert noticed is not None
    assert told == [None, noticed, None, noticed]
    assert noticed.since_ms <= noticed.at_ms <= await _now_ms(store)


async def test_a_store_that_is_empty_has_gone_back(store: Connections) -> None:
    """If a process knew the store's data and the store is empty, the process notices a data loss."""
    data_loss_detector = _new_detector(store)
    await _polls(store, 7)
    await data_loss_detector.find_new()
    await store.commands.flushall()

    assert await data_loss_detector.find_new()


async def test_a_process_that_has_just_begun_suspects_nothing(store: Connections) -> None:
    """A new process on a store that was never used notices no data loss."""
    assert await _new_detector(store).find_new() is None


@pytest.mark.parametrize(
    ("is_own", "silent_ms", "is_noticed"), [(False, 0, True), (True, 0, False), (True, 61_000, True)]
)
async def test_the_first_process_notices_a_copy_on_another_server(
    tmp_path: Path, *, is_own: bool, silent_ms: int, is_noticed: bool
) -> None:
    """If the store is on another server than before, a new process notices a data loss. It notices none if an
    embedded store was only restarted, and somebody used the store within the last minute."""
    place = tmp_path / "store"
    async with embedded.store(place) as running, connection.open(running.url) as both:
        await _new_detector(both).find_new()
        await both.commands.hincrby(KEYS.named("server"), "at", -silent_ms)
        used_ms = int(await both.commands.hget(KEYS.named("server"), "at") or 0)
    async with embedded.store(place) as running, connection.open(running.url) as both:
        both.is_embedded = is_own

        noticed = await _new_detector(both).find_new()

    assert (noticed is not None) == is_noticed
    assert noticed is None or noticed.since_ms == used_ms


async def test_the_first_job_on_another_server_is_suspect(tmp_path: Path) -> None:
    """A store is now on another server. The first job that a process acquires there is suspect (it may have
    been done before), although no process has checked for a data loss yet."""
    place = tmp_path / "store"
    job = Job(id="hello", work=PostText(message=Message(text="Hello.")))
    async with embedded.store(place) as running, connection.open(running.url) as both:
        queues = Queues(both, KEYS, ServerClock())
        await queues.acquire()
        await queues.write(Batch().append(QUEUE, job))
    async with embedded.store(place) as running, connection.open(running.url) as both:
        lease = await Queues(both, KEYS, ServerClock()).acquire()

    assert isinstance(lease, Lease)
    assert lease.is_suspect


async def _says(deps: Dependencies, channel: ChannelId, root: Ts) -> None:
    """Append a job that posts, and run it until it is done. It may take several leases."""
    message, meta = Message(text="Hello."), Metadata(id="L1:hello", kind="answer")
    await deps.queues.write(Batch().append(QUEUE, Job(id="hello", work=PostText(message=message))))
    while True:
        lease = await deps.queues.acquire()
        if isinstance(lease, NothingDue):
            await deps.queues.wait(lease.wait_seconds)
            continue
        assert isinstance(lease, Lease)
        try:
            await post_once(deps, JobContext(lease, deps.queues), LinkId("L1"), channel, root, message, meta)
        except JobEnded as parked:
            delay_ms = int(parked.outcome.delay_seconds * 1000)
            await deps.queues.complete(lease, parked.outcome.kind, Batch(), delay_ms=delay_ms)
        else:
            return


async def test_a_post_of_which_redis_knows_nothing_is_found(store: Connections) -> None:
    """After data loss, the first attempt of a job looks in Slack for the job's post, because Redis may have
    lost an earlier attempt."""
    async with SlackSandbox() as slack:
        person = slack.add_user("alice").id
        channel = ChannelId(slack.add_channel("general", [person]).id)
        root = Ts(await slack.post(person, channel, "the root"))
        async with open_dependencies(slack, store) as deps:
            await deps.queues.data_loss_detector.find_new()
            await _polls(store, 7)
            await deps.queues.data_loss_detector.find_new()
            await _says(deps, channel, root)
            await store.commands.flushall()
            assert await deps.queues.data_loss_detector.find_new()

            await _says(deps, channel, root)

        assert [message["text"] for message in slack.thread(channel, root)] == ["the root", "Hello."]


class Place:
    """A store that is restarted while processes stay alive."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    @contextlib.asynccontextmanager
    async def runs(self, directory: Path | None = None) -> AsyncIterator[Connections]:
        """Run the store inside the block, with the data in `directory`, or with the store's own data if
        `directory` is None."""
        async with (
            embedded.store(directory or self.directory) as running,
            connection.open(running.url) as both,
        ):
            yield both

    def copy(self) -> Path:
        """Copy the store's present data. Return the directory of the copy."""
        to = self.directory.with_name("copy")
        shutil.copytree(self.directory, to, ignore=shutil.ignore_patterns("*.sock", "lock*"))
        return to


class Deployment:
    """A process that remembers its own writes, whatever the store loses."""

    def __init__(self) -> None:
        self._written = WriteLog()
        self.clock = TestClock()

    def meets(self, store: Connections) -> None:
        """Connect the process to this store."""
        self.queues = Queues(replace(store, write_log=self._written), KEYS, self.clock)

    async def looks(self) -> DataLoss | None:
        """Check whether Redis has lost data. Return the newly found loss, or None."""
        return await self.queues.data_loss_detector.find_new()

    async def writes(self, name: str) -> None:
        """Append a job."""
        job = Job(id=name, work=PostText(message=Message(text=name)))
        await self.queues.write(Batch().append(QUEUE, job))

    async def is_suspicious(self) -> bool:
        """Return whether the next job is suspect: it may have been done before."""
        lease = await self.queues.acquire()
        assert isinstance(lease, Lease)
        await self.queues.release(lease)
        return lease.is_suspect


async def test_a_server_that_has_all_that_a_living_process_wrote_last_makes_nothing_suspect(
    tmp_path: Path,
) -> None:
    """If a restarted server still has the latest write of each running process, no job is suspect."""
    place, process = Place(tmp_path / "store"), Deployment()
    async with place.runs() as store:
        process.meets(store)
        await process.looks()
        await process.writes("a")
    async with place.runs() as store:
        process.meets(store)

        found = [await process.looks(), await process.looks()]

        assert found == [None, None]
        assert not await process.is_suspicious()


async def test_a_server_that_lacks_what_a_living_process_wrote_last_has_gone_back(tmp_path: Path) -> None:
    """If a server lacks the latest write that a running process had made on it, it has lost data. Later
    writes of this process do not hide the loss."""
    place, process = Place(tmp_path / "store"), Deployment()
    async with place.runs() as store:
        process.meets(store)
        await process.looks()
        await process.writes("a")
        copy = place.copy()
        await process.writes("b")
    async with place.runs(copy) as store:
        process.meets(store)
        for number in range(5):
            await process.writes(f"c{number}")

        assert await process.looks() is not None
        assert await process.is_suspicious()


async def test_each_process_has_to_find_what_it_wrote(tmp_path: Path) -> None:
    """After a restart of Redis, jobs are suspect until every process that wrote recently has found its latest
    write."""
    place, one, other = Place(tmp_path / "store"), Deployment(), Deployment()
    async with place.runs() as store:
        for process in (one, other):
            process.meets(store)
            await process.looks()
            await process.writes(f"of {process is one}")
    async with place.runs() as store:
        one.meets(store)
        other.meets(store)

        first = await one.looks()
        meanwhile = await one.is_suspicious()
        second = await other.looks()
        one.clock.now_ms += 2_000

        assert (first, meanwhile, second, await one.looks()) == (None, True, None, None)
        assert not await one.is_suspicious()


async def test_jobs_stay_suspect_while_a_process_does_not_answer(tmp_path: Path) -> None:
    """If a process does not check within ten seconds after a restart of Redis, its latest write counts as
    lost, and jobs stay suspect. The process may be dead."""
    place, one, dead = Place(tmp_path / "store"), Deployment(), Deployment()
    async with place.runs() as store:
        for process in (one, dead):
            process.meets(store)
            await process.looks()
        await one.writes("a")
    async with place.runs() as store:
        one.meets(store)
        first = await one.looks()
        one.clock.now_ms += 11_000

        found = await one.looks()

        assert first is None
        assert found is not None
        assert await one.is_suspicious()


async def test_a_process_that_has_left_is_not_waited_for(tmp_path: Path) -> None:
    """If a process stopped cleanly before Redis was restarted, the others do not wait for it. Their own later
    writes are there, so its earlier ones are there too."""
    place, one, gone = Place(tmp_path / "store"), Deployment(), Deployment()
    async with place.runs() as store:
        for process in (one, gone):
            process.meets(store)
            await process.looks()
        await gone.queues.data_loss_detector.record_clean_stop()
        await one.writes("a")
    async with place.runs() as store:
        one.meets(store)

        assert await one.looks() is None
        assert not await one.is_suspicious()


async def test_a_new_process_suspects_a_loss_until_the_others_have_looked(
    tmp_path: Path,
) -> None:
    """If a process starts after a restart of Redis, it suspects a data loss until the other processes have
    found their writes. It has no writes of its own to look for."""
    place, one, new = Place(tmp_path / "store"), Deployment(), Deployment()
    async with place.runs() as store:
        one.meets(store)
        await one.looks()
        await one.writes("a")
    async with place.runs() as store:
        one.meets(store)
        new.meets(store)

        assert await new.looks() is not None
        assert await one.looks() is None
        assert not await new.is_suspicious()
