"""Taskwire finds the Redis master through real sentinels and follows a failover. A refused write has no
effect."""

import contextlib
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from redis.asyncio import Redis
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import RedisError

from taskwire.domain.errors import OutcomeUnknown, TryLater, UserError
from taskwire.domain.queueing.jobs import Job, PostText
from taskwire.domain.queueing.queues import QueueName, to_thread
from taskwire.domain.text.message import Message
from taskwire.queue.batch import Batch
from taskwire.queue.inbox import Inbox
from taskwire.queue.leases import Lease, Queues
from taskwire.queue.scripts import ServerClock
from taskwire.redis import connection
from taskwire.redis.call_outcomes import RedisAway
from taskwire.redis.connection import Connections
from taskwire.redis.keys import Keys
from tests.faults import sentinels
from tests.faults.sentinels import SentinelCluster, Server
from tests.process.processes import until

KEYS = Keys("T1")
LIST: QueueName = to_thread("L1")


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[SentinelCluster]:
    async with sentinels.cluster(tmp_path) as made:
        yield made


@pytest.fixture
async def both(cluster: SentinelCluster) -> AsyncIterator[Connections]:
    async with connection.open(cluster.url) as connections:
        await connection.check(connections)
        yield connections


def _batch(text: str) -> Batch:
    return Batch().append(LIST, Job(id=text, work=PostText(message=Message(text=text))))


async def test_after_a_failover_both_clients_find_the_new_master(
    cluster: SentinelCluster, both: Connections
) -> None:
    """After a failover, both clients use the new master. No confirmed write is lost, the scripts are loaded
    again, and a claim is not made twice."""
    inbox = Inbox(both, KEYS, ServerClock())
    await until(lambda: _is_promised(inbox), "a replica that has it")
    await both.blocking.brpop(["nothing"], 0.01)

    await cluster.kill_master()

    await until(lambda: _is_promised(inbox), "the new master")
    await until(lambda: _is_woken(both), "a word on the other client")
    assert await both.commands.zcard(KEYS.named("queue", LIST, "order")) == 1


async def test_a_sentinel_that_knows_an_earlier_master_is_not_followed(
    cluster: SentinelCluster, tmp_path: Path
) -> None:
    """A sentinel is cut off from the others and still names the old master. Taskwire follows the majority of
    the sentinels, even if it asks this sentinel first."""
    alone = sentinels.lone_sentinel(tmp_path, (await cluster.master()).port)
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(alone.end)
        await alone.start()
        old = await cluster.kill_master()
        await old.start()
        url = cluster.url.replace("@", f"@{sentinels.HOST}:{alone.port},")
        both = await stack.enter_async_context(connection.open(url))

        # The old master becomes a replica after a moment. Until then the new master refuses writes.
        await until(lambda: _is_written(both), "a replica for the new master")

        async with (await cluster.master()).client() as client:
            assert await client.get("key") == "value"


async def _is_written(both: Connections) -> bool:
    with contextlib.suppress(RedisError):
        return bool(await both.commands.set("key", "value"))
    return False


async def test_a_demoted_master_has_done_nothing(cluster: SentinelCluster) -> None:
    """A client is still connected to an old master that has become a replica. The client's write is refused
    and certainly has no effect. The client closes the connection."""
    replica = (await cluster.replicas())[0]
    async with connection.open(_plain(replica)) as both:
        with pytest.raises(RedisAway) as caught:
            await Queues(both, KEYS, ServerClock()).write(_batch("one"))

        assert str(caught.value).startswith("READONLY")
        assert [line.is_connected for line in _idle(both.commands)] == [False]


async def test_a_master_without_replicas_has_done_nothing(cluster: SentinelCluster) -> None:
    """If a master has no replicas left, it refuses a claim. The error tells the client that nothing was
    written and that it must ask the sentinels for the master again."""
    master = await cluster.master()
    for replica in await cluster.replicas():
        await replica.end()
    async with connection.open(_plain(master)) as both:
        outcome = await Inbox(both, KEYS, ServerClock())._claim.call(  # noqa: SLF001 - one try, unlike `accept`
            KEYS.named("claim", "command", "one"), 1_000, _batch("one").encoded(), "a" * 16
        )

        assert isinstance(outcome.answer, RedisAway)
        assert str(outcome.answer).startswith("NOREPLICAS")
        assert await both.commands.keys("*") == []


