"""Makes the two clients for Redis, and checks the server that they reach.

Neither client retries. By default, redis-py repeats a command whose answer was lost, which would write twice.
If a command may be repeated, its caller repeats it. If a caller needs a shorter timeout, it uses
`asyncio.timeout`: a cancelled call closes its connection, so that a late answer cannot reach another call.

No connection uses SUBSCRIBE. In that mode Redis refuses all other commands, and a missed message is lost.
Waiting uses BLPOP and BRPOP on the blocking client.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self, TypeVar, cast

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.connection import AbstractConnection, Connection, SSLConnection, parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    NoPermissionError,
    RedisError,
    ResponseError,
)

from taskwire.domain import addresses
from taskwire.domain.addresses import RedisAddress
from taskwire.domain.errors import UserError
from taskwire.redis import call_outcomes, sentinels
from taskwire.redis.call_outcomes import ConnectionPool
from taskwire.redis.error_reasons import TRUST_HINT, is_distrust, reason
from taskwire.redis.passwords import Password
from taskwire.redis.sentinels import Masters, NoMaster
from taskwire.redis.write_log import WriteLog

OLDEST = (6, 2)

CONNECT_SECONDS = 2.0
COMMAND_SECONDS = 5.0  # for an answer; a disk that syncs each write can stall for one or two seconds
BLOCK_SECONDS = 2.0  # longest wait that a caller may request on the blocking client
# Longer than any wait of a caller, so that an idle wait does not look like a dead server.
BLOCKING_SECONDS = BLOCK_SECONDS + 3.0
POOL_SECONDS = 5.0  # for a free connection of the pool
COMMAND_CONNECTIONS, BLOCKING_CONNECTIONS = 32, 4
HEALTH_CHECK_SECONDS = 30  # firewalls drop idle connections silently

E = TypeVar("E", bound=RedisError)

_CONNECTION_CLASSES: Mapping[str, type[AbstractConnection]] = {
    "redis": call_outcomes.TcpConnection,
    "rediss": call_outcomes.TlsConnection,
    "unix": call_outcomes.UnixConnection,
}
_MASTER_CONNECTION_CLASSES: Mapping[str, type[AbstractConnection]] = {
    "redis": call_outcomes.MasterTcpConnection,
    "rediss": call_outcomes.MasterTlsConnection,
}


@dataclass
class Connections:
    """The two Redis clients of a process. `where` is the server's address for people, without its password.

    A claim or an intent record counts only if it is on `required_replicas` replicas. `check` and
    `read_required_replicas` set this number. `is_embedded` is true if this process runs the server itself. An
    embedded server still has all its data after a restart.
    """

    commands: Redis
    blocking: Redis
    where: str
    masters: Masters | None = None
    password: Password = field(default_factory=Password)
    required_replicas: int = 0
    is_embedded: bool = False
    write_log: WriteLog = field(default_factory=WriteLog)

    async def close(self) -> None:
        """Close all connections."""
        await self.blocking.aclose()
        await self.commands.aclose()
        if self.masters is not None:
            await self.masters.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


@dataclass(frozen=True)
class StoreHealth:
    """The server's facts about itself.

    A field is None if the server hides it, as managed servers often do.
    """

    engine: str
    version: str | None
    run_id: str | None
    role: str | None
    is_append_only: bool | None
    fsync: str | None
    eviction_policy: str | None
    replicas: int | None = None
    # `min-replicas-to-write`: the number of replicas that a write needs.
    required_replicas: int | None = None
    used_bytes: int | None = None
    # The memory limit of the server; 0 means no limit.
    max_bytes: int | None = None

    @property
    def is_managed(self) -> bool:
        """Return whether Taskwire cannot read the server's configuration, as with managed servers."""
        return self.fsync is None


def open(url: str, *, command_seconds: float = COMMAND_SECONDS, is_raw: bool = False) -> Connections:  # noqa: A001 - read as `connection.open`; no file is opened here
    """Make the command client and the blocking client. Nothing is sent before the first command.

    With `is_raw`, the clients return undecoded bytes. Raises `UserError` for an invalid URL.
    """
    address = addresses.parse_redis_url(url)
    masters = _masters(address) if address.sentinels else None
    password = Password()
    commands = _client(address, masters, password, command_seconds, COMMAND_CONNECTIONS, is_raw=is_raw)
    blocking = _client(address, masters, password, BLOCKING_SECONDS, BLOCKING_CONNECTIONS, is_raw=is_raw)
    return Connections(commands, blocking, address.display_url, masters, password)


def _client(
    address: RedisAddress,
    masters: Masters | None,
    password: Password,
    answer_seconds: float,
    connections: int,
    *,
    is_raw: bool,
) -> Redis:
    options = cast("dict[str, Any]", parse_url(address.url))
    password.replace(options.pop("username", None), options.pop("password", None))
    # If no class were set here, redis-py would choose its own connection classes for TLS and for Unix
    # sockets.
    classes = _CONNECTION_CLASSES if masters is None else _MASTER_CONNECTION_CLASSES
    options["connection_class"] = classes[address.scheme]
    pool = ConnectionPool(
        **options,
        credential_provider=password.provider,
        timeout=POOL_SECONDS,
        max_connections=connections,
        socket_timeout=answer_seconds,
        socket_connect_timeout=CONNECT_SECONDS,
        retry=Retry(NoBackoff(), 0),
        health_check_interval=HEALTH_CHECK_SECONDS,
        decode_responses=not is_raw,
        driver_info=None,  # saves the round trip that tells the server redis-py's version
        protocol=2,  # answers have the same shapes on every server, and some proxies do not know HELLO
    )
    pool.masters = masters
    return Redis.from_pool(pool)


