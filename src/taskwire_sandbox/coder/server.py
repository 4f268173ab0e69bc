"""The HTTP server: finds the route, checks the API key, applies limits and faults, records requests.

The `*_routes` modules make the answers.
"""

import asyncio
import socket
import struct
import traceback
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from aiohttp import web

from taskwire_sandbox.coder import oauth_routes
from taskwire_sandbox.coder.access import Viewer
from taskwire_sandbox.coder.calls import Call, Deployment, Route
from taskwire_sandbox.coder.faults import Fault, PlannedFaults
from taskwire_sandbox.coder.limits import RateLimit
from taskwire_sandbox.coder.routes import RouteTable
from taskwire_sandbox.coder.rows import Agent
from taskwire_sandbox.coder.streams import Streams
from taskwire_sandbox.coder.wire import (
    NOT_FOUND,
    ROUTE_NOT_FOUND,
    SIGNED_OUT,
    Refusal,
    Response,
    go_time,
    json_response,
)

MOST_REQUESTS = 10_000
BODY_LIMIT = 64 * 1024 * 1024
TOKEN_QUERIES = frozenset({"coder_session_token", "access_token"})
BYPASS = "X-Coder-Bypass-Ratelimit"
UNKNOWN_ROUTE = "unknown"
# The lengths of the two parts of an API key: its id and its secret.
KEY_LENGTHS = (10, 22)


@dataclass(slots=True)
class RecordedRequest:
    """A recorded request and its result. `fault` is the name of the fault that the request met, or empty.

    `sender` is the user to whom the request's key belongs. `user` is empty at first, and is the same user as
    soon as the key is accepted.
    """

    number: int
    at: datetime
    route: str
    method: str
    path: str
    query: str
    body: bytes
    user: str = ""
    status: int | None = None
    has_executed: bool = False
    fault: str = ""
    sender: str = ""


RequestHook = Callable[[RecordedRequest, str], Awaitable[None] | None]
ArrivalHook = Callable[[RecordedRequest], Fault | None]
ControlHandler = Callable[[web.Request], Awaitable[web.StreamResponse | None]]


