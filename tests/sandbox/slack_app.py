"""A minimal app for the tests of the Slack stand-in. It calls methods, opens a socket, and acks as a test
says."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from taskwire_sandbox.slack import SlackSandbox

Json = dict[str, Any]  # Slack's open payloads, as in the stand-in itself


class Api:
    """Calls the Web API without an SDK, so that nothing in a call is corrected before it is sent."""

    def __init__(self, slack: SlackSandbox, session: aiohttp.ClientSession) -> None:
        self.slack = slack
        self.session = session

    async def call(self, method: str, *, token: str | None = None, **arguments: Any) -> Json:
        """Call a method with a JSON body. Return the JSON of the answer."""
        async with self.raw(method, token=token, **arguments) as response:
            return dict(await response.json())

    def raw(self, method: str, *, token: str | None = None, **arguments: Any) -> Any:
        """Call a method with a JSON body. Return the HTTP response."""
        headers = {"Authorization": f"Bearer {self.slack.bot_token if token is None else token}"}
        return self.session.post(self.slack.api_url + method, json=arguments, headers=headers)

    async def form(self, method: str, **arguments: str) -> Json:
        """Call a method with a form that contains the token."""
        fields = {"token": self.slack.bot_token} | arguments
        async with self.session.post(self.slack.api_url + method, data=fields) as response:
            return dict(await response.json())

    async def post(self, channel: str, text: str, **arguments: Any) -> str:
        """Post a message, which must succeed, and return its ts."""
        answer = await self.call("chat.postMessage", channel=channel, text=text, **arguments)
        assert answer["ok"], answer
        return str(answer["ts"])


class SocketApp:
    """One Socket Mode connection of the app.

    `reply` gets the payload of an envelope and returns the payload of its ack. None means an ack without a
    payload. If `is_silent`, the app sends no acks.
    """

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self.hello: Json = {}
        self.frames: list[Json] = []
        self.is_silent = False
        self.reply: Callable[[Json], Json | None] = lambda _: None

    @property
    def envelopes(self) -> list[Json]:
        """Return the envelopes that were delivered."""
        return [frame for frame in self.frames if "envelope_id" in frame]

    @property
    def events(self) -> list[Json]:
        """Return the events that were delivered."""
        return [e["payload"]["event"] for e in self.envelopes if e["type"] == "events_api"]

    async def run(self) -> None:
        """Read frames and ack them until the socket closes."""
        async for message in self.socket:
            frame = json.loads(message.data)
            if frame["type"] == "hello":
                self.hello = frame
                continue
            self.frames.append(frame)
            if "envelope_id" in frame and not self.is_silent:
                await self.ack(frame)

    async def ack(self, frame: Json) -> None:
        """Ack one envelope."""
        payload = self.reply(frame["payload"])
        body = {"envelope_id": frame["envelope_id"]} | ({"payload": payload} if payload else {})
        await self.socket.send_json(body)


async def socket_url(api: Api) -> str:
    """Request the URL of a new Socket Mode connection."""
    answer = await api.call("apps.connections.open", token=api.slack.app_token)
    assert answer["ok"], answer
    return str(answer["url"])


@asynccontextmanager
async def connected(api: Api) -> AsyncIterator[SocketApp]:
    """Open a connection and wait for Slack's hello."""
    async with api.session.ws_connect(await socket_url(api)) as socket:
        app = SocketApp(socket)
        running = asyncio.create_task(app.run())
        try:
            await api.slack.until(lambda: app.hello, "the hello")
            yield app
        finally:
            running.cancel()
