"""The two ways to reach Redis, and what has to be true of the one that is reached.

Neither client retries on its own: redis-py's default repeats a command whose answer was lost, which makes
one write two. Whoever may repeat a command does so itself, and cuts a shorter time with `asyncio.timeout`; a
call that is cut takes its connection with it, so that a late answer cannot become another call's.

No connection is kept in SUBSCRIBE, where Redis refuses all else and a lost word is lost; waiting is done with
BLPOP and BRPOP on the client that is made for it.
"""

import os
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self
from urllib.parse import SplitResult, parse_qs, urlsplit

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    RedisError,
    ResponseError,
)
from redis.exceptions import TimeoutError as RedisTimeoutError

from taskwire.model.errors import UserError

OLDEST = (6, 2)

CONNECT_SECONDS = 2.0
COMMAND_SECONDS = 5.0  # for an answer; a disk that has to sync each write can stall for a second or two
BLOCK_SECONDS = 2.0  # the longest that a caller may ask `blocking` to wait
BLOCKING_SECONDS = BLOCK_SECONDS + 3.0  # longer than any block, or an idle wait would look like a dead server
POOL_SECONDS = 5.0  # for a free connection
COMMAND_CONNECTIONS, BLOCKING_CONNECTIONS = 32, 4
HEALTH_CHECK_SECONDS = 30  # a firewall forgets idle connections without a word

SCHEMES = ("redis", "rediss", "unix")
OPTIONS = frozenset({"db", "username", "password"})
TLS_OPTIONS = frozenset(
    f"ssl_{name}"
    for name in ("ca_certs", "ca_path", "certfile", "keyfile", "password", "cert_reqs", "check_hostname")
)
EXAMPLE = "It looks like redis://host:6379/0, rediss://… for TLS, or unix:///path/to/socket."
ESCAPES = "In a password, write %2F for /, %40 for @, %3A for :, %23 for # and %3F for ?."


@dataclass(frozen=True)
class Connections:
    """The two clients of a process. `where` is the server's place without its password, for people."""

    commands: Redis
    blocking: Redis
    where: str

    async def close(self) -> None:
        """Give all connections back."""
        await self.blocking.aclose()
        await self.commands.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


@dataclass(frozen=True)
class StoreHealth:
    """What the server tells of itself. None: it does not tell, as managed ones often do not."""

    engine: str
    version: str | None
    run_id: str | None
    role: str | None
    appends: bool | None
    fsync: str | None
    eviction: str | None


def open(url: str) -> Connections:  # noqa: A001 - read as `connection.open`; no file is opened here
    """Make both clients; nothing is sent before the first command. UserError if the URL is no good."""
    where = _place(url)
    commands = _client(url, COMMAND_SECONDS, COMMAND_CONNECTIONS)
    return Connections(commands, _client(url, BLOCKING_SECONDS, BLOCKING_CONNECTIONS), where)


def _client(url: str, answer_seconds: float, connections: int) -> Redis:
    pool = BlockingConnectionPool.from_url(
        url,
        timeout=POOL_SECONDS,
        max_connections=connections,
        socket_timeout=answer_seconds,
        socket_connect_timeout=CONNECT_SECONDS,
        retry=Retry(NoBackoff(), 0),
        health_check_interval=HEALTH_CHECK_SECONDS,
        decode_responses=True,
        protocol=2,  # the same shapes from every server, and no HELLO, which some proxies do not know
    )
    return Redis.from_pool(pool)