class Server:
    """Answers HTTP requests for one deployment."""

    def __init__(self, deployment: Deployment, answer_control: ControlHandler) -> None:
        self._deployment = deployment
        self._world = deployment.world
        self._routes = RouteTable()
        self._limit = RateLimit(self._world.settings.requests_per_minute)
        self._answer_control = answer_control
        self._released = asyncio.Event()
        self._waiting: set[asyncio.Event] = set()
        self.planned_faults = PlannedFaults()
        self.streams = Streams()
        self.requests: deque[RecordedRequest] = deque(maxlen=MOST_REQUESTS)
        self.on_request: RequestHook | None = None
        self.on_arrival: ArrivalHook | None = None
        self.on_progress: Callable[[], None] = lambda: None

    def application(self) -> web.Application:
        """Return the web application that aiohttp serves."""
        application = web.Application(client_max_size=BODY_LIMIT)
        application.router.add_route("*", "/{path:.*}", self.serve)
        return application

    def release(self) -> None:
        """End the requests that a fault keeps hanging or that a delay keeps waiting."""
        self._released.set()
        self._released = asyncio.Event()
        for waiting in self._waiting:
            waiting.set()

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Answer one request. A planned fault may replace the answer."""
        elsewhere = await self._answer_control(request)
        if elsewhere is not None:
            return elsewhere
        path = request.rel_url.raw_path
        found = self._routes.find(request.method, path, has_tasks=self._world.settings.tasks_enabled)
        name = found[0].name if found else UNKNOWN_ROUTE
        seen = self._record(request, name)
        if name == oauth_routes.TOKENS_ROUTE:
            # Such a request has no key: a refresh token in its body says whose it is.
            seen.body = await request.read()
            seen.sender = oauth_routes.find_sender(self._world.oauth, seen.body)
        fault = self._fault_for(seen) if found else None
        seen.fault = fault.name if fault else ""
        if fault is not None and fault.cuts and not fault.executes:
            return _reset(request)
        seen.body = await request.read()
        self.on_progress()
        return await self._answer_with_fault(request, found, seen, fault or Fault(""))

    async def _answer_with_fault(
        self,
        request: web.Request,
        found: tuple[Route, dict[str, str]] | None,
        seen: RecordedRequest,
        fault: Fault,
    ) -> web.StreamResponse:
        if fault.hangs:
            await self._released.wait()
            return _reset(request)
        if fault.delay_before:
            await asyncio.sleep(fault.delay_before)
        response = fault.answer or Response(500)
        if fault.executes:
            await self._call_hook(seen, "before")
            done = self._execute(request, found, seen)
            response = fault.answer or done
            seen.has_executed = True
            self.on_progress()
            await self._call_hook(seen, "after")
            await self._wait(response.after_seconds)
        if fault.delay_after:
            await asyncio.sleep(fault.delay_after)
        if fault.cuts:
            return _reset(request)
        seen.status = response.status
        self.on_progress()
        if response.watches:
            return await self.streams.follow(
                request, response.watches, lambda: self._execute(request, found, seen).body
            )
        return _to_http(response)

    async def _wait(self, seconds: float) -> None:
        """Wait by the deployment's clock, but not longer than until `release`."""
        if seconds:
            over = asyncio.Event()
            self._waiting.add(over)
            self._world.schedule.add(seconds, over.set)
            await over.wait()
            self._waiting.discard(over)

    async def _call_hook(self, seen: RecordedRequest, moment: str) -> None:
        if self.on_request is not None:
            waiting = self.on_request(seen, moment)
            if waiting is not None:
                await waiting

    def _fault_for(self, seen: RecordedRequest) -> Fault | None:
        """Return the fault for a request. The hook `on_arrival` decides first, then the planned faults."""
        found = self.on_arrival(seen) if self.on_arrival is not None else None
        return found or self.planned_faults.find_for(seen.route)

    def _record(self, request: web.Request, name: str) -> RecordedRequest:
        self._world.arrivals += 1
        url = request.rel_url
        seen = RecordedRequest(
            self._world.arrivals,
            self._world.clock.now(),
            name,
            request.method,
            url.path,
            url.raw_query_string,
            b"",
        )
        viewer = self._user_of(_token(request))
        seen.sender = viewer.user.username if viewer is not None else ""
        self.requests.append(seen)
        return seen

    def _execute(
        self, request: web.Request, found: tuple[Route, dict[str, str]] | None, seen: RecordedRequest
    ) -> Response:
        self._world.schedule.catch_up()
        headers: dict[str, str] = {}
        try:
            headers = self._count_request(request)
            if found is None:
                return _with_headers(self._answer_unknown(seen), headers)
            call = self._new_call(request, found, seen)
            return _with_headers(call.route.handler(call), headers)
        except Refusal as refusal:
            return _with_headers(refusal.response(), headers)
        except Exception:  # noqa: BLE001 - an error of the stand-in must fail the test, not look like Coder's
            self._world.record_violation(
                f"the stand-in failed at {seen.method} {seen.path}: {traceback.format_exc()}"
            )
            return json_response(500, {"message": "The stand-in itself failed; see its violations."})

    def _count_request(self, request: web.Request) -> dict[str, str]:
        sender = self._user_of(_token(request))
        if BYPASS in request.headers:
            if sender is None or not sender.is_site("owner"):
                self._world.record_violation(f"{BYPASS} was sent by somebody who is no owner")
                raise _PlainTextRefusal(428, f"{BYPASS} header requires owner role")
            return {}
        key = sender.user.id if sender else str(request.remote)
        may_pass, headers = self._limit.take((key, request.rel_url.raw_path), self._world.schedule.now())
        if not may_pass:
            text = f"You've been rate limited for sending more than {self._limit.limit} requests in 1m0s."
            raise _RateLimitRefusal(text, headers)
        return headers

    def _answer_unknown(self, seen: RecordedRequest) -> Response:
        if self._routes.knows(seen.path) and self._world.settings.tasks_enabled:
            self._world.record_violation(f"{seen.method} {seen.path}: the route has no such method")
            return Response(405)
        has_tasks = self._world.settings.tasks_enabled
        if has_tasks or not self._routes.knows(seen.path):
            self._world.record_violation(f"{seen.method} {seen.path}: no such route")
        is_below_tasks = has_tasks and seen.path.startswith("/api/v2/tasks/")
        return json_response(404, {"message": NOT_FOUND if is_below_tasks else ROUTE_NOT_FOUND})

    def _new_call(
        self, request: web.Request, found: tuple[Route, dict[str, str]], seen: RecordedRequest
    ) -> Call:
        route, params = found
        query = {key: value for key, value in request.query.items() if key not in TOKEN_QUERIES}
        for key in query.keys() - route.query:
            self._world.record_violation(f"{route.name}: the query key {key!r} is not known to this route")
        sender = self._authenticate(route, _token(request))
        seen.user = sender.user.username if isinstance(sender, Viewer) else ""
        return Call(self._deployment, route, params, query, seen.body, sender, seen.number)

    def _authenticate(self, route: Route, token: str) -> Viewer | Agent | None:
        if route.key_kind == "anyone":
            return None
        if route.key_kind == "agent":
            agent = self._world.agent_tokens.get(token)
            if agent is None or agent.is_deleted:
                raise Refusal(401, "Workspace agent not authorized.", "The agent cannot authenticate.")
            return agent
        self._check(token)
        viewer = self._user_of(token)
        if viewer is None or viewer.user.status == "suspended":
            mended = "Contact an admin to reactivate your account."
            raise Refusal(401, f'User is not active (status = "suspended"). {mended}')
        return viewer

    def _check(self, token: str) -> None:
        if not token:
            raise Refusal(
                401, SIGNED_OUT, 'Cookie "coder_session_token" or query parameter must be provided.'
            )
        parts = token.split("-")
        if tuple(len(part) for part in parts) != KEY_LENGTHS:
            raise Refusal(401, SIGNED_OUT, f"Invalid API key format: {_format_problem(parts)}")
        key = self._world.tokens.get(parts[0])
        if key is None:
            raise Refusal(401, SIGNED_OUT, "API key is invalid.")
        if key.secret != parts[1]:
            raise Refusal(401, SIGNED_OUT, "API key secret is invalid.")
        if key.expires_at <= self._world.schedule.now():
            raise Refusal(401, SIGNED_OUT, f'API key expired at "{go_time(key.expires_at)}".')

    def _user_of(self, token: str) -> Viewer | None:
        key = self._world.tokens.get(token.partition("-")[0])
        if key is None or key.key != token:
            return None
        return Viewer(key.user, key, self._world.settings.rules)


