"""The HTTP server at its edge: how many may connect, how long they may take, and who makes room for whom.

It knows nothing of what is asked. A connection *waits* until its request is whole and somebody vouches for
it. Clients that send slowly, half or nothing do no more than that, and when there are too many, the oldest
leaves for the next: strangers take places away from each other and from nobody else. Places for requests that
are trusted, and for those about health, are apart. What a request looks like as bytes is `http_framing`'s.
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

# A request is whole so soon after its first byte or its connection, and answered as soon after that.
REQUEST_SECONDS = 10.0
# Proxies keep connections open; most close them sooner themselves, so that none is closed under a request.
KEPT_SECONDS = 75.0
# The kernel queues so many (where the system lets it), and so many are taken in one turn of the loop. What is
# sent at once is read a few turns later, long before its connection can be the oldest.
QUEUED, TAKEN_AT_ONCE = 1024, 32
# Who waits and has sent more than this is read in turn, so many in each turn of the loop: long bodies of many
# strangers would else be read, and their signatures looked at, in one.
LONG_BYTES, READ_IN_TURN = 64 * 1024, 4
# More than any body that is taken.
UNPAUSED_BYTES = 1 << 24
# So long a connection stays open whose request was rejected, for its answer to arrive: closed while there is
# something unread, it would take the answer with it.
ANSWERED_SECONDS = 1.0
# What else a process has open: the connections to its store, to Slack and to Coder, and some files.
OWN_DESCRIPTORS = 256

ConnectionState = Literal["waiting", "trusted", "kept", "health"]
STATES: tuple[ConnectionState, ...] = ("waiting", "trusted", "kept", "health")
# Why we close what somebody else has opened: too slow, to make room for another, or unused for long.
Closed = Literal["late", "crowded", "idle"]
CLOSED: tuple[Closed, ...] = ("late", "crowded", "idle")
_log = logger("taskwire.app.http_server")


@dataclass(frozen=True)
class ConnectionLimits:
    """How many connections there may be of each kind, and for how long."""

    waiting: int = 320
    # Those that are kept between two requests are among them.
    trusted: int = 256
    health: int = 32
    # All that those have sent who wait.
    waiting_bytes: int = 32 * 1024 * 1024
    request_seconds: float = REQUEST_SECONDS
    kept_seconds: float = KEPT_SECONDS

    def within(self, descriptors: int) -> "ConnectionLimits":
        """Return these limits, or smaller ones that never open more than so many files."""
        passing = 2 * TAKEN_AT_ONCE  # those just taken, and those just closed
        share = (descriptors - passing) / (self.waiting + self.trusted + self.health)
        if share >= 1:
            return self
        fewer = {name: max(1, int(getattr(self, name) * share)) for name in ("waiting", "trusted", "health")}
        return replace(self, **fewer)


def descriptors_to_spare() -> int:
    """How many files connections may open, of those that the system lets this process open."""
    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(most - OWN_DESCRIPTORS, most // 2)


class Door(NamedTuple):
    """What a site makes of requests: what it expects of a head, and who hears why one was rejected."""

    judge: Judge
    note: Callable[[str], None]


class Connection(asyncio.Protocol):
    """One connection: passes whole requests on to `inner`, the server's own protocol, one at a time.

    It ends when its time is over.
    """

    def __init__(self, crowd: "Crowd", inner: web.RequestHandler, door: Door) -> None:
        self.state: ConnectionState = "waiting"
        # Bytes that have come while it waits.
        self.received = 0
        # Whether its site has made sure whose request is being carried out.
        self.is_vouched = False
        self._crowd = crowd
        self._inner = inner
        self._note = door.note
        self._framing = Framing(inner, door.judge)
        self._transport: asyncio.Transport | None = None
        self._end: asyncio.TimerHandle | None = None
        # Whether `inner` has a request that is not answered, and whether nothing more is read.
        self._is_busy = self._is_over = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Come in, and make the oldest leave if there are too many."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - a stream's is one
        self._transport = transport
        self._inner.connection_made(transport)
        self._begin()

    def data_received(self, data: bytes) -> None:
        """Collect what comes; on a kept connection it is another request."""
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
            # What comes behind a request waits with its sender.
            self._transport.pause_reading()

    def eof_received(self) -> bool | None:
        """Let the transport close: what is not whole never will be."""
        return None

    def pause_writing(self) -> None:
        """Give a client that does not read as long as one that does not write."""
        self._end_in(self._crowd.limits.request_seconds)
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        """Pass it on."""
        if self.state == "kept":
            self._end_in(self._crowd.limits.kept_seconds, why="idle")
        self._inner.resume_writing()

    def connection_lost(self, error: Exception | None) -> None:
        """Leave."""
        if self._end is not None:
            self._end.cancel()
        self._stop_reading()
        self._crowd.leave(self)
        self._inner.connection_lost(error)

    def rise(self, state: Literal["trusted", "health"]) -> bool:
        """Leave those who wait, since the request is worth an answer; whether there is a place."""
        if not self._crowd.is_reserved(state):
            return False
        self._crowd.move(self, state)
        self._end_in(self._crowd.limits.request_seconds)
        return True

    def keep(self) -> None:
        """Stay open for another request, when this one is answered."""
        self._crowd.move(self, "kept")
        self._end_in(self._crowd.limits.kept_seconds, why="idle")
        # The answer is written before this is called.
        asyncio.get_running_loop().call_soon(self._go_on)

    def close(self) -> None:
        """End now, whatever goes on."""
        self._stop_reading()
        if self._transport is not None:
            self._transport.abort()

    def _wait_for_turn(self) -> None:
        """Let others be read before more of a long body is."""
        if self._framing.held > LONG_BYTES and not self._is_over and self._transport is not None:
            self._transport.pause_reading()
            self._crowd.line_up(self)

    def read_on(self) -> None:
        """Read more: it is this one's turn."""
        if not self._is_over and self._transport is not None:
            self._transport.resume_reading()

    def _begin(self) -> None:
        """Wait for a whole request."""
        self._end_in(self._crowd.limits.request_seconds)
        self._crowd.move(self, "waiting")
        self._crowd.reserve()

    def _go_on(self) -> None:
        """Take the next request, which may have come already."""
        if self._is_over or self._transport is None or self._transport.is_closing():
            return
        self._is_busy = self.is_vouched = False
        self._transport.resume_reading()
        if self._framing.held:
            self._begin()
            self._crowd.weigh(self, self._framing.held)
            self._advance()

    def _advance(self) -> None:
        """Pass on a request that is whole, or answer one that is rejected."""
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
        """Answer, read nothing more, and end as soon as the answer may have arrived."""
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
    """Return an answer that tells nothing of what was sent, nor of what runs here."""
    head = (
        f"HTTP/1.1 {rejected.status} {HTTPStatus(rejected.status).phrase}\r\n"
        "Content-Type: text/plain; charset=utf-8\r\n"
        f"Content-Length: {len(rejected.text)}\r\nConnection: close\r\n\r\n"
    )
    return (head + rejected.text).encode()


