"""The wire: sessions that send nothing twice and nothing too late, and the line between before and after.

Both doors, `coder/` and `slack/`, talk through what is made here. It knows aiohttp, httpx and sockets, and
neither Coder nor Slack: what an answer means is theirs to say. It ends where an answer has arrived.

    NotDone
    └── TryLater
        ├── Unreachable      it broke before the first byte was written
        └── DeadlinePassed   nothing was written, because it would have been too late
    Unknown
    ├── Cut                  it broke after the first byte was written
    └── NoAnswer             the time ran out after the first byte was written

Which side of the line a failure falls on is not read from its type (httpx-aiohttp calls a server that hung up
`ConnectTimeout`) but from a mark that the request itself sets just before it writes.
"""

import asyncio
import contextlib
import os
import socket
import ssl
import struct
import time
import urllib.request
from collections.abc import Awaitable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import TypeVar
from urllib.parse import urlsplit

import aiohttp
import httpx
from aiohttp.abc import AbstractStreamWriter
from aiohttp.connector import Connection
from httpx_aiohttp import AiohttpTransport

from taskwire.domain.errors import OutsideError, TryLater, Unknown

# Less than the 5 s by which an attempt may outlast its time-out (`TurnTimes` in `queue/leases.py`): what a
# stopped process has left in the kernel is given up by then. It counts while bytes wait for the peer, not
# while the peer thinks.
USER_TIMEOUT_SECONDS = 4.0

# One non-blocking send should take a whole request, so that no rest of it waits in this process. Linux caps
# the wish at net.core.wmem_max (208 KiB unless changed), which is more than any message here.
SEND_BUFFER_BYTES = 256 * 1024

T = TypeVar("T")


class Unreachable(TryLater):
    """The connection failed before the first byte of the request was written."""


class DeadlinePassed(TryLater):
    """The deadline had passed when the request was about to be written, so nothing was."""


class ConnectionCut(Unknown):
    """The exchange broke after the request's first byte was written."""


class NoAnswer(Unknown):
    """No whole answer came in time, and the request had been written."""


@dataclass
class RequestProgress:
    """What is known of one exchange: whether its first byte may have left."""

    sent: bool = False


_deadline: ContextVar[float | None] = ContextVar("taskwire_deadline", default=None)
_wire: ContextVar[RequestProgress | None] = ContextVar("taskwire_wire", default=None)


