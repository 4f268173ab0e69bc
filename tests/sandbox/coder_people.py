"""People who ask the Coder stand-in over HTTP, for its own tests: a key each, and answers to read."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiohttp import ClientSession
from multidict import CIMultiDictProxy

from taskwire_sandbox.coder import CoderSandbox, Settings, SteppedClock

TASKS = "/api/v2/tasks"


@dataclass(frozen=True)
class Reply:
    """One answer. What JSON holds is looked into freely here: these are tests of its very form."""

    status: int
    text: str
    headers: CIMultiDictProxy[str]

    @property
    def json(self) -> Any:
        """Return the body as JSON."""
        return json.loads(self.text)

    @property
    def said(self) -> tuple[int, str, str]:
        """Return status, message and detail, as tables compare them."""
        body = self.json
        return self.status, body["message"], body.get("detail", "")


class Person:
    """Somebody with a key."""

    def __init__(self, session: ClientSession, url: str, token: str) -> None:
        self._session = session
        self._url = url
        self.token = token

    async def asks(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        raw: bytes | None = None,
        query: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
    ) -> Reply:
        """Send one request and return the answer."""
        data = raw if raw is not None else (json.dumps(body).encode() if body is not None else None)
        sent = {"Coder-Session-Token": self.token, **(headers or {})} if self.token else dict(headers or {})
        async with self._session.request(
            method, self._url + path, data=data, params=query, headers=sent
        ) as response:
            return Reply(response.status, await response.text(), response.headers)

    async def creates(
        self, sandbox: CoderSandbox, prompt: str = "Fix the login redirect", **fields: str
    ) -> Any:
        """Create a task of one's own and return it."""
        body = {"template_version_id": sandbox.template.active.id, "input": prompt, **fields}
        reply = await self.asks("POST", f"{TASKS}/me", body)
        assert reply.status == 201, reply.text
        return reply.json

    async def task(self, task_id: str) -> Any:
        """Return a task as a get shows it."""
        reply = await self.asks("GET", f"{TASKS}/me/{task_id}")
        assert reply.status == 200, reply.text
        return reply.json


@dataclass(frozen=True)
class Scene:
    """A sandbox in stepped time, Alice who is an ordinary member, and the administrator."""

    sandbox: CoderSandbox
    alice: Person
    admin: Person
    session: ClientSession

    def person(self, username: str, **options: Any) -> Person:
        """Return somebody new, as `add_user` makes them."""
        if self.sandbox.world.find_user(username) is None:
            self.sandbox.add_user(username, **options)
        return Person(self.session, self.sandbox.url, self.sandbox.add_token(username))

    def with_key(self, key: str) -> Person:
        """Return whoever holds this key."""
        return Person(self.session, self.sandbox.url, key)


@asynccontextmanager
async def scene(settings: Settings | None = None, **options: Any) -> AsyncIterator[Scene]:
    """Set up a sandbox with two people, and expect no complaint at its end."""
    async with (
        CoderSandbox(clock=SteppedClock(), settings=settings, **options) as sandbox,
        ClientSession() as session,
    ):
        sandbox.add_user("alice", email="alice@acme.test", name="Alice Adams")
        alice = Person(session, sandbox.url, sandbox.add_token("alice"))
        admin = Person(session, sandbox.url, sandbox.admin_token)
        yield Scene(sandbox, alice, admin, session)
        assert not sandbox.complaints