def is_same_place(connections: Connections, url: str) -> bool:
    """Return whether this URL leads to the database of these clients.

    Raises `UserError` for an invalid URL.
    """
    return addresses.parse_redis_url(url).display_url == connections.where


def use_password(connections: Connections, url: str) -> None:
    """Use the user and the password of this URL for new connections. Open connections stay open."""
    address = addresses.parse_redis_url(url)
    options = cast("dict[str, Any]", parse_url(address.url))
    connections.password.replace(options.get("username"), options.get("password"))
    if connections.masters is not None:
        connections.masters.password.replace(address.sentinel_username, address.sentinel_password)


def _masters(address: RedisAddress) -> Masters:
    """Return clients for the sentinels.

    The clients use the TLS options of Redis, but not the user and the password of Redis.
    """
    kind = SSLConnection if address.scheme == "rediss" else Connection
    options = cast("dict[str, Any]", parse_url(address.url))
    tls = {name: value for name, value in options.items() if name.startswith("ssl_")}
    clients, password = [], Password(address.sentinel_username, address.sentinel_password)
    for host, port in address.sentinels:
        pool = BlockingConnectionPool(
            connection_class=kind,
            host=host,
            port=port,
            credential_provider=password.provider,
            timeout=sentinels.ANSWER_SECONDS,
            max_connections=sentinels.CONNECTIONS,
            socket_timeout=sentinels.ANSWER_SECONDS,
            socket_connect_timeout=sentinels.ANSWER_SECONDS,
            retry=Retry(NoBackoff(), 0),
            decode_responses=True,
            protocol=2,
            **tls,
        )
        clients.append(Redis.from_pool(pool))
    return Masters(address, clients, password)


async def check(connections: Connections) -> StoreHealth:
    """Ask the server for its version and its role. Store how many replicas a claim or an intent record needs.

    Raises `UserError` if the server cannot be reached, is too old, or is a Redis Cluster.
    """
    try:
        await connections.commands.ping()
        info = await _read_info(connections.commands)
        fsync = await _read_config(connections.commands, "appendfsync")
        copies = await _find_required_replicas(connections.commands, info)
    except NoPermissionError as error:
        said = f"The user in REDIS_URL may not even PING {connections.where}."
        raise UserError(said, "Let it: ACL SETUSER … +@connection.") from error
    except (RedisError, OSError) as error:
        raise _unreachable(connections.where, error) from error
    _refuse_unsupported(info, connections.where)
    connections.required_replicas = copies or 0
    return StoreHealth(
        engine="valkey" if "valkey_version" in info else "redis",
        version=info.get("valkey_version") or info.get("redis_version"),
        run_id=info.get("run_id"),
        role=info.get("role"),
        is_append_only=info["aof_enabled"] == "1" if "aof_enabled" in info else None,
        fsync=fsync,
        eviction_policy=info.get("maxmemory_policy"),
        replicas=int(info["connected_slaves"]) if "connected_slaves" in info else None,
        required_replicas=copies,
        used_bytes=int(info["used_memory"]) if "used_memory" in info else None,
        max_bytes=int(info["maxmemory"]) if "maxmemory" in info else None,
    )


async def read_required_replicas(connections: Connections) -> None:
    """Read `min-replicas-to-write` again, because the setting or the master may have changed."""
    configured = await _read_config(connections.commands, "min-replicas-to-write")
    if configured is not None:
        connections.required_replicas = int(configured)


async def _read_info(client: Redis) -> Mapping[str, str]:
    try:
        info = await client.info()
    except ResponseError:  # a managed server may forbid or remove INFO
        return {}
    return {name: str(value) for name, value in info.items()}


async def _read_config(client: Redis, name: str) -> str | None:
    try:
        return (await client.config_get(name)).get(name)
    except ResponseError:
        return None


async def _find_required_replicas(client: Redis, info: Mapping[str, str]) -> int | None:
    """Return how many replicas a write needs; None if that is not known.

    If the server does not allow CONFIG, return 1 if INFO shows that writes need replicas, and None otherwise.
    """
    configured = await _read_config(client, "min-replicas-to-write")
    if configured is not None:
        return int(configured)
    return 1 if "min_slaves_good_slaves" in info else None


def _refuse_unsupported(info: Mapping[str, str], where: str) -> None:
    if info.get("cluster_enabled") == "1":
        raise UserError(
            f"{where} is a Redis Cluster, which Taskwire does not support yet.",
            "Set REDIS_URL to a single primary, which may have replicas.",
        )
    version = info.get(
        "redis_version", ""
    )  # Valkey gives in this field the Redis version with which it is compatible
    if version and tuple(int(number) for number in re.findall(r"\d+", version)[:2]) < OLDEST:
        raise UserError(
            f"{where} runs Redis {version}; Taskwire needs 6.2 or later.", "Use a newer Redis, or any Valkey."
        )


def _unreachable(where: str, error: BaseException) -> UserError:
    if no_master := _caused_by(error, NoMaster):
        return UserError(no_master.sentence, no_master.hint)
    if _caused_by(error, AuthenticationError):
        return UserError(f"{where} refuses the user name or password.", "Correct them in REDIS_URL.")
    if _caused_by(error, BusyLoadingError):
        return UserError(f"{where} is still loading its data.", "Start again in a minute.")
    hint = TRUST_HINT if is_distrust(error) else "Check REDIS_URL, and that Redis or Valkey runs there."
    return UserError(f"{where} cannot be reached: {reason(error)}.", hint)


def _caused_by(error: BaseException | None, kind: type[E]) -> E | None:
    """Return the first error of this kind in an error's chain of causes."""
    while error is not None:
        if isinstance(error, kind):
            return error
        error = error.__cause__
    return None