class Crowd:
    """All connections of one address: where each of them is, the oldest first."""

    def __init__(self, limits: ConnectionLimits, metrics: Metrics) -> None:
        self.limits = limits
        self._there: dict[ConnectionState, dict[Connection, None]] = {state: {} for state in STATES}
        # Those whose long bodies are read in turn, and whether a turn is about to begin.
        self._in_line: deque[Connection] = deque()
        self._has_turn = False
        self._weight = 0
        self._held = metrics.http_waiting_bytes
        self._counted = {state: metrics.http_connections.labels(state) for state in STATES}
        self._closed = {why: metrics.http_connections_closed.labels(why) for why in CLOSED}

    def move(self, connection: Connection, state: ConnectionState) -> None:
        """Note that a connection is the newest there."""
        self.leave(connection)
        connection.state = state
        self._there[state][connection] = None
        self._counted[state].inc()

    def leave(self, connection: Connection) -> None:
        """Note that a connection is not any more where it was."""
        if connection not in self._there[connection.state]:
            return
        del self._there[connection.state][connection]
        self._counted[connection.state].dec()
        self.unburden(connection)

    def weigh(self, connection: Connection, count: int) -> None:
        """Note that one who waits has sent so many bytes, and close the heaviest if all is too much."""
        connection.received += count
        self._weight += count
        self._held.set(self._weight)
        while self._weight > self.limits.waiting_bytes:
            self._dismiss(max(self._there["waiting"], key=lambda waiting: waiting.received))

    def line_up(self, connection: Connection) -> None:
        """Read more of this one when it is its turn."""
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
        """Note that nothing is held any more of what somebody has sent while they waited."""
        self._weight -= connection.received
        self._held.set(self._weight)
        connection.received = 0

    def reserve(self) -> None:
        """Close those that have waited for longest while there are too many."""
        waiting = self._there["waiting"]
        while len(waiting) > self.limits.waiting:
            self._dismiss(next(iter(waiting)))

    def is_reserved(self, state: Literal["trusted", "health"]) -> bool:
        """Whether there is a place; of connections that are kept, the oldest makes one."""
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
        """Count a connection that is closed on somebody."""
        self._closed[why].inc()

    def close_all(self) -> None:
        """End all."""
        for state in STATES:
            for connection in list(self._there[state]):
                connection.close()

    def _dismiss(self, connection: Connection) -> None:
        self.leave(connection)
        self.count_closed("crowded")
        connection.close()


def connection_of(request: web.Request) -> Connection | None:
    """The connection on which a request came; None if it has gone."""
    protocol = request.transport.get_protocol() if request.transport is not None else None
    return protocol if isinstance(protocol, Connection) else None


@web.middleware
async def guarded(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Close a connection with its answer unless it is trusted, and log what goes wrong, not what was sent."""
    try:
        answer = await handler(request)
    except web.HTTPException as refusal:
        refusal.force_close()
        raise
    except Exception:  # noqa: BLE001 - aiohttp would log it, and what was sent with it
        # What aiohttp raises once a connection has ended is of many kinds, and nobody's mistake.
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
    """Serve an application, which has `guarded` before all, and yield the port; OSError if it is taken."""
    app.on_response_prepare.append(_say_less)
    runner = web.AppRunner(
        app,
        access_log=None,
        logger=_unheard(),
        # A signature is for what was sent.
        auto_decompress=False,
        # A body comes at once and whole, so its reading is never to be paused.
        read_bufsize=UNPAUSED_BYTES,
        shutdown_timeout=shutdown_seconds,
    )
    await runner.setup()
    crowd = Crowd(limits, metrics)

    def connection() -> Connection:
        assert runner.server is not None  # noqa: S101 - it was set up
        return Connection(crowd, runner.server(), door)

    loop = asyncio.get_running_loop()
    try:
        server = await loop.create_server(connection, *address, backlog=TAKEN_AT_ONCE)
        for listening in server.sockets:
            # asyncio takes as many at once as the kernel queues, and those are two things.
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
    """Do not tell strangers what runs here, and in which version."""
    del response.headers["Server"]


def _unheard() -> logging.Logger:
    """A log for aiohttp: what it has to say is what strangers send, and it quotes it, with a stack trace."""
    unheard = logging.getLogger("taskwire.http.aiohttp")
    unheard.disabled = True
    return unheard
