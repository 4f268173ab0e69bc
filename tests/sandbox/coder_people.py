"""Clients of the Coder stand-in, for the stand-in's own tests. They are people with a session key each, and
the answers that they get."""

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
    """One answer of the stand-in. Its JSON is not typed, because these tests are about its exact form."""

    status: int
    text: str
    headers: CIMultiDictProxy[str]

    @property
    def json(self) -> Any:
        """Return the body, parsed as JSON."""
        return json.loads(self.text)

    @property
    def said(self) -> tuple[int, str, str]:
        """Return the status, message and detail of an error. The detail is empty if the answer has none."""
        body = self.json
        return self.status, body["message"], body.get("detail", "")


class Person:
    """A Coder user with a session key."""

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
        """Send one request as this user and return the answer."""
        data = raw if raw is not None else (json.dumps(body).encode() if body is not None else None)
        sent = {"Coder-Session-Token": self.token, **(headers or {})} if self.token else dict(headers or {})
        async with self._session.request(
            method, self._url + path, data=data, params=query, headers=sent
        ) as response:
            return Reply(response.status, await response.text(), response.headers)

    async def creates(
        self, sandbox: CoderSandbox, prompt: str = "Fix the login redirect", **fields: str
    ) -> Any:
        """Create a task of this user and return it."""
        body = {"template_version_id": sandbox.template.active.id, "input": prompt, **fields}
        reply = await self.asks("POST", f"{TASKS}/me", body)
        assert reply.status == 201, reply.text
        return reply.json

    async def task(self, task_id: str) -> Any:
        """Return a task as the stand-in's GET shows it."""
        reply = await self.asks("GET", f"{TASKS}/me/{task_id}")
        assert reply.status == 200, reply.text
        return reply.json


@dataclass(frozen=True)
class Scene:
    """A stand-in with a clock that tests move, the ordinary member Alice, and the administrator."""

    sandbox: CoderSandbox
    alice: Person
    admin: Person
    session: ClientSession

    def person(self, username: str, **options: Any) -> Person:
        """Return a client with a new session key of this user. Add the user if the stand-in does not know the
        name."""
        if self.sandbox.world.find_user(username) is None:
            self.sandbox.add_user(username, **options)
        return Person(self.session, self.sandbox.url, self.sandbox.add_token(username))

    def with_key(self, key: str) -> Person:
        """Return a client that uses this session key."""
        return Person(self.session, self.sandbox.url, key)


@asynccontextmanager
async def scene(settings: Settings | None = None, **options: Any) -> AsyncIterator[Scene]:
    """Start a stand-in for Coder with Alice and an administrator. At the end, check that it has recorded no
    violations."""
    async with (
        CoderSandbox(clock=SteppedClock(), settings=settings, **options) as sandbox,
        ClientSession() as session,
    ):
        sandbox.add_user("alice", email="alice@acme.test", name="Alice Adams")
        alice = Person(session, sandbox.url, sandbox.add_token("alice"))
        admin = Person(session, sandbox.url, sandbox.admin_token)
        yield Scene(sandbox, alice, admin, session)
        assert not sandbox.violations
