"""Limits the connections of the HTTP server: how many there are, how long they last, and which one is closed.

This module knows nothing about the content of requests. A connection is *waiting* until its request is
complete and verified. Slow or incomplete senders stay waiting. If too many wait, the one that has waited
longest is closed, so unknown senders only take places from each other. Trusted requests and requests about
health have places of their own. `http_framing` splits bytes into requests.
"""

import asyncio
import contextlib
import logging
import resource
import socket
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Literal, NamedTuple

from aiohttp import web

from taskwire.app.http_framing import LARGEST_HEAD, Framing, Judge, Rejected
from taskwire.telemetry import Metrics, logger

# A request must be complete this many seconds after its connection or its first byte. It must be answered
# this many seconds after that.
REQUEST_SECONDS = 10.0
# Seconds that an idle connection stays open. Proxies reuse connections. Most proxies close them sooner
# themselves, so that we do not close one while a request is on its way.
KEPT_SECONDS = 75.0
# The kernel queues up to 1024 new connections (if the system allows it). In one turn of the event loop, 32 of
# them are accepted. So the first bytes of a new connection are read long before it can be the oldest and be
# closed.
QUEUED, TAKEN_AT_ONCE = 1024, 32
# Connections that wait and have sent more than this many bytes are read in turn, 4 in each turn of the event
# loop. Otherwise many long bodies would be read, and their signatures checked, in one turn.
LONG_BYTES, READ_IN_TURN = 64 * 1024, 4
# Read buffer in bytes, larger than any accepted body, so that aiohttp never pauses reading.
UNPAUSED_BYTES = 1 << 24
# Seconds that a connection stays open after a rejected request, so that the answer arrives. A connection that
# is closed with unread bytes loses its answer.
ANSWERED_SECONDS = 1.0
# Other open files of a process: connections to Redis, Slack and Coder, and some files.
OWN_DESCRIPTORS = 256

ConnectionState = Literal["waiting", "trusted", "kept", "health"]
STATES: tuple[ConnectionState, ...] = ("waiting", "trusted", "kept", "health")
# Reasons for closing a client's connection: too slow, to make room for another, or unused for too long.
Closed = Literal["late", "crowded", "idle"]
CLOSED: tuple[Closed, ...] = ("late", "crowded", "idle")
_log = logger("taskwire.app.http_server")


@dataclass(frozen=True)
class ConnectionLimits:
    """Most connections in each state, and their time limits."""

    waiting: int = 320
    # Includes the connections that are kept open between two requests.
    trusted: int = 256
    health: int = 32
    # Most bytes from all waiting connections together.
    waiting_bytes: int = 32 * 1024 * 1024
    request_seconds: float = REQUEST_SECONDS
    kept_seconds: float = KEPT_SECONDS

    def within(self, descriptors: int) -> "ConnectionLimits":
        """Return these limits, reduced if they could open more than `descriptors` files."""
        passing = 2 * TAKEN_AT_ONCE  # connections that were just accepted or just closed
        share = (descriptors - passing) / (self.waiting + self.trusted + self.health)
        if share >= 1:
            return self
        fewer = {name: max(1, int(getattr(self, name) * share)) for name in ("waiting", "trusted", "health")}
        return replace(self, **fewer)