class _PlainTextRefusal(Refusal):
    """A refusal with a plain text body."""

    def response(self) -> Response:
        """Return the sentence alone, without JSON."""
        return Response(self.status, self.message.encode() + b"\n", content_type="text/plain; charset=utf-8")


class _RateLimitRefusal(Refusal):
    """The refusal of a request over the rate limit."""

    def __init__(self, message: str, headers: Mapping[str, str]) -> None:
        super().__init__(429, message)
        self._headers = headers

    def response(self) -> Response:
        """Return the 429 with the rate limit headers."""
        return _with_headers(super().response(), self._headers)


def _token(request: web.Request) -> str:
    """Return the session token of a request. Try its possible places in Coder's order."""
    authorization = request.headers.get("Authorization", "")
    bearer = authorization[7:] if authorization[:7].lower() == "bearer " else ""
    sources = (
        request.cookies.get("coder_session_token"),
        request.query.get("coder_session_token"),
        request.headers.get("Coder-Session-Token"),
        bearer,
        request.query.get("access_token"),
    )
    return next((source for source in sources if source), "")


def _format_problem(parts: list[str]) -> str:
    if len(parts) != len(KEY_LENGTHS):
        return f"incorrect amount of API key parts, expected 2 got {len(parts)}"
    if len(parts[0]) != KEY_LENGTHS[0]:
        return f"invalid API key ID length, expected 10 got {len(parts[0])}"
    return f"invalid API key secret length, expected 22 got {len(parts[1])}"


def _with_headers(response: Response, headers: Mapping[str, str]) -> Response:
    return replace(response, headers={**headers, **response.headers})


def _to_http(response: Response) -> web.Response:
    headers = dict(response.headers)
    if response.content_type:
        headers["Content-Type"] = response.content_type
    return web.Response(status=response.status, body=response.body, headers=headers)


def _reset(request: web.Request) -> web.Response:
    """Reset the connection. The client gets no answer, so it cannot know whether the call took effect."""
    transport = request.transport
    if transport is not None:
        connection = transport.get_extra_info("socket")
        if connection is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    return web.Response(status=500)
