"""Serves HTTP: health, metrics, Slack's requests in HTTP mode, and hints from Coder's webhook."""

import asyncio
import contextlib
import json
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from aiohttp import web
from aiohttp.http_parser import RawRequestMessage
from slack_bolt.adapter.aiohttp import to_aiohttp_response
from slack_bolt.async_app import AsyncApp

from taskwire.app.http_framing import Expectation, Rejected
from taskwire.app.http_secrets import ReceivedToken
from taskwire.app.http_server import (
    ConnectionLimits,
    SiteCallbacks,
    count_spare_descriptors,
    find_connection,
    guard_connection,
    serve,
)
from taskwire.doctor.findings import os_reason
from taskwire.domain.errors import UserError
from taskwire.messages import refusals as messages
from taskwire.settings import host_and_port
from taskwire.single_flight import SingleFlight
from taskwire.slack.bolt import dispatch
from taskwire.slack.manifest import REQUEST_PATH
from taskwire.slack.signatures import (
    SIGNATURE_PROBLEMS,
    RequestRefused,
    SignatureProblem,
    SignatureVerifier,
    parse_request,
)
from taskwire.telemetry import Metrics, ThrottledLog, logger

# Coder signs nothing and sends no custom header. Therefore the token that proves the sender is in the URL.
HINT_PATH = "/coder/webhook"
# The largest body from Slack, in bytes. Slack's payloads are far smaller; files are never sent here.
LARGEST_BODY = 2 * 1024 * 1024
# The largest body from Coder, in bytes. Coder's notifications have a few kilobytes.
LARGEST_HINT = 256 * 1024
RefusalReason = SignatureProblem | Literal["malformed", "length", "token", "admin_token"]
# These counters exist from the start, because an alert watches their increase.
REFUSAL_REASONS: tuple[RefusalReason, ...] = (
    *SIGNATURE_PROBLEMS,
    "malformed",
    "length",
    "token",
    "admin_token",
)
_REFUSAL_TEXTS: dict[RefusalReason, str] = {
    "signature": "with a wrong signature",
    "time": "too old, or signed by another clock",
    "headers": "without a signature",
    "body": "signed, but nothing that Slack sends",
    "malformed": "no HTTP that can be read",
    "length": "too long, or sent in chunks",
    "token": "hints without the token of TASKWIRE_WEBHOOK_TOKEN",
    "admin_token": "to /readyz with another token than TASKWIRE_ADMIN_TOKEN",
}
# The most requests for metrics that are served at the same time. This is a quarter of the connections that
# `http_server.py` reserves for health and metrics.
MAX_METRICS_REQUESTS = 8
# In seconds. If all places for health are taken, the latest result is returned, unless it is older than this.
HEALTH_CACHE_SECONDS = 5.0
# How long an answer may take when the sites are closed, in seconds.
CLOSE_SITES_SECONDS = 1.0
_TOO_MANY_REQUESTS = "Too many ask at once.\n"
CheckHealth = Callable[[], Awaitable[dict[str, str]]]
CollectMetrics = Callable[[], Awaitable[bytes]]
FindApp = Callable[[], AsyncApp | None]
Expect = Callable[[RawRequestMessage], Expectation]
_log = logger("taskwire.app.web")


class Hints(NamedTuple):
    """How to accept hints: notifications of Coder that a task has changed, or will change soon.

    A request must have the `token`. `on_hint` gets the body of each accepted request.
    """

    token: ReceivedToken
    on_hint: Callable[[bytes], None]


class Refusals:
    """Counts refused requests for operators. A wrong signing secret shows only in this count."""

    def __init__(self, metrics: Metrics) -> None:
        self._counters = {why: metrics.requests_refused.labels(why) for why in REFUSAL_REASONS}
        self._log_refusal = ThrottledLog(_log.warning, "HTTP requests are refused")
        self._counts: Counter[RefusalReason] = Counter()
        self._last_at = 0.0
        # Whether any request was accepted. If so, the signing secret is right.
        self.is_any_accepted = False

    def count(self, why: str) -> None:
        """Count a refused request. Log it at most once a minute."""
        reason = next(reason for reason in REFUSAL_REASONS if reason == why)
        self._counters[reason].inc()
        self._counts[reason] += 1
        self._last_at = time.monotonic()
        self._log_refusal(why=why)

    def describe(self) -> str:
        """Return how many requests were refused, when and why, as a sentence; "ok" if none was."""
        if not self._counts:
            return "ok"
        ago = f"the last one {time.monotonic() - self._last_at:.0f} s ago"
        kinds = ", ".join(
            f"{self._counts[why]} {what}" for why, what in _REFUSAL_TEXTS.items() if self._counts[why]
        )
        said = f"Refused since the start: {self._counts.total()}, {ago} ({kinds})."
        if self.is_any_accepted or not any(self._counts[why] for why in SIGNATURE_PROBLEMS):
            return said
        hint = "Compare SLACK_SIGNING_SECRET with your Slack app's page Basic Information."
        return f"{said} None was taken. {hint}"