def descriptors_to_spare() -> int:
    """Return how many files the connections may open. The process needs the rest of its limit itself."""
    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(most - OWN_DESCRIPTORS, most // 2)


class Door(NamedTuple):
    """A site's callbacks: `judge` checks the head of a request, and `note` counts a rejection."""

    judge: Judge
    note: Callable[[str], None]


class Connection(asyncio.Protocol):
    """One connection. It passes complete requests, one at a time, to `inner`, aiohttp's own protocol.

    It closes when its time is over.
    """

    def __init__(self, crowd: "Crowd", inner: web.RequestHandler, door: Door) -> None:
        self.state: ConnectionState = "waiting"
        # Bytes that have arrived while the connection waits.
        self.received = 0
        # Whether the site has verified the sender of the present request.
        self.is_vouched = False
        self._crowd = crowd
        self._inner = inner
        self._note = door.note
        self._framing = Framing(inner, door.judge)
        self._transport: asyncio.Transport | None = None
        self._end: asyncio.TimerHandle | None = None
        # Whether `inner` has an unanswered request, and whether reading has stopped for good.
        self._is_busy = self._is_over = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to wait. If too many connections wait, the oldest is closed."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - a TCP stream has this type
        self._transport = transport
        self._inner.connection_made(transport)
        self._begin()

    def data_received(self, data: bytes) -> None:
        """Collect bytes. On a kept connection they begin another request."""
        if self._is_over:
            return
        if self.state == "kept" and not self._is_busy:
            self._begin()
        self._framing.put(data)
        if self.state == "waiting":
            self._crowd.weigh(self, len(data))
        if not self._is_busy:
            self._advance()
            self._wait_for_turn()
        elif self._framing.held > LARGEST_HEAD and self._transport is not None:
            # Further requests stay with the sender until this one is answered.
            self._transport.pause_reading()

    def eof_received(self) -> bool | None:
        """Let the transport close. An incomplete request will never be complete."""
        return None

    def pause_writing(self) -> None:
        """Limit how long a client may leave its answer unread."""
        self._end_in(self._crowd.limits.request_seconds)
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        """Pass the event on, and give a kept connection its idle time again."""
        if self.state == "kept":
            self._end_in(self._crowd.limits.kept_seconds, why="idle")
        self._inner.resume_writing()

    def connection_lost(self, error: Exception | None) -> None:
        """Remove this connection from the lists of connections."""
        if self._end is not None:
            self._end.cancel()
        self._stop_reading()
        self._crowd.leave(self)
        self._inner.connection_lost(error)

    def rise(self, state: Literal["trusted", "health"]) -> bool:
        """Stop waiting, because the request deserves an answer. Return whether there is a place for it."""
        if not self._crowd.is_reserved(state):
            return False
        self._crowd.move(self, state)
        self._end_in(self._crowd.limits.request_seconds)
        return True

    def keep(self) -> None:
        """Stay open for another request after this one is answered."""
        self._crowd.move(self, "kept")
        self._end_in(self._crowd.limits.kept_seconds, why="idle")
        # aiohttp writes the answer before the event loop calls `_go_on`.
        asyncio.get_running_loop().call_soon(self._go_on)

    def close(self) -> None:
        """Close the connection at once."""
        self._stop_reading()
        if self._transport is not None:
            self._transport.abort()

    def _wait_for_turn(self) -> None:
        """Pause a long body, so that other connections are read first."""
        if self._framing.held > LONG_BYTES and not self._is_over and self._transport is not None:
            self._transport.pause_reading()
            self._crowd.line_up(self)

    def read_on(self) -> None:
        """Read more, because it is this connection's turn."""
        if not self._is_over and self._transport is not None:
            self._transport.resume_reading()

    def _begin(self) -> None:
        """Wait for a complete request."""
        self._end_in(self._crowd.limits.request_seconds)
        self._crowd.move(self, "waiting")
        self._crowd.reserve()

    def _go_on(self) -> None:
        """Handle the next request, which may have arrived already."""
        if self._is_over or self._transport is None or self._transport.is_closing():
            return
        self._is_busy = self.is_vouched = False
        self._transport.resume_reading()
        if self._framing.held:
            self._begin()
            self._crowd.weigh(self, self._framing.held)
            self._advance()

    def _advance(self) -> None:
        """Pass on a complete request, or answer a rejected one."""
        if self._is_over:
            return
        try:
            whole = self._framing.take()
        except Rejected as rejected:
            if rejected.why is not None:
                self._note(rejected.why)
            self._reject(rejected)
            return
        if whole is not None:
            self._is_busy, self.is_vouched = True, whole.is_vouched
            self._inner.data_received(whole.data)

    def _reject(self, rejected: Rejected) -> None:
        """Send the answer, read nothing more, and close once the answer has had time to arrive."""
        self._stop_reading()
        if self._transport is None or self._transport.is_closing():
            return
        self._transport.pause_reading()
        self._transport.write(_answer(rejected))
        self._transport.write_eof()
        self._end_in(ANSWERED_SECONDS, why=None)

    def _stop_reading(self) -> None:
        self._is_over = True
        self._framing.drop()
        self._crowd.unburden(self)

    def _end_in(self, seconds: float, *, why: Closed | None = "late") -> None:
        if self._end is not None:
            self._end.cancel()
        self._end = asyncio.get_running_loop().call_later(seconds, self._expired, why)

    def _expired(self, why: Closed | None) -> None:
        if why is not None:
            self._crowd.count_closed(why)
        self.close()


def _answer(rejected: Rejected) -> bytes:
    """Return an answer that shows nothing of the request and nothing about this software."""
    head = (
        f"HTTP/1.1 {rejected.status} {HTTPStatus(rejected.status).phrase}\r\n"
        "Content-Type: text/plain; charset=utf-8\r\n"
        f"Content-Length: {len(rejected.text)}\r\nConnection: close\r\n\r\n"
    )
    return (head + rejected.text).encode()


class Crowd:
    """All connections to one address, by state, the oldest first."""

    def __init__(self, limits: ConnectionLimits, metrics: Metrics) -> None:
        self.limits = limits
        self._there: dict[ConnectionState, dict[Connection, None]] = {state: {} for state in STATES}
        # Connections whose long bodies are read in turn, and whether a turn is scheduled.
        self._in_line: deque[Connection] = deque()
        self._has_turn = False
        self._weight = 0
        self._held = metrics.http_waiting_bytes
        self._counted = {state: metrics.http_connections.labels(state) for state in STATES}
        self._closed = {why: metrics.http_connections_closed.labels(why) for why in CLOSED}

    def move(self, connection: Connection, state: ConnectionState) -> None:
        """Move a connection to a state, as the newest there."""
        self.leave(connection)
        connection.state = state
        self._there[state][connection] = None
        self._counted[state].inc()

    def leave(self, connection: Connection) -> None:
        """Remove a connection from its state."""
        if connection not in self._there[connection.state]:
            return
        del self._there[connection.state][connection]
        self._counted[connection.state].dec()
        self.unburden(connection)

    def weigh(self, connection: Connection, count: int) -> None:
        """Count bytes from a waiting connection. While the total is too high, close the largest sender."""
        connection.received += count
        self._weight += count
        self._held.set(self._weight)
        while self._weight > self.limits.waiting_bytes:
            self._dismiss(max(self._there["waiting"], key=lambda waiting: waiting.received))

    def line_up(self, connection: Connection) -> None:
        """Queue a connection for reading more."""
        self._in_line.append(connection)
        self._begin_turn()

    def _begin_turn(self) -> None:
        if self._in_line and not self._has_turn:
            self._has_turn = True
            asyncio.get_running_loop().call_soon(self._turn)

    def _turn(self) -> None:
        self._has_turn = False
        for _ in range(min(READ_IN_TURN, len(self._in_line))):
            self._in_line.popleft().read_on()
        self._begin_turn()

    def unburden(self, connection: Connection) -> None:
        """Stop counting the bytes of a connection that no longer waits."""
        self._weight -= connection.received
        self._held.set(self._weight)
        connection.received = 0

    def reserve(self) -> None:
        """Close the connections that have waited longest while too many wait."""
        waiting = self._there["waiting"]
        while len(waiting) > self.limits.waiting:
            self._dismiss(next(iter(waiting)))

    def is_reserved(self, state: Literal["trusted", "health"]) -> bool:
        """Return whether there is a place. A trusted request may replace the oldest kept connection."""
        if state == "health":
            return len(self._there["health"]) < self.limits.health
        kept = self._there["kept"]
        if len(self._there["trusted"]) + len(kept) < self.limits.trusted:
            return True
        if not kept:
            return False
        oldest = next(iter(kept))
        self.leave(oldest)
        oldest.close()
        return True

    def count_closed(self, why: Closed) -> None:
        """Count a connection that we close."""
        self._closed[why].inc()

    def close_all(self) -> None:
        """Close all connections."""
        for state in STATES:
            for connection in list(self._there[state]):
                connection.close()

    def _dismiss(self, connection: Connection) -> None:
        self.leave(connection)
        self.count_closed("crowded")
        connection.close()


def connection_of(request: web.Request) -> Connection | None:
    """Return the connection of a request; None if it is closed."""
    protocol = request.transport.get_protocol() if request.transport is not None else None
    return protocol if isinstance(protocol, Connection) else None


@web.middleware
async def guarded(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Close a connection after its answer unless it is trusted. Log exceptions without the content."""
    try:
        answer = await handler(request)
    except web.HTTPException as refusal:
        refusal.force_close()
        raise
    except Exception:  # noqa: BLE001 - aiohttp would log the request's content too
        # After a connection has ended, aiohttp raises many kinds of exceptions. They are no defects.
        if request.transport is not None:
            _log.exception("unexpected exception in HTTP request")
        answer = web.Response(status=500)
    connection = connection_of(request)
    if connection is not None and connection.state == "trusted":
        connection.keep()
    else:
        answer.force_close()
    return answer


@contextlib.asynccontextmanager
async def served(
    app: web.Application,
    address: tuple[str, int],
    limits: ConnectionLimits,
    metrics: Metrics,
    door: Door,
    *,
    shutdown_seconds: float,
) -> AsyncIterator[int]:
    """Serve an application that has the middleware `guarded`. Yield the port; OSError if it is in use."""
    app.on_response_prepare.append(_say_less)
    runner = web.AppRunner(
        app,
        access_log=None,
        logger=_unheard(),
        # The signature is for the bytes as they were sent.
        auto_decompress=False,
        # A body always arrives complete, so reading must never pause.
        read_bufsize=UNPAUSED_BYTES,
        shutdown_timeout=shutdown_seconds,
    )
    await runner.setup()
    crowd = Crowd(limits, metrics)

    def connection() -> Connection:
        assert runner.server is not None  # noqa: S101 - `setup` has set it
        return Connection(crowd, runner.server(), door)

    loop = asyncio.get_running_loop()
    try:
        server = await loop.create_server(connection, *address, backlog=TAKEN_AT_ONCE)
        for listening in server.sockets:
            # asyncio has one setting for two things: how many connections the kernel queues, and how many are
            # accepted at once. The former is set here.
            with socket.fromfd(listening.fileno(), listening.family, listening.type) as same:
                same.listen(QUEUED)
        try:
            yield int(server.sockets[0].getsockname()[1])
        finally:
            server.close()
    finally:
        await runner.cleanup()
        crowd.close_all()


async def _say_less(_: web.Request, response: web.StreamResponse) -> None:
    """Remove the header that names the server's software and version."""
    del response.headers["Server"]


def _unheard() -> logging.Logger:
    """Return a disabled logger for aiohttp, which would log what unknown senders send, with tracebacks."""
    unheard = logging.getLogger("taskwire.http.aiohttp")
    unheard.disabled = True
    return unheard
