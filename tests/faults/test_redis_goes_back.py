"""Redis has lost what was done last, by a failover or a restored copy: it is not done a second time."""

import contextlib
import shutil
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from taskwire.dependencies import Dependencies
from taskwire.domain.ids import ChannelId, LinkId, Ts
from taskwire.domain.jobs import Job, PostText, QueueName
from taskwire.domain.message import Message
from taskwire.job_context import JobContext, JobEnded
from taskwire.outbox.posting import post_once
from taskwire.queue.batch import Batch
from taskwire.queue.data_loss import DataLoss, DataLossDetector
from taskwire.queue.leases import Lease, NothingDue, Queue
from taskwire.queue.scripts import ServersClock
from taskwire.redis import connection, embedded
from taskwire.redis.connection import Connections
from taskwire.redis.write_log import WriteLog
from taskwire.slack.outbound import Metadata
from taskwire_sandbox.slack import SlackSandbox
from tests.queue.engine import TestClock

from .dependencies import KEYS, open_dependencies

LIST = QueueName("to_thread:L1")


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Connections]:
    """A store."""
    async with embedded.store(tmp_path / "store") as running, connection.open(running.url) as both:
        yield both


async def _sweeps(store: Connections, number: int) -> None:
    await store.commands.hset(KEYS.named("poll:number"), "service", str(number))


def _rewinds(store: Connections) -> DataLossDetector:
    """What another process knows of it."""
    return DataLossDetector(store, KEYS, ServersClock())


async def _now_ms(store: Connections) -> int:
    seconds, microseconds = await store.commands.time()
    return int(seconds) * 1000 + int(microseconds) // 1000


async def test_a_number_that_has_fallen_is_noticed_once(store: Connections) -> None:
    """The polls' number only rises; the other processes hear of it, and later ones."""
    data_loss_detector, other = _rewinds(store), _rewinds(store)
    await _sweeps(store, 7)
    before = [await data_loss_detector.look(), await other.look()]
    await _sweeps(store, 8)
    before.append(await data_loss_detector.look())
    await _sweeps(store, 6)

    noticed = await data_loss_detector.look()
    told = [
        await data_loss_detector.look(),
        await other.look(),
        await other.look(),
        await _rewinds(store).look(),
    ]

    assert before == [None, None, None]
    assert noticed is not None
    assert told == [None, noticed, None, noticed]
    assert noticed.since_ms <= noticed.at_ms <= await _now_ms(store)


async def test_a_store_that_is_empty_has_gone_back(store: Connections) -> None:
    """All the way, for whoever knew it before."""
    data_loss_detector = _rewinds(store)
    await _sweeps(store, 7)
    await data_loss_detector.look()
    await store.commands.flushall()

    assert await data_loss_detector.look()


async def test_a_process_that_has_just_begun_suspects_nothing(store: Connections) -> None:
    """A store that nobody has used has nothing to have lost."""
    assert await _rewinds(store).look() is None


@pytest.mark.parametrize(
    ("is_own", "silent_ms", "is_noticed"), [(False, 0, True), (True, 0, False), (True, 61_000, True)]
)
async def test_a_copy_on_another_server_is_noticed_by_whoever_comes_first(
    tmp_path: Path, *, is_own: bool, silent_ms: int, is_noticed: bool
) -> None:
    """Also by a process that was not there before. A store of our own, started anew, has lost nothing."""
    place = tmp_path / "store"
    async with embedded.store(place) as running, connection.open(running.url) as both:
        await _rewinds(both).look()
        await both.commands.hincrby(KEYS.named("server"), "at", -silent_ms)
        used_ms = int(await both.commands.hget(KEYS.named("server"), "at") or 0)
    async with embedded.store(place) as running, connection.open(running.url) as both:
        both.is_own = is_own

        noticed = await _rewinds(both).look()

    assert (noticed is not None) == is_noticed
    assert noticed is None or noticed.since_ms == used_ms


async def test_a_first_taking_on_another_server_knows_it(tmp_path: Path) -> None:
    """Nobody has looked in between: the call that hands out a job is the one that notices."""
    place = tmp_path / "store"
    job = Job(id="hello", work=PostText(message=Message(text="Hello.")))
    async with embedded.store(place) as running, connection.open(running.url) as both:
        queue = Queue(both, KEYS, ServersClock())
        await queue.acquire()
        await queue.write(Batch().append(LIST, job))
    async with embedded.store(place) as running, connection.open(running.url) as both:
        lease = await Queue(both, KEYS, ServersClock()).acquire()

    assert isinstance(lease, Lease)
    assert lease.is_suspect


