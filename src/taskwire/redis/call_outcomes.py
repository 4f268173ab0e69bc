"""Redis connections that tell whether a failed call may have been carried out.

    RedisError
    ├── redis-py's own   unknown outcome, unless no byte was sent: see `track_sending`
    └── RedisAway        certainly not done: this server accepts no writes now

A server that is no longer the master, has lost its replicas, or is not ready yet refuses a script. It does so
before the script's first command. Such a refusal closes the connection, so that the next call looks for the
master again. This module manages connections only; `sentinels` finds the master.
"""

import contextlib
from collections.abc import Iterable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass

from redis.asyncio import BlockingConnectionPool
from redis.asyncio.connection import AbstractConnection, Connection, SSLConnection, UnixDomainSocketConnection
from redis.connection import HiredisRespSerializer
from redis.exceptions import BusyLoadingError, ReadOnlyError, RedisError, ResponseError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.typing import EncodableT

from taskwire.redis.sentinels import Masters

# Error codes of a server that accepts no writes. If a script fails, Redis 7 and Valkey put the code at the
# beginning of the error. Redis 6.2 puts the code at a later place in the text.
REFUSALS = ("READONLY", "NOREPLICAS", "MASTERDOWN", "LOADING", "UNBLOCKED")


class RedisAway(RedisConnectionError):
    """The server accepts no writes now. Nothing was done."""


@dataclass
class SendStatus:
    """Whether any byte of a call may have been sent."""

    may_have_been_sent: bool = False


_serializer = HiredisRespSerializer()
_sent: ContextVar[SendStatus | None] = ContextVar("taskwire_redis_sent", default=None)


@contextlib.contextmanager
def track_sending() -> Iterator[SendStatus]:
    """Track whether any byte of a call in this block may have been sent."""
    sent = SendStatus()
    before = _sent.set(sent)
    try:
        yield sent
    finally:
        _sent.reset(before)


def is_refusal(error: RedisError) -> bool:
    """Return whether an error says that this server accepts no writes now."""
    if isinstance(error, ReadOnlyError | BusyLoadingError):
        return True
    text = f"{error.status_code or ''} {error}".lstrip()
    return isinstance(error, ResponseError) and any(
        text.startswith(code) or f"-{code} " in text for code in REFUSALS
    )


class _TrackedConnection(AbstractConnection):
    """The common part of all kinds of connections."""

    _is_open = False

    async def connect(self) -> None:
        """Connect if not connected yet. No byte of a call is sent before this method returns."""
        if self.is_connected:
            return
        self._is_open = False
        await super().connect()  # type: ignore[no-untyped-call] # redis-py has no types here
        await self._look()
        self._is_open = True

    async def _look(self) -> None:
        """Check that the connection leads to a server that Taskwire can use."""

    def pack_command(self, *args: EncodableT) -> list[bytes]:
        """Serialise a call with hiredis, in C. Without this, redis-py would do it in Python."""
        packed: list[bytes] = _serializer.pack(*args)  # type: ignore[arg-type] # a wrong type in redis-py
        return packed

    async def send_packed_command(
        self, command: bytes | str | Iterable[bytes], check_health: bool = True
    ) -> None:
        """Send a call, and record that the call may have been sent."""
        if not self.is_connected:
            await self.connect()
        sent = _sent.get()
        if sent is not None and self._is_open:
            sent.may_have_been_sent = True
        await super().send_packed_command(command, check_health)

    async def read_response(
        self,
        disable_decoding: bool = False,
        timeout: float | None = None,  # noqa: ASYNC109 - redis-py's signature
        *,
        disconnect_on_error: bool = True,
        push_request: bool | None = False,
    ) -> object:
        """Read an answer. If the server accepts no writes now, close the connection and raise `RedisAway`."""
        try:
            return await super().read_response(
                disable_decoding, timeout, disconnect_on_error=disconnect_on_error, push_request=push_request
            )
        except RedisError as error:
            if not is_refusal(error):
                raise
            await self.disconnect(nowait=True)
            raise RedisAway(f"{error.status_code or ''} {error}".lstrip()) from error


class TcpConnection(_TrackedConnection, Connection):
    """A connection over TCP."""


class TlsConnection(_TrackedConnection, SSLConnection):
    """A connection over TLS."""


class UnixConnection(_TrackedConnection, UnixDomainSocketConnection):
    """A connection through a Unix socket."""


class _MasterConnection(_TrackedConnection):
    """A connection to the server that the sentinels name as master.

    The pool calls `connect` before each use. When this process learns of a newer master, each connection to
    the old master is closed before its next use.
    """

    masters: Masters
    host: str
    port: int

    async def connect(self) -> None:
        """Ask the sentinels for the master, connect to that server, and check that it is a master."""
        if self.is_connected:
            if self.masters.last == (self.host, self.port):
                return
            await self.disconnect(nowait=True)
        self.host, self.port = await self.masters.find()
        await super().connect()

    async def _look(self) -> None:
        try:
            await self.send_command("ROLE", check_health=False)
            role = await self.read_response()
        except ResponseError:  # ROLE is not permitted; then the server's refusals of calls show its role
            return
        if isinstance(role, list) and role and role[0] not in ("master", b"master"):
            await self.disconnect(nowait=True)
            raise RedisAway(f"{self.host}:{self.port} is not the master yet, or not any more")


class MasterTcpConnection(_MasterConnection, Connection):
    """A TCP connection that follows the master."""


class MasterTlsConnection(_MasterConnection, SSLConnection):
    """A TLS connection that follows the master."""


class ConnectionPool(BlockingConnectionPool):
    """A connection pool. If all connections are in use, a call waits for a free connection."""

    masters: Masters | None = None

    def make_connection(self) -> AbstractConnection:
        """Make a connection. The connection follows the master if there are sentinels."""
        connection: AbstractConnection = super().make_connection()  # type: ignore[no-untyped-call] # no types
        if isinstance(connection, _MasterConnection) and self.masters is not None:
            connection.masters = self.masters
        return connection
