"""The two Redis clients on a real server, through a network that tests break."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from taskwire.domain.errors import UserError
from taskwire.redis import connection, embedded
from tests.faults.proxy import FaultProxy, proxy

NO_SCHEME = "REDIS_URL does not begin with redis://, rediss://, unix:// or redis+sentinel://."
PASSWORD = "hunter2"


@pytest.fixture
async def server_url(tmp_path: Path) -> AsyncIterator[str]:
    async with embedded.store(tmp_path / "store") as running:
        yield running.url


@pytest.fixture
async def network(server_url: str) -> AsyncIterator[FaultProxy]:
    async with proxy(server_url) as between:
        yield between


@pytest.fixture
async def connections(network: FaultProxy) -> AsyncIterator[connection.Connections]:
    async with connection.open(f"redis://127.0.0.1:{network.port}/0") as both:
        yield both


async def test_a_write_whose_answer_is_lost_is_made_once(
    network: FaultProxy, connections: connection.Connections, server_url: str
) -> None:
    """If the answer to a write is lost, the client raises an error. The client does not repeat the write,
    which the server may have made."""
    await connections.commands.ping()
    network.drop_next_reply()

    with pytest.raises(RedisConnectionError):
        await connections.commands.rpush("list", "once")

    async with connection.open(server_url) as direct:
        assert await direct.commands.lrange("list", 0, -1) == ["once"]


async def test_after_a_cut_the_next_call_connects_anew(
    network: FaultProxy, connections: connection.Connections
) -> None:
    """If the network cuts all connections, at most one call fails. The next call connects again."""
    await connections.commands.set("key", "value")
    network.cut()

    with contextlib.suppress(RedisConnectionError):
        await connections.commands.get("key")

    assert await connections.commands.get("key") == "value"


async def test_waiting_on_an_empty_list_raises_nothing(
    network: FaultProxy, connections: connection.Connections
) -> None:
    """The client can wait for a wake-up for the longest allowed time, several times in a row. The wait raises
    no timeout error, and the client keeps its connection."""
    words = [await connections.blocking.brpop(["wake"], int(connection.BLOCK_SECONDS)) for _ in range(3)]

    assert words == [None, None, None]
    assert network.connections == 1


async def test_a_word_wakes_the_one_who_waits(connections: connection.Connections) -> None:
    """A wake-up ends a blocking wait and is returned as text. The wait uses a connection that is not one of
    those for commands."""
    waiting = asyncio.ensure_future(connections.blocking.brpop(["wake"], int(connection.BLOCK_SECONDS)))
    await connections.commands.lpush("wake", "up")

    assert await waiting == ("wake", "up")


async def test_a_silent_network_ends_a_call_in_the_callers_time(
    network: FaultProxy, connections: connection.Connections
) -> None:
    """If the network is silent, a call ends when its caller's timeout has passed. The client does not mistake
    a late answer to this call for the answer to the next call."""
    await connections.commands.mset({"first": "1", "second": "2"})
    network.freeze()

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await connections.commands.get("first")
    network.thaw()

    assert await connections.commands.get("second") == "2"


async def test_a_silent_network_ends_a_call_at_last(
    network: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the network is silent, a call whose caller sets no timeout ends too."""
    monkeypatch.setattr(connection, "COMMAND_SECONDS", 0.2)
    async with connection.open(f"redis://127.0.0.1:{network.port}") as both:
        await both.commands.ping()
        network.freeze()

        with pytest.raises(RedisTimeoutError):
            await both.commands.get("key")


async def test_more_calls_than_connections_wait_their_turn(connections: connection.Connections) -> None:
    """If more calls are made than there are connections, the calls wait for a connection. The client refuses
    none of them."""
    calls = [connections.commands.incr("counter") for _ in range(200)]

    assert sorted(await asyncio.gather(*calls)) == list(range(1, 201))


async def test_the_embedded_store_is_found_healthy(server_url: str) -> None:
    """The client finds the server's version, role and settings for saving and eviction on the embedded store.
    The settings are as recommended."""
    async with connection.open(server_url) as both:
        health = await connection.check(both)

    assert health.run_id
    assert health.version
    assert (health.role, health.is_append_only, health.fsync, health.eviction_policy) == (
        "master",
        True,
        "always",
        "noeviction",
    )


async def test_a_server_that_tells_nothing_is_taken(server_url: str) -> None:
    """The client accepts a server that forbids INFO and CONFIG, as managed servers do. The server's
    properties are then unknown."""
    async with connection.open(server_url) as admin:
        await admin.commands.acl_setuser(
            "bot",
            enabled=True,
            passwords=[f"+{PASSWORD}"],
            keys=["*"],
            categories=["+@all"],
            commands=["-info", "-config"],
        )
    async with connection.open(f"unix://bot:{PASSWORD}@{server_url.removeprefix('unix://')}") as both:
        health = await connection.check(both)

    assert health == connection.StoreHealth("redis", None, None, None, None, None, None, None)


async def test_a_wrong_password_is_named_but_not_shown(network: FaultProxy) -> None:
    """If Redis refuses the password, the error names the server's address and the setting to correct. The
    error does not show the password."""
    url = f"redis://bot:{PASSWORD}@127.0.0.1:{network.port}/0"
    async with connection.open(url) as both:
        with pytest.raises(UserError) as caught:
            await connection.check(both)

    assert str(caught.value) == (
        f"redis://127.0.0.1:{network.port} refuses the user name or password. Correct them in REDIS_URL."
    )