async def _says(deps: Dependencies, channel: ChannelId, root: Ts) -> None:
    """Take a job and post what it says, in as many turns as that needs."""
    message, meta = Message(text="Hello."), Metadata(id="L1:hello", kind="answer")
    await deps.queue.write(Batch().append(LIST, Job(id="hello", work=PostText(message=message))))
    while True:
        lease = await deps.queue.acquire()
        if isinstance(lease, NothingDue):
            await deps.queue.wait(lease.wait_seconds)
            continue
        assert isinstance(lease, Lease)
        try:
            await post_once(deps, JobContext(lease, deps.queue), LinkId("L1"), channel, root, message, meta)
        except JobEnded as parked:
            delay_ms = int(parked.outcome.delay_seconds * 1000)
            await deps.queue.complete(lease, parked.outcome.kind, Batch(), delay_ms=delay_ms)
        else:
            return


async def test_a_post_of_which_redis_knows_nothing_is_found(store: Connections) -> None:
    """A first attempt looks first, as if the job's outcome were unknown."""
    async with SlackSandbox() as slack:
        person = slack.add_user("alice").id
        channel = ChannelId(slack.add_channel("general", [person]).id)
        root = Ts(await slack.post(person, channel, "the root"))
        async with open_dependencies(slack, store) as deps:
            await deps.queue.data_loss_detector.look()
            await _sweeps(store, 7)
            await deps.queue.data_loss_detector.look()
            await _says(deps, channel, root)
            await store.commands.flushall()
            assert await deps.queue.data_loss_detector.look()

            await _says(deps, channel, root)

        assert [message["text"] for message in slack.thread(channel, root)] == ["the root", "Hello."]


class Place:
    """A store that is started anew, and processes that live on meanwhile."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    @contextlib.asynccontextmanager
    async def runs(self, directory: Path | None = None) -> AsyncIterator[Connections]:
        """The store runs inside the block, from its own data or from a copy's."""
        async with (
            embedded.store(directory or self.directory) as running,
            connection.open(running.url) as both,
        ):
            yield both

    def copy(self) -> Path:
        """Its data as it is now."""
        to = self.directory.with_name("copy")
        shutil.copytree(self.directory, to, ignore=shutil.ignore_patterns("*.sock", "lock*"))
        return to


class Deployment:
    """One process, which remembers what it wrote whatever becomes of the store."""

    def __init__(self) -> None:
        self._written = WriteLog()
        self.clock = TestClock()

    def meets(self, store: Connections) -> None:
        """It speaks to this server from now on."""
        self.queue = Queue(replace(store, written=self._written), KEYS, self.clock)

    async def looks(self) -> DataLoss | None:
        """It looks whether Redis has gone back."""
        return await self.queue.data_loss_detector.look()

    async def writes(self, name: str) -> None:
        """It writes something down."""
        job = Job(id=name, work=PostText(message=Message(text=name)))
        await self.queue.write(Batch().append(LIST, job))

    async def is_suspicious(self) -> bool:
        """Whether it takes what is to be done for what may have been done before."""
        lease = await self.queue.acquire()
        assert isinstance(lease, Lease)
        await self.queue.release(lease)
        return lease.is_suspect


async def test_a_server_that_has_all_that_a_living_process_wrote_last_makes_nothing_suspect(
    tmp_path: Path,
) -> None:
    """It was started anew, and lost nothing: what was written before that is there too."""
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
    """Also where much has been written there since, before the process looked."""
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
    """Until all who wrote lately have, what is done is looked for first; then nothing is suspect any more."""
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


async def test_a_process_that_does_not_answer_leaves_it_suspect(tmp_path: Path) -> None:
    """It may have died with what it wrote; ten seconds later that is taken for lost."""
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
    """What it wrote last was before what others wrote since."""
    place, one, gone = Place(tmp_path / "store"), Deployment(), Deployment()
    async with place.runs() as store:
        for process in (one, gone):
            process.meets(store)
            await process.looks()
        await gone.queue.data_loss_detector.note_clean_stop()
        await one.writes("a")
    async with place.runs() as store:
        one.meets(store)

        assert await one.looks() is None
        assert not await one.is_suspicious()


async def test_a_process_that_was_not_there_takes_it_for_lost_until_the_others_have_looked(
    tmp_path: Path,
) -> None:
    """It remembers nothing that it could look for."""
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
