"""Redis has lost what was done last, by a failover or a restored copy: it is not done a second time."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from taskwire.bridge.hand import Ending, Hand, done
from taskwire.bridge.posting import post_once
from taskwire.model.ids import ChannelId, LinkId, Ts
from taskwire.model.jobs import Job, ListName, Say
from taskwire.model.messages import Message
from taskwire.sandbox.slack import SlackSandbox
from taskwire.slack.outbound import Metadata
from taskwire.store import connection, embedded
from taskwire.store.connection import Connections
from taskwire.store.keys import Keys
from taskwire.store.queue import Turn
from taskwire.store.rewinds import Rewinds
from taskwire.store.steps import Step
from tests.storm.given import WorkerGiven
from tests.storm.worker import open_doors

KEYS = Keys("storm")
LIST = ListName("tell:L1")


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Connections]:
    """A store."""
    async with embedded.store(tmp_path / "store") as running, connection.open(running.url) as both:
        yield both


async def _sweeps(store: Connections, number: int) -> None:
    await store.commands.hset(KEYS.named("sweep:number"), "service", str(number))


async def test_a_number_that_has_fallen_is_noticed_once(store: Connections) -> None:
    """The sweeps' number only rises; and what is noticed is known to all replicas for ten minutes."""
    rewinds = Rewinds(store, KEYS)
    await _sweeps(store, 7)
    before = [await rewinds.look(), await rewinds.look()]
    await _sweeps(store, 8)
    before.append(await rewinds.look())
    await _sweeps(store, 6)

    after = [await rewinds.look(), await rewinds.look()]

    assert (before, after) == ([False, False, False], [True, False])
    assert 0 < await store.commands.pttl(KEYS.named("rewound")) <= 600_000


async def test_a_store_that_is_empty_has_gone_back(store: Connections) -> None:
    """All the way."""
    rewinds = Rewinds(store, KEYS)
    await _sweeps(store, 7)
    await rewinds.look()
    await store.commands.flushall()

    assert await rewinds.look()


async def test_a_process_that_has_just_begun_suspects_nothing(store: Connections) -> None:
    """It has nothing to compare with."""
    assert not await Rewinds(store, KEYS).look()


async def test_a_post_of_which_redis_knows_nothing_is_found(store: Connections, tmp_path: Path) -> None:
    """A first attempt looks first, as if the job's outcome were unknown."""
    async with embedded.store(tmp_path / "other") as running, SlackSandbox() as slack:
        url = slack.api_url
        given = WorkerGiven(slack_url=url, token=slack.bot_token, store_url=running.url, window_ms=0)
        person = slack.add_user("alice").id
        channel = ChannelId(slack.add_channel("general", [person]).id)
        root = Ts(await slack.post(person, channel, "the root"))
        async with open_doors(given, store) as doors:

            async def say() -> Ending:
                job = Job(id="hello", work=Say(message=Message(text="Hello.")))
                await doors.queue.write(Step().append(LIST, job))
                turn = await doors.queue.take()
                assert isinstance(turn, Turn)
                meta = Metadata(id="L1:hello", kind="answer")
                message = Message(text="Hello.")
                await post_once(doors, Hand(turn, doors.queue), LinkId("L1"), channel, root, message, meta)
                return done()

            await doors.queue.rewinds.look()
            await _sweeps(store, 7)
            await doors.queue.rewinds.look()
            await say()
            await store.commands.flushall()
            assert await doors.queue.rewinds.look()

            await say()

        assert [message["text"] for message in slack.thread(channel, root)] == ["the root", "Hello."]
