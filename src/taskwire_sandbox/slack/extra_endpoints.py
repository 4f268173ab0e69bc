"""The addresses outside the Web API that an app calls: response URLs, file uploads and file downloads."""

import json
from urllib.parse import parse_qs

from aiohttp import web

from taskwire_sandbox.slack import messages
from taskwire_sandbox.slack.backend import Backend, Ephemeral
from taskwire_sandbox.slack.errors import ApiError, Json
from taskwire_sandbox.slack.ledger import Call
from taskwire_sandbox.slack.methods import content
from taskwire_sandbox.slack.tickets import RESPONSE_URL_USES, ResponseUrl
from taskwire_sandbox.slack.web_api import WebApi

_KNOWN = {
    "text", "blocks", "attachments", "response_type", "replace_original", "delete_original", "thread_ts",
    "unfurl_links", "unfurl_media", "mrkdwn", "metadata",
}  # fmt: skip
_TRUE = (True, "true", 1, "1")


class ExtraEndpoints:
    """Serves /respond, /upload and /files-pri.

    Calls to /respond and /upload are recorded, and faults can apply to them.
    """

    def __init__(self, slack: Backend, api: WebApi) -> None:
        self._slack = slack
        self._api = api

    def routes(self) -> list[web.RouteDef]:
        """List the routes."""
        return [
            web.post("/respond/{kind}/{token}", self._respond),
            web.post("/upload/v1/{secret}", self._upload),
            web.get("/files-pri/{file}/{name}", self._download),
            web.get("/signin", _sign_in),
        ]

    async def _respond(self, request: web.Request) -> web.StreamResponse:
        try:
            body = _response_body(await request.text(), request.content_type)
        except (ValueError, KeyError):
            self._slack.ledger.record_violation("response_url: the body is no JSON object")
            return web.json_response({"ok": False, "error": "invalid_payload"}, status=400)
        call = self._slack.ledger.begin("response_url", body)
        token = request.match_info["token"]
        ticket = self._slack.tickets.response_urls.get(token)
        call.person = ticket.user if ticket is not None else ""
        return await self._api.handle(request, call, lambda: self._answer(call, token))

    def _answer(self, call: Call, token: str) -> web.Response:
        try:
            ticket = self._redeem(token)
            unknown = sorted(call.arguments.keys() - _KNOWN)
            if unknown:
                self._slack.ledger.record_violation(f"unknown field for a response_url: {', '.join(unknown)}")
            respond(self._slack, ticket, call.arguments)
        except ApiError as refused:
            call.outcome = refused.error
            self._slack.ledger.record_violation(f"response_url: {refused.error}")
            status = 404 if refused.error.endswith("_url") else 400
            return web.json_response({"ok": False, "error": refused.error}, status=status)
        call.outcome = "ok"
        return web.Response(text="ok")

    def _redeem(self, token: str) -> ResponseUrl:
        ticket = self._slack.tickets.response_urls.get(token)
        if ticket is None:
            raise ApiError("invalid_url")
        if self._slack.ids.clock() > ticket.expires:
            raise ApiError("expired_url")
        if ticket.uses >= RESPONSE_URL_USES:
            raise ApiError("used_url")
        ticket.uses += 1
        return ticket

    async def _upload(self, request: web.Request) -> web.StreamResponse:
        file_id = self._slack.files.uploads.get(request.match_info["secret"])
        body = await _uploaded(request)
        call = self._slack.ledger.begin("upload", {"file": file_id, "size": len(body)})
        return await self._api.handle(request, call, lambda: self._store(call, file_id, body))

    def _store(self, call: Call, file_id: str | None, body: bytes) -> web.Response:
        call.outcome = "refused"
        if file_id is None:
            return web.Response(status=404, text="No such upload")
        shared = self._slack.files.files[file_id]
        if len(body) != shared.size:
            self._slack.ledger.record_violation(
                f"upload of {len(body)} bytes where {shared.size} were announced"
            )
            return web.Response(status=400, text="Length mismatch")
        shared.content, shared.is_uploaded = body, True
        call.outcome = "ok"
        return web.Response(text=f"OK - {len(body)}")

    async def _download(self, request: web.Request) -> web.StreamResponse:
        app = self._slack.app
        found = self._slack.files.files.get(request.match_info["file"])
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if token != app.bot_token or "files:read" not in app.manifest.scopes:
            # Slack answers a download without a valid token with a redirect to its sign-in page.
            self._slack.ledger.record_violation("a file was fetched without a token that may read it")
            raise web.HTTPFound("/signin")
        if found is None or not found.is_complete:
            raise web.HTTPNotFound
        found.downloads += 1
        return web.Response(body=found.content, content_type=found.mimetype)