class SlackRequests:
    """Accepts Slack's requests. `find_app` returns the Bolt app, or None while the bot starts."""

    def __init__(self, signatures: SignatureVerifier, find_app: FindApp, refusals: Refusals) -> None:
        self._signatures = signatures
        self._find_app = find_app
        self.refusals = refusals

    def expect(self, head: RawRequestMessage) -> Expectation:
        """Return what the site expects after a head: a body that fits the signature in the head.

        Raises `Rejected` if the head cannot be Slack's.
        """
        try:
            claim = self._signatures.parse_headers(head.headers)
        except RequestRefused as refused:
            raise _rejected(refused) from None

        def verify(body: memoryview) -> None:
            try:
                self._signatures.verify(claim, body)
            except RequestRefused as refused:
                raise _rejected(refused) from None

        return Expectation(LARGEST_BODY, verify)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Pass a verified request to Bolt."""
        connection = find_connection(request)
        if connection is None or not connection.is_verified:
            # The sender of this request was not verified, so the request is refused.
            raise web.HTTPNotFound
        self.refusals.is_any_accepted = True
        if not connection.promote("trusted"):
            return web.Response(status=503, text=_TOO_MANY_REQUESTS)
        app = self._find_app()
        if app is None:
            # After this status, Slack sends an event again. After a command or a click, Slack shows the
            # person an error.
            return web.Response(status=503, text="Taskwire is starting.\n")
        try:
            answer = await dispatch(app, parse_request(request.headers, await request.read()))
            if answer.status == RequestRefused("body").status:
                raise RequestRefused("body")
        except RequestRefused as refused:
            self.refusals.count(refused.reason)
            return web.Response(status=refused.status, text=_refusal(refused))
        return await to_aiohttp_response(answer)


def _refusal(refused: RequestRefused) -> str:
    return f"Refused: {_REFUSAL_TEXTS[refused.reason]}.\n"


def _rejected(refused: RequestRefused) -> Rejected:
    return Rejected(refused.status, refused.reason, _refusal(refused))


class Site:
    """One address: its routes, and which of them accept a body."""

    def __init__(self, refusals: Refusals) -> None:
        self.app = web.Application(client_max_size=LARGEST_BODY, middlewares=[guard_connection])
        self.callbacks = SiteCallbacks(self._check_head, refusals.count)
        self._expects: dict[str, Expect] = {}

    def expect(self, path: str, expect: Expect) -> None:
        """Set which body and which check the site expects for requests posted to a path or below it."""
        self._expects[path] = expect

    def _check_head(self, head: RawRequestMessage) -> Expectation:
        if head.method != "POST":
            return Expectation()
        for path, expect in self._expects.items():
            if head.url.path == path or head.url.path.startswith(f"{path}/"):
                return expect(head)
        raise Rejected(404, None, "There is nothing here.\n")


async def listen(
    stack: contextlib.AsyncExitStack, site: Site, metrics: Metrics, setting: str, address: str
) -> int:
    """Serve a site at an address until the stack ends, and return its port.

    Raises `UserError` if the address cannot be used.
    """
    is_admin = setting == "TASKWIRE_ADMIN_ADDR"
    limits = ConnectionLimits(waiting=64, trusted=1) if is_admin else ConnectionLimits()
    serving = serve(
        site.app,
        host_and_port(address),
        limits.scaled_to(count_spare_descriptors()),
        metrics,
        site.callbacks,
        shutdown_seconds=CLOSE_SITES_SECONDS,
    )
    try:
        return await stack.enter_async_context(serving)
    except OSError as error:
        raise UserError(*messages.cannot_listen(setting, address, os_reason(error))) from error


def add_slack(site: Site, requests: SlackRequests) -> None:
    """Accept all kinds of Slack's requests at one path."""
    site.expect(REQUEST_PATH, requests.expect)
    site.app.router.add_post(REQUEST_PATH, requests.handle)


