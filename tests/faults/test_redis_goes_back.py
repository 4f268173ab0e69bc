"""Redis has lost what was done last, by a failover or a restored copy: it is not done a second time."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from taskwire.bridge.doors import Doors
from taskwire.bridge.hand import Hand, Parked
from taskwire.bridge.posting import post_once
from taskwire.model.ids import ChannelId, LinkId, Ts
from taskwire.model.jobs import Job, ListName, Say
from taskwire.model.messages import Message
from taskwire.sandbox.slack import SlackSandbox
from taskwire.slack.outbound import Metadata
from taskwire.store import connection, embedded
from taskwire.store.connection import Connections
from taskwire.store.queue import Nothing, Queue, Turn
from taskwire.store.rewinds import Rewinds
from taskwire.store.scripts import ServersClock
from taskwire.store.steps import Step

from .doors import KEYS, open_doors

LIST = ListName("tell:L1")


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Connections]:
    """A store."""
    async with embedded.store(tmp_path / "store") as running, connection.open(running.url) as both:
        yield both


async def _sweeps(store: Connections, number: int) -> None:
    await store.commands.hset(KEYS.named("sweep:number"), "service", str(number))


def _rewinds(store: Connections) -> Rewinds:
    """What another process knows of it."""
    return Rewinds(store, KEYS, ServersClock())


async def _now_ms(store: Connections) -> int:
    seconds, microseconds = await store.commands.time()
    return int(seconds) * 1000 + int(microseconds) // 1000


async def test_a_number_that_has_fallen_is_noticed_once(store: Connections) -> None:
    """The sweeps' number only rises; the other processes hear of it, and later ones."""
    rewinds, other = _rewinds(store), _rewinds(store)
    await _sweeps(store, 7)
    before = [await rewinds.look(), await other.look()]
    await _sweeps(store, 8)
    before.append(await rewinds.look())
    await _sweeps(store, 6)

    noticed = await rewinds.look()
    told = [await rewinds.look(), await other.look(), await other.look(), await _rewinds(store).look()]

    assert before == [None, None, None]
    assert noticed is not None
    assert told == [None, noticed, None, noticed]
    assert noticed.since_ms <= noticed.at_ms <= await _now_ms(store)


async def test_a_store_that_is_empty_has_gone_back(store: Connections) -> None:
    """All the way, for whoever knew it before."""
    rewinds = _rewinds(store)
    await _sweeps(store, 7)
    await rewinds.look()
    await store.commands.flushall()

    assert await rewinds.look()


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
    job = Job(id="hello", work=Say(message=Message(text="Hello.")))
    async with embedded.store(place) as running, connection.open(running.url) as both:
        queue = Queue(both, KEYS, ServersClock())
        await queue.take()
        await queue.write(Step().append(LIST, job))
    async with embedded.store(place) as running, connection.open(running.url) as both:
        turn = await Queue(both, KEYS, ServersClock()).take()

    assert isinstance(turn, Turn)
    assert turn.is_suspect


async def _says(doors: Doors, channel: ChannelId, root: Ts) -> None:
    """Take a job and post what it says, in as many turns as that needs."""
    message, meta = Message(text="Hello."), Metadata(id="L1:hello", kind="answer")
    await doors.queue.write(Step().append(LIST, Job(id="hello", work=Say(message=message))))
    while True:
        turn = await doors.queue.take()
        if isinstance(turn, Nothing):
            await doors.queue.wait(turn.wait_seconds)
            continue
        assert isinstance(turn, Turn)
        try:
            await post_once(doors, Hand(turn, doors.queue), LinkId("L1"), channel, root, message, meta)
        except Parked as parked:
            delay_ms = int(parked.ending.delay_seconds * 1000)
            await doors.queue.end(turn, parked.ending.verdict, Step(), delay_ms=delay_ms)
        else:
            return


async def test_a_post_of_which_redis_knows_nothing_is_found(store: Connections) -> None:
    """A first attempt looks first, as if the job's outcome were unknown."""
    async with SlackSandbox() as slack:
        person = slack.add_user("alice").id
        channel = ChannelId(slack.add_channel("general", [person]).id)
        root = Ts(await slack.post(person, channel, "the root"))
        async with open_doors(slack, store) as doors:
            await doors.queue.rewinds.look()
            await _sweeps(store, 7)
            await doors.queue.rewinds.look()
            await _says(doors, channel, root)
            await store.commands.flushall()
            assert await doors.queue.rewinds.look()

            await _says(doors, channel, root)

        assert [message["text"] for message in slack.thread(channel, root)] == ["the root", "Hello."]
