"""Sends HTTP requests, none twice and none after its deadline. Each error says whether anything was sent.

The clients in `coder/` and `slack/` use the sessions that this module makes. This module knows aiohttp, httpx
and sockets. It knows neither Coder nor Slack, so the clients decide what an answer means.

    NotDone
    └── TryLater
        ├── Unreachable      the connection failed before the first byte was written
        └── DeadlinePassed   nothing was written, because it would have been too late
    OutcomeUnknown
    ├── ConnectionCut        the connection broke after the first byte was written
    └── NoAnswer             the time ran out after the first byte was written

The library's exceptions do not say whether a byte was written: httpx-aiohttp raises `ConnectTimeout` for a
server that closed the connection. So the request itself sets a mark just before it writes.
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

from taskwire.domain.errors import OutcomeUnknown, OutsideError, TryLater

# In seconds. This time must be below the 5 s for which an attempt may still take effect after its timeout
# (`late_arrival_ms` in `queue/leases.py`). The kernel then discards in time the bytes that a stopped process
# left in it. The time counts while bytes wait for the peer, and not while the peer prepares its answer.
USER_TIMEOUT_SECONDS = 4.0

# In bytes. One non-blocking send should take a whole request, so that no part of it waits in this process.
# Linux limits this to net.core.wmem_max (208 KiB unless changed), which is more than any message here.
SEND_BUFFER_BYTES = 256 * 1024

T = TypeVar("T")


class Unreachable(TryLater):
    """The connection failed before the first byte of the request was written."""


class DeadlinePassed(TryLater):
    """The deadline had passed before the request was written, so nothing was written."""


class ConnectionCut(OutcomeUnknown):
    """The exchange broke after the request's first byte was written."""


class NoAnswer(OutcomeUnknown):
    """No complete answer came in time after the request was written."""


@dataclass
class RequestProgress:
    """What is known of one exchange. If `sent` is true, the first byte may have left this process."""

    sent: bool = False


_deadline: ContextVar[float | None] = ContextVar("taskwire_deadline", default=None)
_progress: ContextVar[RequestProgress | None] = ContextVar("taskwire_wire", default=None)


