"""Lines to a server: connections that tell what is known of a call that failed.

    RedisError
    ├── redis-py's own   of unknown outcome, unless nothing had left: see `leaving`
    └── Away             surely nothing was carried out: this server takes no writes now

A server that is no master any more, cut from its replicas, or not ready yet refuses before it has carried out
a word of a script. Its connection is dropped with the refusal, so that the next call looks for the master
anew. Ends at a connected line; who the master is the `sentinels` know.
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

# Redis 7 and Valkey begin the answer of a failed script with the command's own code; 6.2 has it further on.
REFUSALS = ("READONLY", "NOREPLICAS", "MASTERDOWN", "LOADING", "UNBLOCKED")


class RedisAway(RedisConnectionError):
    """Surely nothing was carried out: the server that was reached is not one that takes writes now."""


@dataclass
class Sent:
    """What is known of one call: whether a byte of it may have left."""

    is_possible: bool = False


_serializer = HiredisRespSerializer()
_sent: ContextVar[Sent | None] = ContextVar("taskwire_redis_sent", default=None)


@contextlib.contextmanager
def leaving() -> Iterator[Sent]:
    """Note of the calls in this block whether any of them may have been sent."""
    sent = Sent()
    before = _sent.set(sent)
    try:
        yield sent
    finally:
        _sent.reset(before)


def is_refusal(error: RedisError) -> bool:
    """Whether an answer says that this server takes no writes now."""
    if isinstance(error, ReadOnlyError | BusyLoadingError):
        return True
    text = f"{error.status_code or ''} {error}".lstrip()
    return isinstance(error, ResponseError) and any(
        text.startswith(code) or f"-{code} " in text for code in REFUSALS
    )


class _Line(AbstractConnection):
    """What all kinds of connections have in common."""

    _is_open = False

    async def connect(self) -> None:
        """Connect, unless that is done; nothing of a call has left before."""
        if self.is_connected:
            return
        self._is_open = False
        await super().connect()  # type: ignore[no-untyped-call] # redis-py says nothing of it
        await self._look()
        self._is_open = True

    async def _look(self) -> None:
        """See that this is a server to talk to."""

    def pack_command(self, *args: EncodableT) -> list[bytes]:
        """Write a call as it is sent, in C as redis-py does it where it is not asynchronous."""
        packed: list[bytes] = _serializer.pack(*args)  # type: ignore[arg-type] # redis-py's own slip
        return packed

    async def send_packed_command(
        self, command: bytes | str | Iterable[bytes], check_health: bool = True
    ) -> None:
        """Send a call, and note that it may have left."""
        if not self.is_connected:
            await self.connect()
        sent = _sent.get()
        if sent is not None and self._is_open:
            sent.is_possible = True
        await super().send_packed_command(command, check_health)

    async def read_response(
        self,
        disable_decoding: bool = False,
        timeout: float | None = None,  # noqa: ASYNC109 - as redis-py has it
        *,
        disconnect_on_error: bool = True,
        push_request: bool | None = False,
    ) -> object:
        """Read an answer; a refusal drops the connection and raises `Away`."""
        try:
            return await super().read_response(
                disable_decoding, timeout, disconnect_on_error=disconnect_on_error, push_request=push_request
            )
        except RedisError as error:
            if not is_refusal(error):
                raise
            await self.disconnect(nowait=True)
            raise RedisAway(f"{error.status_code or ''} {error}".lstrip()) from error


class Line(_Line, Connection):
    """A line over TCP."""


class TlsLine(_Line, SSLConnection):
    """A line over TLS."""


class UnixLine(_Line, UnixDomainSocketConnection):
    """A line through a Unix socket."""


class _ToTheMaster(_Line):
    """A line to whom the sentinels call the master when it connects, and to nobody else.

    The pool calls `connect` before each use, so that a line to an earlier master goes as soon as any line of
    this process has heard of a newer one.
    """

    masters: Masters
    host: str
    port: int

    async def connect(self) -> None:
        """Ask for the master, connect to it, and see that it is one."""
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
        except ResponseError:  # not permitted: then its refusals will tell
            return
        if isinstance(role, list) and role and role[0] not in ("master", b"master"):
            await self.disconnect(nowait=True)
            raise RedisAway(f"{self.host}:{self.port} is not the master yet, or not any more")


class MasterLine(_ToTheMaster, Connection):
    """A line over TCP that follows the master."""


class MasterTlsLine(_ToTheMaster, SSLConnection):
    """A line over TLS that follows the master."""


class Lines(BlockingConnectionPool):
    """A pool of lines; more calls than connections wait their turn."""

    masters: Masters | None = None

    def make_connection(self) -> AbstractConnection:
        """Make a line that knows whom to follow."""
        line: AbstractConnection = super().make_connection()  # type: ignore[no-untyped-call] # nor of this
        if isinstance(line, _ToTheMaster) and self.masters is not None:
            line.masters = self.masters
        return line