async def test_what_no_replica_has_is_not_promised(cluster: SentinelCluster, both: Connections) -> None:
    """If only the master has a claim, the claim may be lost with the master, so its outcome is unknown. When
    a replica has the claim too, the claim is confirmed."""
    inbox = Inbox(both, KEYS, ServerClock())
    replicas = await cluster.replicas()
    for replica in replicas:
        replica.tell(signal.SIGSTOP)

    with pytest.raises(OutcomeUnknown):
        await inbox.claim("command", "one", _batch("one"))

    for replica in replicas:
        replica.tell(signal.SIGCONT)
    await until(lambda: _is_promised(inbox), "a replica that has it")
    assert await both.commands.zcard(KEYS.named("queue", LIST, "order")) == 1


async def _is_woken(both: Connections) -> bool:
    with contextlib.suppress(RedisError):
        return bool(await both.blocking.brpop([KEYS.named("wakeups")], 1))
    return False


async def _is_promised(inbox: Inbox) -> bool:
    """Claim the command `one`. Return True if an earlier call has made this claim and a replica has it.
    Return False in all other cases."""
    with contextlib.suppress(OutcomeUnknown, TryLater):
        return await inbox.claim("command", "one", _batch("one")) == "duplicate"
    return False


async def test_an_attempt_that_no_replica_knows_of_is_not_made(
    cluster: SentinelCluster, both: Connections
) -> None:
    """A worker records an attempt before it calls Slack or Coder. If no replica has this record, the worker
    does not make the call. Otherwise a new master could allow the same call again."""
    queues = Queues(both, KEYS, ServerClock())
    await queues.write(_batch("one"))
    lease = await queues.acquire()
    assert isinstance(lease, Lease)
    for replica in await cluster.replicas():
        replica.tell(signal.SIGSTOP)

    with pytest.raises(RedisError):
        await queues.begin(lease, "note", 1)


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("hunter3", "hunter4", "The sentinels in REDIS_URL refuse the user name or password."),
        (
            "?sentinel_password=hunter3-and-more",
            "",
            "The sentinels in REDIS_URL refuse the user name or password.",
        ),
        ("mymaster", "yours", "The sentinels in REDIS_URL watch no master called yours."),
        ("hunter2", "hunter4", "{where} refuses the user name or password."),
    ],
)
async def test_wrong_settings_are_named(cluster: SentinelCluster, old: str, new: str, sentence: str) -> None:
    """If the settings for sentinels are wrong, the error says what is wrong, in one sentence without a
    password."""
    async with connection.open(cluster.url.replace(old, new)) as both:
        with pytest.raises(UserError) as caught:
            await connection.check(both)

        assert caught.value.sentence == sentence.format(where=both.where)
        assert caught.value.hint
        assert "hunter" not in str(caught.value)


async def test_what_is_no_sentinel_is_named(cluster: SentinelCluster) -> None:
    """If REDIS_URL names a Redis server as a sentinel, the error says so."""
    port = cluster.servers[0].port
    url = f"redis+sentinel://:{sentinels.PASSWORD}@127.0.0.1:{port}/mymaster"
    async with connection.open(f"{url}?sentinel_password={sentinels.PASSWORD}") as both:
        with pytest.raises(UserError) as caught:
            await connection.check(both)

    assert caught.value.sentence == f"redis+sentinel://127.0.0.1:{port}/mymaster names what is no sentinel."


async def test_sentinels_that_are_not_there_are_named(unused_tcp_port: int) -> None:
    """If no sentinel listens at the addresses, the error names the addresses and the reason."""
    async with connection.open(f"redis+sentinel://127.0.0.1:{unused_tcp_port}/mymaster") as both:
        with pytest.raises(UserError) as caught:
            await connection.check(both)

    assert str(caught.value) == (
        f"No sentinel of redis+sentinel://127.0.0.1:{unused_tcp_port}/mymaster can be reached: "
        "Connection refused. Check REDIS_URL, and that the sentinels run there."
    )


async def test_a_master_that_is_down_is_named(cluster: SentinelCluster) -> None:
    """If all Redis servers are down, the error says that the sentinels see the master as down."""
    for server in cluster.servers:
        await server.end()
    async with connection.open(cluster.url) as both:
        await until(lambda: _says(both, "The sentinels see mymaster down."), "the sentinels to notice")


async def _says(both: Connections, sentence: str) -> bool:
    with pytest.raises(UserError) as caught:
        await connection.check(both)
    return caught.value.sentence == sentence


def _plain(server: Server) -> str:
    return f"redis://:{sentinels.PASSWORD}@{sentinels.HOST}:{server.port}"


def _idle(client: Redis) -> list[AbstractConnection]:
    return list(client.connection_pool._get_free_connections())  # noqa: SLF001 - nothing else shows them