def add_health(
    site: Site,
    collect_metrics: CollectMetrics,
    check_health: CheckHealth,
    refusals: Refusals | None = None,
    admin_token: ReceivedToken | None = None,
) -> None:
    """Serve health and metrics. Everybody sees whether the bot is ready; reasons need the admin token."""
    shared_health: SingleFlight[dict[str, str]] = SingleFlight(check_health)
    shared_metrics: SingleFlight[bytes] = SingleFlight(collect_metrics)
    metrics_slots = asyncio.Semaphore(MAX_METRICS_REQUESTS)
    last = _HealthResult()

    async def healthz(_: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def readyz(request: web.Request) -> web.Response:
        """Answer 503 if payloads from Slack cannot be accepted. Problems with Coder do not cause a 503."""
        is_admin = _is_admin(request, admin_token, refusals)
        if _reserve_health_place(request):
            found = last.findings = await shared_health.get()
            last.at = time.monotonic()
        elif time.monotonic() - last.at < HEALTH_CACHE_SECONDS:
            # Endless requests from strangers must not make the bot look unready to a probe.
            found = last.findings
        else:
            return web.Response(status=503, text=_TOO_MANY_REQUESTS)
        is_ready = all(found[part] == "ok" for part in ("slack", "store"))
        if not is_admin:
            found = {part: "ok" if said == "ok" else "not ok" for part, said in found.items()}
        elif refusals is not None:
            found = {**found, "requests": refusals.describe()}
        return web.Response(
            status=200 if is_ready else 503,
            text=json.dumps({"ready": is_ready, **found}, indent=2, ensure_ascii=False) + "\n",
            content_type="application/json",
        )

    async def metrics(request: web.Request) -> web.Response:
        if metrics_slots.locked() or not _reserve_health_place(request):
            return web.Response(status=503, text=_TOO_MANY_REQUESTS)
        async with metrics_slots:
            body = await shared_metrics.get()
        return web.Response(body=body, headers={"Content-Type": "text/plain; version=0.0.4"})

    site.app.router.add_get("/healthz", healthz)
    site.app.router.add_get("/readyz", readyz)
    site.app.router.add_get("/metrics", metrics)


@dataclass
class _HealthResult:
    """The latest result of a health check, and when the check was made, by the monotonic clock."""

    findings: dict[str, str] = field(default_factory=dict)
    at: float = -HEALTH_CACHE_SECONDS


def _reserve_health_place(request: web.Request) -> bool:
    """Take one of the places for health requests. Return whether there was a free place.

    The number of places is limited, because such a request takes seconds while Redis hangs.
    """
    connection = find_connection(request)
    return connection is not None and connection.promote("health")


def _is_admin(request: web.Request, admin_token: ReceivedToken | None, refusals: Refusals | None) -> bool:
    """Return whether a request has the admin token. Count a wrong token, and raise HTTPUnauthorized."""
    kind, _, given = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() != "bearer":
        return False
    if admin_token is None or not admin_token.accepts(given.strip()):
        if refusals is not None:
            refusals.count("admin_token")
        raise web.HTTPUnauthorized(text="The token is not the one of TASKWIRE_ADMIN_TOKEN.\n")
    return True


def add_hints(site: Site, hints: Hints) -> None:
    """Accept Coder's notifications as hints: something has changed or will soon change, so poll now."""

    def expect(head: RawRequestMessage) -> Expectation:
        beneath = head.url.path.removeprefix(HINT_PATH).removeprefix("/")
        if not hints.token.accepts(beneath or head.url.query.get("token", "")):
            raise Rejected(403, "token", "The token is not the one of TASKWIRE_WEBHOOK_TOKEN.\n")
        return Expectation(LARGEST_HINT, lambda _: None)

    async def handle(request: web.Request) -> web.StreamResponse:
        connection = find_connection(request)
        if connection is None or not connection.is_verified:
            raise web.HTTPNotFound
        hints.on_hint(await request.read())
        return web.Response(status=204)

    site.expect(HINT_PATH, expect)
    site.app.router.add_post(HINT_PATH, handle)
    site.app.router.add_post(HINT_PATH + "/{token}", handle)
