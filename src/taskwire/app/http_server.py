"""Limits the connections of the HTTP server: how many there are, how long they last, and which one is closed.

This module knows nothing about the content of requests. A connection is *waiting* until its request is
complete and verified. Connections of slow or incomplete senders stay waiting. If too many connections wait,
the one that has waited longest is closed. So unknown senders only take places from each other. Trusted
requests and requests about health have places of their own. `http_framing` splits bytes into requests.
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

from taskwire.app.http_framing import LARGEST_HEAD, CheckHead, Framing, Rejected
from taskwire.telemetry import Metrics, logger

# In seconds. A request must be complete within this time after the connection was opened or, on a connection
# that is kept open, after the request's first byte. Its answer must be sent within this time after the
# request was complete.
REQUEST_SECONDS = 10.0
# Seconds that an idle connection stays open. Proxies reuse connections, and most proxies close idle ones
# sooner than this. So we rarely close a connection while a request is on its way.
KEEP_ALIVE_SECONDS = 75.0
# The kernel queues up to 1024 new connections (if the system allows so many). In one turn of the event loop,
# 32 of them are accepted. So the first bytes of a new connection are read long before it becomes the oldest
# connection, which may be closed to make room.
LISTEN_BACKLOG, ACCEPTED_AT_ONCE = 1024, 32
# Waiting connections that have sent more than this many bytes take turns: 4 are read in each turn of the
# event loop. Otherwise many long bodies would be read, and their signatures checked, in one turn.
LONG_BYTES, READS_EACH_TURN = 64 * 1024, 4
# Read buffer in bytes, larger than any accepted body, so that aiohttp never pauses reading.
READ_BUFFER_BYTES = 1 << 24
# Seconds that a connection stays open after a rejected request, so that the answer arrives. A connection that
# is closed with unread bytes loses its answer.
CLOSE_REJECTED_SECONDS = 1.0
# The number of open files that a process needs for other purposes: connections to Redis, Slack and Coder, and
# some files.
RESERVED_DESCRIPTORS = 256

ConnectionState = Literal["waiting", "trusted", "kept", "health"]
STATES: tuple[ConnectionState, ...] = ("waiting", "trusted", "kept", "health")
# Reasons for closing a client's connection: the client is too slow, another connection needs the place, or
# the connection was unused for too long.
CloseReason = Literal["late", "crowded", "idle"]
CLOSE_REASONS: tuple[CloseReason, ...] = ("late", "crowded", "idle")
_log = logger("taskwire.app.http_server")


@dataclass(frozen=True)
class ConnectionLimits:
    """How many connections may be open at most in each state, and for how long."""

    waiting: int = 320
    # This number includes the connections that are kept open between two requests.
    trusted: int = 256
    health: int = 32
    # The most bytes that all waiting connections together may have sent.
    waiting_bytes: int = 32 * 1024 * 1024
    request_seconds: float = REQUEST_SECONDS
    keep_alive_seconds: float = KEEP_ALIVE_SECONDS

    def scaled_to(self, descriptors: int) -> "ConnectionLimits":
        """Return these limits, reduced if they could open more than `descriptors` files."""
        changing = 2 * ACCEPTED_AT_ONCE  # connections that were just accepted or just closed
        share = (descriptors - changing) / (self.waiting + self.trusted + self.health)
        if share >= 1:
            return self
        fewer = {name: max(1, int(getattr(self, name) * share)) for name in ("waiting", "trusted", "health")}
        return replace(self, **fewer)


def count_spare_descriptors() -> int:
    """Return how many files the connections may open, without the files that the process itself needs."""
    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(most - RESERVED_DESCRIPTORS, most // 2)


class SiteCallbacks(NamedTuple):
    """What a site decides about its requests.

    `check_head` gets each parsed head and says what the site expects after it. `count_rejection` gets the
    reason of each rejected request.
    """

    check_head: CheckHead
    count_rejection: Callable[[str], None]


class Connection(asyncio.Protocol):
    """One connection. It passes complete requests, one at a time, to `inner`, aiohttp's own protocol.

    Each state has a time limit. The connection is closed when the limit of its state has passed.
    """

    def __init__(self, table: "ConnectionTable", inner: web.RequestHandler, callbacks: SiteCallbacks) -> None:
        self.state: ConnectionState = "waiting"
        # Bytes that have arrived while the connection waits.
        self.received = 0
        # Whether the site has verified the sender of the present request.
        self.is_verified = False
        self._table = table
        self._inner = inner
        self._count_rejection = callbacks.count_rejection
        self._framing = Framing(inner, callbacks.check_head)
        self._transport: asyncio.Transport | None = None
        self._timeout: asyncio.TimerHandle | None = None
        # Whether `inner` has an unanswered request, and whether reading has stopped for good.
        self._is_busy = self._has_stopped_reading = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Let a new connection wait for its request. If too many connections wait, the oldest is closed."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - a TCP stream has this type
        self._transport = transport
        self._inner.connection_made(transport)
        self._begin_waiting()

    def data_received(self, data: bytes) -> None:
        """Collect bytes. If the connection was kept open after an answer, the bytes begin another request."""
        if self._has_stopped_reading:
            return
        if self.state == "kept" and not self._is_busy:
            self._begin_waiting()
        self._framing.add(data)
        if self.state == "waiting":
            self._table.add_waiting_bytes(self, len(data))
        if not self._is_busy:
            self._pass_on_request()
            self._yield_to_others()
        elif self._framing.byte_count > LARGEST_HEAD and self._transport is not None:
            # Further requests stay with the sender until the present request is answered.
            self._transport.pause_reading()

    def eof_received(self) -> bool | None:
        """Return None, which closes the connection: the client sends nothing more.

        If the client's last request is incomplete, it gets no answer.
        """
        return None

    def pause_writing(self) -> None:
        """Make aiohttp stop writing, because the write buffer is full: the client does not read its answer.

        From now on, the client has the time limit of a request to read the answer.
        """
        self._set_timeout(self._table.limits.request_seconds)
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        """Let aiohttp (`inner`) write again. A kept connection gets its usual time limit back."""
        if self.state == "kept":
            self._set_timeout(self._table.limits.keep_alive_seconds, why="idle")
        self._inner.resume_writing()

    def connection_lost(self, error: Exception | None) -> None:
        """Remove this connection from the lists of connections."""
        if self._timeout is not None:
            self._timeout.cancel()
        self._stop_reading()
        self._table.remove(self)
        self._inner.connection_lost(error)

    def promote(self, state: Literal["trusted", "health"]) -> bool:
        """Take one of the places for `state`, and stop waiting. Return whether there was a free place."""
        if not self._table.reserve_place(state):
            return False
        self._table.set_state(self, state)
        self._set_timeout(self._table.limits.request_seconds)
        return True

    def keep_alive(self) -> None:
        """Stay open for another request after this one is answered."""
        self._table.set_state(self, "kept")
        self._set_timeout(self._table.limits.keep_alive_seconds, why="idle")
        # aiohttp writes the answer before the event loop calls `_begin_next_request`.
        asyncio.get_running_loop().call_soon(self._begin_next_request)

    def close(self) -> None:
        """Close the connection at once."""
        self._stop_reading()
        if self._transport is not None:
            self._transport.abort()

    def _yield_to_others(self) -> None:
        """Pause reading a long body, so that other connections are read first."""
        if (
            self._framing.byte_count > LONG_BYTES
            and not self._has_stopped_reading
            and self._transport is not None
        ):
            self._transport.pause_reading()
            self._table.queue_reading(self)

    def resume_reading(self) -> None:
        """Read more, because it is this connection's turn."""
        if not self._has_stopped_reading and self._transport is not None:
            self._transport.resume_reading()

    def _begin_waiting(self) -> None:
        """Wait for a complete request."""
        self._set_timeout(self._table.limits.request_seconds)
        self._table.set_state(self, "waiting")
        self._table.close_excess_waiting()

    def _begin_next_request(self) -> None:
        """Handle the next request, which may have arrived already."""
        if self._has_stopped_reading or self._transport is None or self._transport.is_closing():
            return
        self._is_busy = self.is_verified = False
        self._transport.resume_reading()
        if self._framing.byte_count:
            self._begin_waiting()
            self._table.add_waiting_bytes(self, self._framing.byte_count)
            self._pass_on_request()

    def _pass_on_request(self) -> None:
        """Pass on a complete request, or answer a rejected one."""
        if self._has_stopped_reading:
            return
        try:
            request = self._framing.take_request()
        except Rejected as rejected:
            if rejected.why is not None:
                self._count_rejection(rejected.why)
            self._reject(rejected)
            return
        if request is not None:
            self._is_busy, self.is_verified = True, request.is_verified
            self._inner.data_received(request.data)

    def _reject(self, rejected: Rejected) -> None:
        """Send the answer and read nothing more.

        Close the connection when the answer has had time to arrive.
        """
        self._stop_reading()
        if self._transport is None or self._transport.is_closing():
            return
        self._transport.pause_reading()
        self._transport.write(_answer(rejected))
        self._transport.write_eof()
        self._set_timeout(CLOSE_REJECTED_SECONDS, why=None)

    def _stop_reading(self) -> None:
        self._has_stopped_reading = True
        self._framing.clear()
        self._table.drop_waiting_bytes(self)

    def _set_timeout(self, seconds: float, *, why: CloseReason | None = "late") -> None:
        if self._timeout is not None:
            self._timeout.cancel()
        self._timeout = asyncio.get_running_loop().call_later(seconds, self._on_timeout, why)

    def _on_timeout(self, why: CloseReason | None) -> None:
        if why is not None:
            self._table.count_closed(why)
        self.close()