def _place(url: str) -> str:
    """Check the URL and take the secrets out. The texts never quote it: a wrong one may be all password."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:  # its own text quotes the URL
        raise UserError("REDIS_URL is not a URL.", f"{EXAMPLE} {ESCAPES}") from None
    if parts.fragment:
        raise UserError("REDIS_URL has a # in it.", ESCAPES)
    if "sentinel" in parts.scheme:
        raise UserError(
            "REDIS_URL names a Sentinel, which Taskwire cannot use yet.", "Name the primary itself."
        )
    if parts.scheme not in SCHEMES:
        raise UserError("REDIS_URL does not begin with redis://, rediss:// or unix://.", EXAMPLE)
    _check_options(parts)
    if parts.scheme == "unix":
        return f"unix://{parts.path}"
    return f"{parts.scheme}://{parts.hostname or 'localhost'}:{port or 6379}"


def _check_options(parts: SplitResult) -> None:
    """Refuse what redis-py would let override ours, time-outs and retries above all, or not understand."""
    allowed = OPTIONS | TLS_OPTIONS if parts.scheme == "rediss" else OPTIONS
    options = parse_qs(parts.query, keep_blank_values=True)
    if not allowed.issuperset(options):
        raise UserError(
            f"REDIS_URL has an option after its ? that Taskwire does not take for {parts.scheme}://.",
            f"These can be set: {', '.join(sorted(allowed))}.",
        )
    database = options.get("db", [parts.path.strip("/")])[0]
    if parts.scheme != "unix" and not re.fullmatch(r"\d*", database):  # redis-py would quietly take 0
        raise UserError("REDIS_URL ends in something that is not the number of a database.", EXAMPLE)


async def check(connections: Connections) -> StoreHealth:
    """Ask the server what it is. UserError if it cannot be reached, is too old, or is a Cluster."""
    try:
        await connections.commands.ping()
        told = await _told(connections.commands)
        fsync = await _fsync(connections.commands)
    except (RedisError, OSError) as error:
        raise _unreachable(connections.where, error) from error
    _refuse_unsupported(told, connections.where)
    return StoreHealth(
        engine="valkey" if "valkey_version" in told else "redis",
        version=told.get("valkey_version") or told.get("redis_version"),
        run_id=told.get("run_id"),
        role=told.get("role"),
        appends=told["aof_enabled"] == "1" if "aof_enabled" in told else None,
        fsync=fsync,
        eviction=told.get("maxmemory_policy"),
    )


async def _told(client: Redis) -> Mapping[str, str]:
    try:
        info = await client.info()
    except ResponseError:  # not permitted, or taken out, as a managed server may
        return {}
    return {name: str(value) for name, value in info.items()}


async def _fsync(client: Redis) -> str | None:
    try:
        return (await client.config_get("appendfsync")).get("appendfsync")
    except ResponseError:
        return None


def _refuse_unsupported(told: Mapping[str, str], where: str) -> None:
    if told.get("cluster_enabled") == "1":
        raise UserError(
            f"{where} is a Redis Cluster, which Taskwire does not support yet.",
            "Set REDIS_URL to a single primary, which may have replicas.",
        )
    version = told.get("redis_version", "")  # Valkey says here with which Redis it is compatible
    if version and tuple(int(number) for number in re.findall(r"\d+", version)[:2]) < OLDEST:
        raise UserError(
            f"{where} runs Redis {version}; Taskwire needs 6.2 or later.", "Use a newer Redis, or any Valkey."
        )


def _unreachable(where: str, error: Exception) -> UserError:
    if isinstance(error, AuthenticationError):
        return UserError(f"{where} refuses the user name or password.", "Correct them in REDIS_URL.")
    if isinstance(error, BusyLoadingError):
        return UserError(f"{where} is still loading its data.", "Start again in a minute.")
    return UserError(
        f"{where} cannot be reached: {_reason(error)}.",
        "Check REDIS_URL, and that Redis or Valkey runs there.",
    )


def _reason(error: BaseException | None) -> str:
    """Say why in the system's words; redis-py's own are for programmers."""
    while error:
        if isinstance(error, RedisTimeoutError | TimeoutError):
            return "no answer in time"
        if isinstance(error, ssl.SSLError):
            return f"TLS failed ({error.reason})"
        if isinstance(error, OSError) and error.errno:
            return os.strerror(error.errno) if error.errno > 0 else str(error.strerror)
        last, error = error, error.__cause__ or error.__context__
    return str(last)