def boottime() -> float:
    """Return seconds on a clock that, on Linux, also runs while the machine sleeps."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if clock is None else time.clock_gettime(clock)


@contextlib.contextmanager
def deadline(at_boottime_seconds: float) -> Iterator[None]:
    """Let the requests of this block be written only before this time of `boottime()`."""
    previous = _deadline.set(at_boottime_seconds)
    try:
        yield
    finally:
        _deadline.reset(previous)


async def exchange(what: str, timeout_seconds: float, call: Awaitable[T]) -> T:
    """Await one call (a coroutine that has not started) under a timeout, and turn each failure into an error
    of ours.

    Raise `Unreachable` or `DeadlinePassed` if nothing was written. Raise `NoAnswer` or `ConnectionCut` if
    something may have been written. An `OutsideError` from the call, and a cancellation, are raised
    unchanged. The raised error has the library's exception only as text, because the exception object would
    hold the request and its token.
    """
    progress = RequestProgress()
    previous = _progress.set(progress)
    try:
        async with asyncio.timeout(timeout_seconds):
            return await call
    except OutsideError:
        raise
    except Exception as exc:  # noqa: BLE001 - for any failure, only this counts: whether bytes had left
        failure = _classify(what, progress, exc)
    finally:
        _progress.reset(previous)
    raise failure


def _classify(what: str, progress: RequestProgress, exc: Exception) -> OutsideError:
    cause = exc.__cause__ if isinstance(exc, httpx.HTTPError) and exc.__cause__ else exc
    text = f"{what}: {_describe(cause)}"
    if not progress.sent:
        return Unreachable(text)
    return NoAnswer(text) if isinstance(cause, TimeoutError) else ConnectionCut(text)


def _describe(cause: BaseException) -> str:
    """Return why there is no connection, in the operating system's words if it gave any.

    The words of the HTTP library are for programmers.
    """
    if isinstance(cause, aiohttp.ClientConnectorCertificateError):
        why = getattr(cause.certificate_error, "verify_message", "") or "it does not fit the name"
        known = "SSL_CERT_FILE names a file with those that are"
        return f"the certificate of {cause.host}:{cause.port} is not trusted here ({why}); {known}"
    if isinstance(cause, aiohttp.ClientConnectorSSLError):
        # This error number comes from the TLS library, not from the operating system.
        return f"TLS failed ({getattr(cause.os_error, 'reason', '')}; {cause.host}:{cause.port})"
    if isinstance(cause, aiohttp.ClientConnectorError) and cause.errno:
        why = os.strerror(cause.errno) if cause.errno > 0 else cause.strerror
        return f"{why} ({cause.host}:{cause.port})"
    return f"{type(cause).__name__} {cause}".rstrip()


def _mark_sent(conn: Connection) -> None:
    """Mark the exchange as sent. Raise an error if the deadline has passed or the connection is closed."""
    if conn.transport is None or conn.transport.is_closing():
        raise aiohttp.ClientConnectionResetError("the connection closed before the request was written")
    at = _deadline.get()
    if at is not None and boottime() >= at:
        raise DeadlinePassed(f"the deadline passed {boottime() - at:.3f} s before the request was written")
    progress = _progress.get()
    if progress is not None:
        progress.sent = True


class _Request(aiohttp.ClientRequest):
    """Checks the deadline just before the request is written, when nothing can delay the write any more.

    In aiohttp 3.14 a request without a body is written inside `send`. A request with a body is written inside
    `write_bytes`, which on Python 3.11 runs later, in a task of its own. So the deadline is checked at the
    beginning of both. From there to the write, aiohttp would await only trace hooks, compression, `Expect:
    100-continue` or a body from a file. Taskwire uses none of them.
    """

    async def send(self, conn: Connection) -> aiohttp.ClientResponse:
        """Send the request, unless it has no body and the deadline has passed."""
        if not self._body:
            _mark_sent(conn)
        return await super().send(conn)

    async def write_bytes(
        self, writer: AbstractStreamWriter, conn: Connection, content_length: int | None = None
    ) -> None:
        """Write headers and body, unless the deadline has passed."""
        try:
            _mark_sent(conn)
        except (TryLater, aiohttp.ClientError) as refused:
            # This may run in a task that nobody awaits, so the error is given to the reader of the answer.
            if conn.protocol is not None:
                conn.protocol.set_exception(refused)
            return
        await super().write_bytes(writer, conn, content_length)


class _Response(aiohttp.ClientResponse):
    """Aborts the connection when nobody waits for the answer any more.

    aiohttp would only close the connection, and a closing asyncio transport first writes the bytes in its
    buffer.
    """

    async def start(self, connection: Connection) -> aiohttp.ClientResponse:
        """Read the head of the answer. After a failure, leave nothing behind that could still be sent."""
        transport = connection.transport
        try:
            return await super().start(connection)
        except BaseException:
            if transport is not None:
                transport.abort()
            raise


def make_socket(addr: aiohttp.AddrInfoType) -> socket.socket:
    """Make a socket that discards undelivered bytes when it is closed.

    After a plain close the kernel goes on delivering. With SO_LINGER (1, 0) the kernel resets the connection
    instead, even when the process is killed. With TCP_USER_TIMEOUT (Linux) the kernel also discards the bytes
    if the process is stopped and the peer does not accept them.
    """
    family, kind, proto, _, _ = addr
    made = socket.socket(family, kind, proto)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    made.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(USER_TIMEOUT_SECONDS * 1000))
    return made


def proxy_for(url: str) -> str | None:
    """Return the proxy that the environment names for this address; None if NO_PROXY excludes the address."""
    parts = urlsplit(url)
    if urllib.request.proxy_bypass(parts.hostname or ""):
        return None
    return urllib.request.getproxies().get(parts.scheme)


def make_session(*, proxy: str | None = None, connections: int = 64) -> aiohttp.ClientSession:
    """Make the session through which a client sends. The session repeats no request and keeps no cookie.

    Coder reads a cookie before it reads a header, so the cookie of one account must never be sent with the
    call of another account. `trust_env` stays off, because aiohttp would then read ~/.netrc at every request
    and send the passwords in it. Pass `proxy_for(url)` to use the environment's proxy. Call this inside the
    running loop.
    """
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=connections, socket_factory=make_socket),
        request_class=_Request,
        response_class=_Response,
        cookie_jar=aiohttp.DummyCookieJar(),
        proxy=proxy,
    )
    # aiohttp repeats GET, PUT and DELETE once when a kept connection breaks, and has no public switch for
    # that.
    session._retry_connection = False  # noqa: SLF001 - the only switch; a test checks it
    return session


def make_http_client(session: aiohttp.ClientSession, *, user_agent: str = "taskwire") -> httpx.AsyncClient:
    """Make the httpx client over this session, without redirects and cookies.

    Closing the client closes the session too.
    """
    client = httpx.AsyncClient(
        # httpx would make its own TLS context, which takes longer than everything else here, and never use
        # it.
        transport=AiohttpTransport(client=session, verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)),
        headers={"User-Agent": user_agent},
        follow_redirects=False,
        trust_env=False,  # with a transport of its own httpx reads nothing from the environment
    )
    client.cookies.jar = CookieJar(DefaultCookiePolicy(allowed_domains=[]))
    return client
