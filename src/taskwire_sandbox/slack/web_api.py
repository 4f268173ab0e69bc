"""The Web API's HTTP endpoint: reads a request, runs the method, and answers as Slack does.

A planned fault can replace the answer, or prevent the call.
"""

import asyncio
import json
from collections.abc import Callable

from aiohttp import web

from taskwire_sandbox.slack.backend import Backend
from taskwire_sandbox.slack.errors import ApiError, Json, invalid_arguments
from taskwire_sandbox.slack.faults import CallFault, Rule
from taskwire_sandbox.slack.ledger import Call
from taskwire_sandbox.slack.methods import all_methods
from taskwire_sandbox.slack.methods.spec import COMMON_ERRORS, Method, parse, require_scope

# Bolt adds `team_id` by default to each call of its clients. Slack accepts it in every call.
_ADDED_BY_THE_SDK = {"team_id"}
_NONSENSE = "<html><body>Bad gateway</body></html>"


class TooFast(Exception):
    """The call exceeds a rate limit."""

    def __init__(self, seconds: int) -> None:
        super().__init__(f"retry after {seconds} s")
        self.seconds = seconds


async def read_arguments(request: web.Request) -> tuple[Json, bool]:
    """Read the query and the body of a request. Return the arguments, and whether the body was JSON."""
    arguments: Json = dict(request.query)
    if not request.can_read_body:
        return arguments, False
    if request.content_type == "application/json":
        body = await request.json()
        return arguments | (body if isinstance(body, dict) else {}), True
    form = await request.post()
    return arguments | {key: value for key, value in form.items() if isinstance(value, str)}, False


class WebApi:
    """Serves /api/METHOD."""

    def __init__(self, slack: Backend) -> None:
        self.methods = all_methods()
        self._slack = slack
        self._closing = asyncio.Event()

    def close(self) -> None:
        """End the requests that a fault keeps hanging."""
        self._closing.set()

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Answer one request to the Web API."""
        name = request.match_info["method"]
        try:
            arguments, is_json = await read_arguments(request)
        except ValueError:
            return web.json_response({"ok": False, "error": "invalid_json"})
        token = request.headers.get("Authorization", "").removeprefix("Bearer").strip()
        if not is_json:
            token = token or str(arguments.get("token", ""))
        arguments.pop("token", None)
        call = self._slack.ledger.begin(name, arguments)
        return await self.handle(request, call, lambda: self._execute(call, token, is_json=is_json))

    async def handle(
        self, request: web.Request, call: Call, execute: Callable[[], web.Response]
    ) -> web.StreamResponse:
        """Execute a call and return its answer.

        A planned fault may delay the call. It may also replace the answer or the whole call.
        """
        ledger = self._slack.ledger
        await ledger.call_hook("before", call)
        rule = self._slack.faults.for_call(call.method, call.arguments)
        if rule is not None and rule.fault is CallFault.LATE:
            await asyncio.sleep(rule.seconds)
        answer = None
        if rule is None or (isinstance(rule.fault, CallFault) and rule.fault.executes):
            answer = execute()
            call.executed = True
            await ledger.call_hook("after", call)
        if answer is not None and (rule is None or rule.fault is CallFault.LATE):
            ledger.change("call", method=call.method, outcome=call.outcome)
            return answer
        if rule is None:
            raise AssertionError("an execution without an answer needs a rule")
        call.outcome = rule.fault.value
        ledger.change("call", method=call.method, outcome=call.outcome)
        return await self._badly(request, rule, answer)

    async def _badly(
        self, request: web.Request, rule: Rule, answer: web.Response | None
    ) -> web.StreamResponse:
        match rule.fault:
            case CallFault.DONE_THEN_LATE if answer is not None:
                await asyncio.sleep(rule.seconds)
                return answer
            case CallFault.RATE_LIMITED:
                return _too_fast(max(1, round(rule.seconds)))
            case CallFault.SERVER_ERROR | CallFault.DONE_THEN_SERVER_ERROR:
                return web.Response(status=500, text="Internal Server Error")
            case CallFault.ERROR | CallFault.DONE_THEN_ERROR:
                return web.json_response({"ok": False, "error": rule.error})
            case CallFault.NONSENSE | CallFault.DONE_THEN_NONSENSE:
                return web.Response(text=_NONSENSE, content_type="text/html")
            case CallFault.HANG | CallFault.DONE_THEN_HANG:
                await self._closing.wait()
        if request.transport is not None:
            request.transport.abort()
        return web.Response(status=500)

    def _execute(self, call: Call, token: str, *, is_json: bool) -> web.Response:
        try:
            answer: Json = {"ok": True} | self._run(call, token, is_json=is_json)
            call.outcome = "ok"
        except TooFast as refused:
            call.outcome = "ratelimited"
            return _too_fast(refused.seconds)
        except ApiError as refused:
            call.outcome = refused.error
            self._check_error(call, refused)
            answer = {"ok": False, "error": refused.error} | refused.extra
        call.answer = answer
        return web.json_response(answer, headers=self._scopes(token))

    def _scopes(self, token: str) -> dict[str, str]:
        """Return the header in which Slack lists the scopes of a token; empty for an unknown token."""
        app = self._slack.app
        granted = {app.bot_token: sorted(app.manifest.scopes), app.app_token: ["connections:write"]}
        return {"X-OAuth-Scopes": ",".join(granted[token])} if token in granted else {}

    def _check_error(self, call: Call, refused: ApiError) -> None:
        known = self.methods.get(call.method)
        if known is None or refused.error == "missing_scope":
            self._slack.ledger.record_violation(
                f"{refused.error}: {call.method} {refused.extra.get('needed', '')}".strip()
            )
        elif refused.error not in known.errors | COMMON_ERRORS:
            self._slack.ledger.record_violation(
                f"the sandbox answered {call.method} with {refused.error}, which Slack never does"
            )

    def _run(self, call: Call, token: str, *, is_json: bool) -> Json:
        known = self.methods.get(call.method)
        if known is None:
            raise ApiError("unknown_method", req_method=call.method)
        self._authorize(known, token)
        seconds = self._slack.rate_limiter.take(
            known.name, known.tier, str(call.arguments.get("channel", ""))
        )
        if seconds:
            raise TooFast(seconds)
        if known.caller == "bot":
            require_scope(self._slack, *known.scopes)
        unknown = sorted(call.arguments.keys() - known.arguments.keys() - _ADDED_BY_THE_SDK)
        if unknown:
            self._slack.ledger.record_violation(f"unknown argument of {known.name}: {', '.join(unknown)}")
        if known.is_form_only and is_json:
            raise invalid_arguments("this method takes forms only")
        return known.run(self._slack, parse(known, call.arguments))

    def _authorize(self, known: Method, token: str) -> None:
        app = self._slack.app
        if not token:
            raise ApiError("not_authed")
        if token not in (app.bot_token, app.app_token):
            raise ApiError("invalid_auth")
        if token != (app.app_token if known.caller == "app" else app.bot_token):
            raise ApiError("not_allowed_token_type")


def _too_fast(seconds: int) -> web.Response:
    body = json.dumps({"ok": False, "error": "ratelimited"})
    headers = {"Retry-After": str(seconds)}
    return web.Response(status=429, text=body, content_type="application/json", headers=headers)
