"""A test server between raw sockets and a Bolt app. The app records the payloads that it gets."""

import asyncio
import contextlib
import hashlib
import hmac
import io
import re
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlencode

from slack_bolt.async_app import AsyncAck
from slack_sdk.web.async_client import AsyncWebClient

from taskwire.app.http_secrets import ReceivedToken
from taskwire.app.http_server import ConnectionLimits, serve
from taskwire.app.web import Hints, Refusals, SlackRequests, add_health, add_hints, add_slack
from taskwire.app.web import Site as Address
from taskwire.domain.ids import UserId
from taskwire.slack.bolt import make_app
from taskwire.slack.manifest import REQUEST_PATH
from taskwire.slack.models import Identity
from taskwire.slack.signatures import SignatureVerifier
from taskwire.telemetry import Metrics
from tests.metrics import value_of

SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
HINT_TOKEN = "a-word-of-coders"
FORM, JSON = "application/x-www-form-urlencoded", "application/json"
BOT = Identity(team_id="T0TEAM1", team_name="Team", bot_user_id=UserId("U0BOT1"), bot_id="B0BOT1")
# No test waits this long. Tests of timeouts set shorter limits.
LIMITS = ConnectionLimits(request_seconds=60.0)
PATIENCE_SECONDS = 30.0


def signature(body: bytes, timestamp: str, secret: str = SECRET) -> str:
    """Sign a body as Slack does."""
    base = b"v0:" + timestamp.encode() + b":" + body
    return "v0=" + hmac.new(secret.encode(), base, hashlib.sha256).hexdigest()


def request(
    body: bytes,
    kind: str = FORM,
    *,
    timestamp: str | None = None,
    signed: str | None = None,
    secret: str = SECRET,
    headers: str = "",
    path: str = REQUEST_PATH,
) -> bytes:
    """Return a request to the URL for Slack. By default it is signed now with the right secret. The arguments
    change parts of the request."""
    at = timestamp if timestamp is not None else str(int(time.time()))
    sign = signed if signed is not None else signature(body, at, secret)
    head = (
        f"POST {path} HTTP/1.1\r\nHost: taskwire\r\nContent-Type: {kind}\r\n"
        f"Content-Length: {len(body)}\r\nX-Slack-Request-Timestamp: {at}\r\nX-Slack-Signature: {sign}\r\n"
    )
    return (head + headers + "\r\n").encode("latin-1") + body


def command(text: str) -> bytes:
    """Return the form that Slack sends for a slash command, without most of its fields."""
    return urlencode(
        {"command": "/task", "text": text, "team_id": BOT.team_id, "user_id": "U0ALICE"}
    ).encode()


class Client:
    """One connection to the server, and the answers on it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        # The head of the server's latest answer.
        self.head = ""

    async def send(self, data: bytes) -> None:
        """Send bytes. It is no error if the server has closed the connection."""
        with contextlib.suppress(ConnectionError):
            self._writer.write(data)
            await self._writer.drain()

    async def answer(self) -> tuple[int, str]:
        """Return the status and the body of the next answer."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            head = self.head = (await self._reader.readuntil(b"\r\n\r\n")).decode()
            length = next(
                int(line.partition(":")[2])
                for line in head.splitlines()
                if line.lower().startswith("content-length")
            )
            return int(head.split()[1]), (await self._reader.readexactly(length)).decode()

    async def ask(self, data: bytes) -> tuple[int, str]:
        """Send a request and return its answer."""
        await self.send(data)
        return await self.answer()

    async def is_closed(self) -> bool:
        """Wait until the server has closed the connection. Return whether the server has sent nothing more
        before that."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                return await self._reader.read() == b""
        except ConnectionError:
            return True

    @property
    def is_open(self) -> bool:
        """Return whether the server has not closed the connection so far."""
        return not self._reader.at_eof() and self._reader.exception() is None

    def close(self) -> None:
        """Close the connection."""
        self._writer.close()


@dataclass
class Site:
    """The running server, and the payloads that its app has got."""

    log: io.StringIO
    requests: SlackRequests
    metrics: Metrics
    port: int = 0
    accepted: list[Mapping[str, Any]] = field(default_factory=list)
    hints: list[bytes] = field(default_factory=list)
    reply: str = "taken"
    # The health that the server reports. A metrics request gets no answer until `is_measured` is set.
    health: dict[str, str] = field(default_factory=lambda: {"slack": "ok", "store": "ok", "coder": "ok"})
    is_measured: asyncio.Event = field(default_factory=asyncio.Event)
    _clients: list[Client] = field(default_factory=list)

    async def connect(self) -> Client:
        """Open a connection, and close it at the end of the test."""
        client = Client(*await asyncio.open_connection("127.0.0.1", self.port))
        self._clients.append(client)
        return client

    async def ask_once(self, data: bytes) -> tuple[int, str]:
        """Send a request on a new connection and return its answer."""
        return await (await self.connect()).ask(data)

    def count_refused(self, why: str) -> float:
        """Return the number of requests that the server has refused for this reason."""
        return self.metric("taskwire_requests_refused_total", why=why)

    def metric(self, name: str, **labels: str) -> float:
        """Return the value of a metric."""
        return value_of(self.metrics.registry, name, **labels)

    def close_all(self) -> None:
        """Close all connections."""
        for client in self._clients:
            client.close()


@contextlib.asynccontextmanager
async def new_site(log: io.StringIO, *, admin_token: str | None = None, **limits: Any) -> AsyncIterator[Site]:
    """Run a server with these limits. Its Bolt app handles commands and messages."""
    metrics = Metrics()
    app = make_app(AsyncWebClient(), BOT, metrics)
    refusals = Refusals(metrics)
    made, requests = Address(refusals), SlackRequests(SignatureVerifier(SECRET), lambda: app, refusals)
    site = Site(log, requests, metrics)

    async def take(ack: AsyncAck, body: Mapping[str, Any]) -> None:
        site.accepted.append(body)
        await ack(site.reply)

    async def breaks(body: Mapping[str, Any]) -> None:
        raise ValueError(f"cannot use {body}")

    async def health() -> dict[str, str]:
        return dict(site.health)

    async def figures() -> bytes:
        await site.is_measured.wait()
        return metrics.exposition()

    app.command("/task")(take)
    app.action(re.compile("^our_"))(take)
    app.view("ours")(take)
    app.event(re.compile("^member_"))(take)
    app.event("message")(take)
    app.event("app_mention")(breaks)
    add_slack(made, requests)
    add_hints(made, Hints(ReceivedToken(HINT_TOKEN), site.hints.append))
    add_health(made, figures, health, refusals, ReceivedToken(admin_token) if admin_token else None)
    within = replace(LIMITS, **limits)
    serving = serve(made.app, ("127.0.0.1", 0), within, metrics, made.callbacks, shutdown_seconds=1.0)
    async with serving as site.port:
        yield site
        site.close_all()