def boottime() -> float:
    """Return seconds on a clock that goes on while the machine sleeps (Linux), else while it is awake."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if clock is None else time.clock_gettime(clock)


@contextlib.contextmanager
def deadline(at_boottime_seconds: float) -> Iterator[None]:
    """Let the requests of this block be written only before that moment of `boottime()`."""
    before = _deadline.set(at_boottime_seconds)
    try:
        yield
    finally:
        _deadline.reset(before)


async def exchange(what: str, timeout_seconds: float, call: Awaitable[T]) -> T:
    """Await one call (a coroutine not yet started), under a time-out, and sort what breaks.

    Raises `Unreachable` or `DeadlinePassed` if nothing was written, `NoAnswer` or `Cut` if something may
    have been. An `OutsideError` from the call and a cancellation pass unchanged. What broke is kept as text,
    not as a chained exception: those hold the request, and with it the token.
    """
    wire = RequestProgress()
    before = _wire.set(wire)
    try:
        async with asyncio.timeout(timeout_seconds):
            return await call
    except OutsideError:
        raise
    except Exception as exc:  # noqa: BLE001 - whatever broke, all that counts is whether bytes had left
        broken = _sorted(what, wire, exc)
    finally:
        _wire.reset(before)
    raise broken


def _sorted(what: str, wire: RequestProgress, exc: Exception) -> OutsideError:
    cause = exc.__cause__ if isinstance(exc, httpx.HTTPError) and exc.__cause__ else exc
    text = f"{what}: {_words(cause)}"
    if not wire.sent:
        return Unreachable(text)
    return NoAnswer(text) if isinstance(cause, TimeoutError) else ConnectionCut(text)


def _words(cause: BaseException) -> str:
    """Say in the system's words why there is no connection; the client's are for programmers."""
    if isinstance(cause, aiohttp.ClientConnectorCertificateError):
        why = getattr(cause.certificate_error, "verify_message", "") or "it does not fit the name"
        known = "SSL_CERT_FILE names a file with those that are"
        return f"the certificate of {cause.host}:{cause.port} is not trusted here ({why}); {known}"
    if isinstance(cause, aiohttp.ClientConnectorSSLError):
        # Its number is not one of the system's.
        return f"TLS failed ({getattr(cause.os_error, 'reason', '')}; {cause.host}:{cause.port})"
    if isinstance(cause, aiohttp.ClientConnectorError) and cause.errno:
        why = os.strerror(cause.errno) if cause.errno > 0 else cause.strerror
        return f"{why} ({cause.host}:{cause.port})"
    return f"{type(cause).__name__} {cause}".rstrip()


def _look(conn: Connection) -> None:
    """Mark the exchange as sent, unless it is too late or there is no connection any more."""
    if conn.transport is None or conn.transport.is_closing():
        raise aiohttp.ClientConnectionResetError("the connection closed before the request was written")
    at = _deadline.get()
    if at is not None and boottime() >= at:
        raise DeadlinePassed(f"the deadline passed {boottime() - at:.3f} s before the request was written")
    wire = _wire.get()
    if wire is not None:
        wire.sent = True


class _Request(aiohttp.ClientRequest):
    """Looks at the deadline where nothing awaits any more before `transport.write`.

    Read in aiohttp 3.14: `send` only buffers the headers. Without a body it then calls `writer.set_eof()`,
    which writes them, and nothing before it suspends (`write_headers` awaits only trace hooks, and the
    sessions made here have none). With a body they are written together with its first piece, inside
    `write_bytes`, which on Python 3.11 runs a turn of the loop later in a task of its own; from its first
    line to the write nothing suspends for bytes, text, JSON and forms (only for trace hooks, compression,
    `Expect: 100-continue` and bodies read from a file, and nothing here uses those). So the look stands in
    both places.
    """

    async def send(self, conn: Connection) -> aiohttp.ClientResponse:
        """Send the request, unless it has no body and its deadline has passed."""
        if not self._body:
            _look(conn)
        return await super().send(conn)

    async def write_bytes(
        self, writer: AbstractStreamWriter, conn: Connection, content_length: int | None = None
    ) -> None:
        """Write headers and body, unless the deadline has passed."""
        try:
            _look(conn)
        except (TryLater, aiohttp.ClientError) as refused:
            # This may run in a task that nobody awaits: the reader of the answer is who hears of it.
            if conn.protocol is not None:
                conn.protocol.set_exception(refused)
            return
        await super().write_bytes(writer, conn, content_length)


class _Response(aiohttp.ClientResponse):
    """Aborts the connection when no answer is awaited any more.

    aiohttp closes it, and a closing asyncio transport first writes what it still has buffered.
    """

    async def start(self, connection: Connection) -> aiohttp.ClientResponse:
        """Read the answer's head, or leave nothing behind that could still be sent."""
        transport = connection.transport
        try:
            return await super().start(connection)
        except BaseException:
            if transport is not None:
                transport.abort()
            raise


def make_socket(addr: aiohttp.AddrInfoType) -> socket.socket:
    """Make a socket whose close takes back what has not been delivered yet.

    After a plain close the kernel goes on delivering; with SO_LINGER (1, 0) it resets instead, also when the
    process is killed. TCP_USER_TIMEOUT (Linux) does the same for a process that is stopped.
    """
    family, kind, proto, _, _ = addr
    made = socket.socket(family, kind, proto)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    made.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(USER_TIMEOUT_SECONDS * 1000))
    return made


def proxy_for(url: str) -> str | None:
    """Return the proxy that the environment names for this address, honouring NO_PROXY."""
    parts = urlsplit(url)
    if urllib.request.proxy_bypass(parts.hostname or ""):
        return None
    return urllib.request.getproxies().get(parts.scheme)


def make_session(*, proxy: str | None = None, connections: int = 64) -> aiohttp.ClientSession:
    """Make the session that a door sends through: nothing is repeated, no cookie is kept.

    Coder takes a cookie before it takes a header, so one account's cookie must never travel with another's
    call. `trust_env` stays off: it would read ~/.netrc at every request and send what it finds there. Pass
    `proxy_for(url)` where the environment's proxy is wanted. Call it inside the running loop.
    """
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=connections, socket_factory=make_socket),
        request_class=_Request,
        response_class=_Response,
        cookie_jar=aiohttp.DummyCookieJar(),
        proxy=proxy,
    )
    # aiohttp repeats GET, PUT and DELETE once when a kept connection breaks; there is no public switch.
    session._retry_connection = False  # noqa: SLF001 - the only switch; held by a test
    return session


def make_http_client(session: aiohttp.ClientSession, *, user_agent: str = "taskwire") -> httpx.AsyncClient:
    """Make the httpx client over that session: no redirects, no cookies. Closing it closes both."""
    client = httpx.AsyncClient(
        # It would make a TLS context of its own, which takes longer than all the rest, and never use it.
        transport=AiohttpTransport(client=session, verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)),
        headers={"User-Agent": user_agent},
        follow_redirects=False,
        trust_env=False,  # with a transport of its own httpx asks the environment for nothing
    )
    client.cookies.jar = CookieJar(DefaultCookiePolicy(allowed_domains=[]))
    return client
