"""The Socket Mode transport: tickets, connections and frames.

The app may have up to ten connections. Each payload is sent on only one connection.
"""

import asyncio
import contextlib
import json
import random
import secrets
from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

from aiohttp import WSMsgType, web

from taskwire_sandbox.slack.dispatcher import Outcome
from taskwire_sandbox.slack.errors import Json
from taskwire_sandbox.slack.ledger import Delivery, Ledger

MAX_CONNECTIONS = 10
# Slack's hello message announces this lifetime of a connection.
_APPROXIMATE_CONNECTION_SECONDS = 18_060


@dataclass(eq=False)
class Connection:
    """One open socket, and its payloads that wait for an ack from the app."""

    socket: web.WebSocketResponse
    request: web.Request
    number: int
    waiting: dict[str, asyncio.Future[Json | None]] = field(default_factory=dict)
    is_leaving: bool = False

    def abort(self) -> None:
        """Break the TCP connection without a close frame of the websocket."""
        if self.request.transport is not None:
            self.request.transport.abort()


class SocketMode:
    """All connections of the app."""

    def __init__(
        self,
        ledger: Ledger,
        app_id: str,
        *,
        rng: random.Random,
        balance: Literal["round_robin", "random"],
        ack_seconds: float,
        ping_seconds: float | None,
    ) -> None:
        self.connections: list[Connection] = []
        self.balance: Literal["round_robin", "random"] = balance
        self.ack_seconds = ack_seconds
        self.refresh_seconds = 0.5
        self._ledger = ledger
        self._app_id = app_id
        self._rng = rng
        self._ping_seconds = ping_seconds
        self._tickets: set[str] = set()
        self._issued: set[str] = set()
        # The turns are counted by kind of payload. Otherwise, events about the bot's own posts would decide
        # which connection gets the next command.
        self._turns: Counter[str] = Counter()
        self._count = 0

    def ticket(self) -> str:
        """Issue a ticket for one connection."""
        made = secrets.token_urlsafe(16)
        self._tickets.add(made)
        return made

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Accept a connection, and keep the connection until either side closes it."""
        ticket = request.query.get("ticket", "")
        if ticket not in self._tickets:
            return web.Response(status=401, text="invalid ticket")
        self._tickets.discard(ticket)
        socket = web.WebSocketResponse(heartbeat=self._ping_seconds)
        try:
            await socket.prepare(request)
        except ConnectionError:
            # The client has disconnected in the meantime.
            return web.Response()
        if len(self.connections) >= MAX_CONNECTIONS:
            await self._say_goodbye(socket, "too_many_websockets")
            await socket.close()
            return socket
        self._count += 1
        connection = Connection(socket, request, self._count)
        self.connections.append(connection)
        try:
            with contextlib.suppress(ConnectionError):
                await self._greet(connection)
                await self._listen(connection)
        finally:
            self._forget(connection)
        return socket

    async def _greet(self, connection: Connection) -> None:
        debug = {"host": "sandbox", "build_number": 1}
        debug |= {"approximate_connection_time": _APPROXIMATE_CONNECTION_SECONDS}
        hello: Json = {"type": "hello", "num_connections": len(self.connections), "debug_info": debug}
        await connection.socket.send_json(hello | {"connection_info": {"app_id": self._app_id}})
        self._ledger.change("socket", connections=len(self.connections))

    async def _listen(self, connection: Connection) -> None:
        async for message in connection.socket:
            if message.type is WSMsgType.TEXT:
                self._take_ack(connection, message.data)

    def _take_ack(self, connection: Connection, text: str) -> None:
        try:
            frame = json.loads(text)
            envelope_id = frame["envelope_id"]
        except (ValueError, KeyError, TypeError):
            self._ledger.record_violation(f"a frame that is no ack: {text[:200]}")
            return
        waiting = connection.waiting.pop(envelope_id, None)
        if waiting is not None and not waiting.done():
            waiting.set_result(frame.get("payload") or None)
        elif envelope_id not in self._issued:
            self._ledger.record_violation(f"an ack for an envelope that never was: {envelope_id}")

    def _forget(self, connection: Connection) -> None:
        self.connections.remove(connection)
        for waiting in connection.waiting.values():
            if not waiting.done():
                waiting.set_exception(ConnectionError("the socket went away"))
        self._ledger.change("socket", connections=len(self.connections))

    def _choose(self, kind: str) -> Connection | None:
        usable = [c for c in self.connections if not c.is_leaving and not c.socket.closed]
        if not usable:
            return None
        if self.balance == "random":
            return self._rng.choice(usable)
        self._turns[kind] += 1
        return usable[self._turns[kind] % len(usable)]

    async def send(self, delivery: Delivery, attempt: int, reason: str) -> Outcome:
        """Send the payload on one connection and wait for the app's ack. Return whether the ack came, and why
        not.

        If `attempt` is above 0, this is a retry, and `reason` says why the earlier attempt failed.
        """
        connection = self._choose(delivery.kind)
        if connection is None:
            return Outcome(is_acked=False, reason="connection_failed")
        envelope_id = secrets.token_hex(16)
        self._issued.add(envelope_id)
        acked = asyncio.get_running_loop().create_future()
        connection.waiting[envelope_id] = acked
        envelope: Json = {"envelope_id": envelope_id, "type": delivery.kind, "payload": delivery.payload}
        envelope["accepts_response_payload"] = delivery.kind != "events_api"
        if delivery.kind == "events_api":
            envelope |= {"retry_attempt": attempt, "retry_reason": "timeout" if reason else ""}
        try:
            # A frozen app stops reading. Then sending blocks too, so the deadline covers sending and the ack.
            async with asyncio.timeout(self.ack_seconds):
                await connection.socket.send_json(envelope)
                payload = await acked
        except TimeoutError:
            return Outcome(is_acked=False, reason="timeout")
        except ConnectionError:
            return Outcome(is_acked=False, reason="connection_lost")
        finally:
            connection.waiting.pop(envelope_id, None)
        return Outcome(is_acked=True, reason="acked", payload=payload)

    async def _say_goodbye(self, socket: web.WebSocketResponse, reason: str) -> None:
        with contextlib.suppress(ConnectionError):
            await socket.send_json(
                {"type": "disconnect", "reason": reason, "debug_info": {"host": "sandbox"}}
            )

    async def warn(self) -> None:
        """Tell the app on every connection that the connection will end soon. The connections stay open."""
        for connection in list(self.connections):
            await self._say_goodbye(connection.socket, "warning")

    async def refresh(self) -> None:
        """Renew every connection: ask the app to reconnect, then close the old sockets."""
        leaving = [connection for connection in self.connections if not connection.is_leaving]
        for connection in leaving:
            connection.is_leaving = True
            await self._say_goodbye(connection.socket, "refresh_requested")
        asyncio.get_running_loop().call_later(self.refresh_seconds, self._close_all, leaving)

    def _close_all(self, connections: list[Connection]) -> None:
        for connection in connections:
            connection.abort()

    async def cut(self) -> None:
        """Break every connection without notice."""
        self._close_all(list(self.connections))

    async def close(self) -> None:
        """Close every connection, as a server does that shuts down."""
        for connection in list(self.connections):
            await connection.socket.close(code=1001)