async def _sign_in(_: web.Request) -> web.StreamResponse:
    return web.Response(text="<!DOCTYPE html><title>Sign in</title>", content_type="text/html")


async def _uploaded(request: web.Request) -> bytes:
    if not request.content_type.startswith("multipart/"):
        return await request.read()
    form = await request.post()
    for value in form.values():
        if isinstance(value, web.FileField):
            return value.file.read()
        if isinstance(value, bytes):
            return value
    return b""


def _response_body(text: str, content_type: str) -> Json:
    if content_type == "application/x-www-form-urlencoded":
        text = parse_qs(text)["payload"][0]
    body = json.loads(text)
    if not isinstance(body, dict):
        raise ValueError("not an object")
    return body


def respond(slack: Backend, ticket: ResponseUrl, body: Json) -> None:
    """Do what the app requests through a response URL: delete, replace, or post a new message."""
    if body.get("delete_original") in _TRUE:
        _delete_original(slack, ticket)
        return
    said = content.body(slack, body, too_long="msg_blocks_too_long")
    if body.get("replace_original") in _TRUE:
        _replace_original(slack, ticket, said)
    else:
        show_answer(slack, ticket.channel, ticket.user, said, body, source="response_url")


def show_answer(slack: Backend, channel_id: str, user: str, said: Json, body: Json, *, source: str) -> None:
    """Show an answer of the app to the person. If its `response_type` is `in_channel`, show it to everyone.

    `body` is the answer as the app sent it, and `said` is the answer's checked content.
    """
    channel = slack.workspace.channels[channel_id]
    if body.get("response_type") == "in_channel":
        thread = {"thread_ts": body["thread_ts"]} if body.get("thread_ts") else {}
        messages.write(slack, channel, said | content.identity(slack, {}) | thread)
    else:
        # Only a message for everyone can be in a thread. Slack ignores `thread_ts` for all other messages.
        messages.show_ephemeral(slack, channel_id, user, said, source)


def _original(slack: Backend, ticket: ResponseUrl) -> Ephemeral | None:
    return next((said for said in slack.ephemerals if said.ts == ticket.message_ts), None)


def _delete_original(slack: Backend, ticket: ResponseUrl) -> None:
    if ticket.message_ts is None:
        raise ApiError("no_original")
    if ticket.is_ephemeral:
        said = _original(slack, ticket)
        if said is not None:
            slack.ephemerals.remove(said)
            slack.ledger.change("ephemeral_deleted", user=said.user, channel=said.channel, ts=said.ts)
        return
    channel = slack.workspace.channels[ticket.channel]
    if ticket.message_ts in channel.messages:
        messages.remove(slack, channel, ticket.message_ts)


def _replace_original(slack: Backend, ticket: ResponseUrl, said: Json) -> None:
    if ticket.message_ts is None:
        raise ApiError("no_original")
    if ticket.is_ephemeral:
        shown = _original(slack, ticket)
        if shown is None:
            raise ApiError("message_not_found")
        shown.body = said
        slack.ledger.change("ephemeral", channel=shown.channel, user=shown.user, ts=shown.ts, message=said)
        return
    channel = slack.workspace.channels[ticket.channel]
    if ticket.message_ts not in channel.messages:
        raise ApiError("message_not_found")
    gone = tuple(key for key in ("blocks", "attachments") if key not in said)
    messages.rewrite(slack, channel, ticket.message_ts, said, editor=slack.app.bot_user_id, without=gone)