async def test_a_server_that_is_not_there_is_named(unused_tcp_port: int) -> None:
    """If no server listens at the address, the error names the address and the reason."""
    async with connection.open(f"redis://bot:{PASSWORD}@127.0.0.1:{unused_tcp_port}/0") as both:
        with pytest.raises(UserError) as caught:
            await connection.check(both)

    assert str(caught.value) == (
        f"redis://127.0.0.1:{unused_tcp_port} cannot be reached: Connection refused."
        " Check REDIS_URL, and that Redis or Valkey runs there."
    )


async def test_a_cluster_is_refused(tmp_path: Path) -> None:
    """If REDIS_URL names a Redis Cluster, it is refused, because a script there cannot use all keys of a
    workspace."""
    async with cluster_node(tmp_path) as url, connection.open(url) as both:
        with pytest.raises(UserError) as caught:
            await connection.check(both)

    assert str(caught.value) == (
        f"unix://{tmp_path}/node.sock is a Redis Cluster, which Taskwire does not support yet."
        " Set REDIS_URL to a single primary, which may have replicas."
    )


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("", NO_SCHEME),
        (f"{PASSWORD}@host", NO_SCHEME),
        (f"https://:{PASSWORD}@host", NO_SCHEME),
        (f"redis://:{PASSWORD}/x@host:6379", "REDIS_URL is not a URL."),
        (f"redis://:12#{PASSWORD}@host:6379", "REDIS_URL has a # in it."),
        (
            f"redis://:12?{PASSWORD}@host",
            "REDIS_URL has an option after its ? that Taskwire does not take for redis://.",
        ),
        (
            "redis://host?retry_on_timeout=yes",
            "REDIS_URL has an option after its ? that Taskwire does not take for redis://.",
        ),
        (
            "redis://host?ssl_ca_certs=x",
            "REDIS_URL has an option after its ? that Taskwire does not take for redis://.",
        ),
        (
            f"redis://:{PASSWORD}@host/one",
            "REDIS_URL ends in something that is not the number of a database.",
        ),
        ("redis://host?db=one", "REDIS_URL ends in something that is not the number of a database."),
        ("redis+sentinel://host", "REDIS_URL names sentinels, but not the master that they watch."),
        (
            f"redis+sentinel://:{PASSWORD}@host:port/main",
            "REDIS_URL names a sentinel that is not HOST:PORT.",
        ),
        (
            f"redis+sentinel://:{PASSWORD}@host,/main",
            "REDIS_URL names a sentinel that is not HOST:PORT.",
        ),
        (
            "redis+sentinel://host/main/one",
            "REDIS_URL ends in something that is not the number of a database.",
        ),
        (
            "redis+sentinel://host/main?master_name=main",
            "REDIS_URL has an option after its ? that Taskwire does not take for redis+sentinel://.",
        ),
        (
            "sentinel://host:26379;sentinel://host2:26379",
            "REDIS_URL names sentinels in a way that Taskwire does not know.",
        ),
    ],
)
def test_a_bad_address_is_refused_without_showing_it(url: str, sentence: str) -> None:
    """If REDIS_URL is invalid, it is refused. The error does not show the URL, because the URL may contain
    the password."""
    with pytest.raises(UserError) as caught:
        connection.open(url)

    assert caught.value.sentence == sentence
    assert caught.value.hint
    assert PASSWORD not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "where"),
    [
        ("redis://", "redis://localhost:6379"),
        (f"rediss://bot:{PASSWORD}@Redis.example:6380/2?ssl_cert_reqs=none", "rediss://redis.example:6380/2"),
        (f"unix://bot:{PASSWORD}@/run/redis.sock?db=1", "unix:///run/redis.sock?db=1"),
        (
            f"redis+sentinel://bot:{PASSWORD}@one,two:5000,[::1]:5001/main/2?sentinel_password={PASSWORD}",
            "redis+sentinel://one:26379,two:5000,[::1]:5001/main/2",
        ),
        (f"rediss+sentinel://:{PASSWORD}@one/main?ssl_cert_reqs=none", "rediss+sentinel://one:26379/main"),
    ],
)
async def test_a_good_address_is_shown_without_its_secrets(url: str, where: str) -> None:
    """The client shows a server's address without the password and other secrets."""
    async with connection.open(url) as both:
        assert both.where == where


@contextlib.asynccontextmanager
async def cluster_node(directory: Path) -> AsyncIterator[str]:
    """Run a single node of a Redis Cluster."""
    path = directory / "node.sock"
    options = {"--port": "0", "--unixsocket": str(path), "--dir": str(directory), "--cluster-enabled": "yes"}
    node = await asyncio.create_subprocess_exec(
        embedded.find_program(), *itertools.chain(*options.items()), stdout=asyncio.subprocess.PIPE
    )
    try:
        assert node.stdout
        async for line in node.stdout:
            if b"Ready to accept connections" in line:
                break
        yield f"unix://{path}"
    finally:
        node.kill()
        await node.wait()