def _answer(rejected: Rejected) -> bytes:
    """Return an answer that shows nothing of the request and nothing about this software."""
    head = (
        f"HTTP/1.1 {rejected.status} {HTTPStatus(rejected.status).phrase}\r\n"
        "Content-Type: text/plain; charset=utf-8\r\n"
        f"Content-Length: {len(rejected.text)}\r\nConnection: close\r\n\r\n"
    )
    return (head + rejected.text).encode()


class ConnectionTable:
    """All connections to one address, by state, the oldest first."""

    def __init__(self, limits: ConnectionLimits, metrics: Metrics) -> None:
        self.limits = limits
        self._by_state: dict[ConnectionState, dict[Connection, None]] = {state: {} for state in STATES}
        # Connections with long bodies, which are read in turns, and whether the next turn is scheduled.
        self._reading_queue: deque[Connection] = deque()
        self._is_turn_scheduled = False
        self._waiting_bytes = 0
        self._waiting_bytes_gauge = metrics.http_waiting_bytes
        self._state_gauges = {state: metrics.http_connections.labels(state) for state in STATES}
        self._close_counters = {why: metrics.http_connections_closed.labels(why) for why in CLOSE_REASONS}

    def set_state(self, connection: Connection, state: ConnectionState) -> None:
        """Move a connection to the end of the list of this state, as its newest connection."""
        self.remove(connection)
        connection.state = state
        self._by_state[state][connection] = None
        self._state_gauges[state].inc()

    def remove(self, connection: Connection) -> None:
        """Remove a connection from its state."""
        if connection not in self._by_state[connection.state]:
            return
        del self._by_state[connection.state][connection]
        self._state_gauges[connection.state].dec()
        self.drop_waiting_bytes(connection)

    def add_waiting_bytes(self, connection: Connection, count: int) -> None:
        """Add `count` bytes to those that waiting connections have sent.

        While the sum is over the limit, close the waiting connection that has sent most.
        """
        connection.received += count
        self._waiting_bytes += count
        self._waiting_bytes_gauge.set(self._waiting_bytes)
        while self._waiting_bytes > self.limits.waiting_bytes:
            self._close_to_make_room(max(self._by_state["waiting"], key=lambda waiting: waiting.received))

    def queue_reading(self, connection: Connection) -> None:
        """Queue a connection that has paused reading. `resume_reading` is called when its turn comes."""
        self._reading_queue.append(connection)
        self._schedule_turn()

    def _schedule_turn(self) -> None:
        if self._reading_queue and not self._is_turn_scheduled:
            self._is_turn_scheduled = True
            asyncio.get_running_loop().call_soon(self._run_turn)

    def _run_turn(self) -> None:
        self._is_turn_scheduled = False
        for _ in range(min(READS_EACH_TURN, len(self._reading_queue))):
            self._reading_queue.popleft().resume_reading()
        self._schedule_turn()

    def drop_waiting_bytes(self, connection: Connection) -> None:
        """Stop counting the bytes of a connection that no longer waits."""
        self._waiting_bytes -= connection.received
        self._waiting_bytes_gauge.set(self._waiting_bytes)
        connection.received = 0

    def close_excess_waiting(self) -> None:
        """If too many connections wait, close those that have waited longest."""
        waiting = self._by_state["waiting"]
        while len(waiting) > self.limits.waiting:
            self._close_to_make_room(next(iter(waiting)))

    def reserve_place(self, state: Literal["trusted", "health"]) -> bool:
        """Return whether one more connection may get this state.

        A kept connection also takes a trusted place. To free a trusted place, the oldest kept connection is
        closed.
        """
        if state == "health":
            return len(self._by_state["health"]) < self.limits.health
        kept = self._by_state["kept"]
        if len(self._by_state["trusted"]) + len(kept) < self.limits.trusted:
            return True
        if not kept:
            return False
        oldest = next(iter(kept))
        self.remove(oldest)
        oldest.close()
        return True

    def count_closed(self, why: CloseReason) -> None:
        """Count a connection that we close."""
        self._close_counters[why].inc()

    def close_all(self) -> None:
        """Close all connections."""
        for state in STATES:
            for connection in list(self._by_state[state]):
                connection.close()

    def _close_to_make_room(self, connection: Connection) -> None:
        self.remove(connection)
        self.count_closed("crowded")
        connection.close()


def find_connection(request: web.Request) -> Connection | None:
    """Return the connection of a request; None if it is closed."""
    protocol = request.transport.get_protocol() if request.transport is not None else None
    return protocol if isinstance(protocol, Connection) else None


@web.middleware
async def guard_connection(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Handle a request, and close its connection after the answer unless the connection is trusted.

    An exception is logged without the request's content, and answered with status 500.
    """
    try:
        answer = await handler(request)
    except web.HTTPException as refusal:
        refusal.force_close()
        raise
    except Exception:  # noqa: BLE001 - aiohttp would log the request's content too
        # After a connection has ended, aiohttp raises many kinds of exceptions. They are no defects.
        if request.transport is not None:
            _log.exception("unexpected exception while handling an HTTP request, answered with 500")
        answer = web.Response(status=500)
    connection = find_connection(request)
    if connection is not None and connection.state == "trusted":
        connection.keep_alive()
    else:
        answer.force_close()
    return answer


@contextlib.asynccontextmanager
async def serve(
    app: web.Application,
    address: tuple[str, int],
    limits: ConnectionLimits,
    metrics: Metrics,
    callbacks: SiteCallbacks,
    *,
    shutdown_seconds: float,
) -> AsyncIterator[int]:
    """Serve an application and yield its port. Raise OSError if the address cannot be used.

    The application must have the middleware `guard_connection`.
    """
    app.on_response_prepare.append(_remove_server_header)
    runner = web.AppRunner(
        app,
        access_log=None,
        logger=_make_disabled_logger(),
        # The signature is for the bytes as they were sent.
        auto_decompress=False,
        # A body always arrives complete, so reading must never pause.
        read_bufsize=READ_BUFFER_BYTES,
        shutdown_timeout=shutdown_seconds,
    )
    await runner.setup()
    table = ConnectionTable(limits, metrics)

    def connection() -> Connection:
        assert runner.server is not None  # noqa: S101 - `setup` has set it
        return Connection(table, runner.server(), callbacks)

    loop = asyncio.get_running_loop()
    try:
        server = await loop.create_server(connection, *address, backlog=ACCEPTED_AT_ONCE)
        for listening in server.sockets:
            # asyncio has one setting for two things: how many connections the kernel queues, and how many are
            # accepted at once. This call sets only how many the kernel queues.
            with socket.fromfd(listening.fileno(), listening.family, listening.type) as same:
                same.listen(LISTEN_BACKLOG)
        try:
            yield int(server.sockets[0].getsockname()[1])
        finally:
            server.close()
    finally:
        await runner.cleanup()
        table.close_all()


async def _remove_server_header(_: web.Request, response: web.StreamResponse) -> None:
    """Remove the header that names the server's software and version."""
    del response.headers["Server"]


def _make_disabled_logger() -> logging.Logger:
    """Return a disabled logger for aiohttp, whose own logger would write the requests of unknown senders."""
    disabled = logging.getLogger("taskwire.http.aiohttp")
    disabled.disabled = True
    return disabled
