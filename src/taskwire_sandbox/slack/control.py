"""The control interface: what other processes and the demo's page can do and see, as JSON below /_control.

GET  /_control/state                        workspace, app, sockets
GET  /_control/messages?channel=&thread_ts= a conversation, or one thread
GET  /_control/ephemerals?user=             messages that only this person sees
GET  /_control/views?user=                  open dialogs (the last is on top) and the Home tab
GET  /_control/files/{id}                   the content of a shared file
GET  /_control/calls?after=                 the last calls, after a number
GET  /_control/deliveries                   the last payloads and their results
GET  /_control/violations                   what a correct app would not do
POST /_control/act                          {"act": "post", ...}: any act of a person, by its Python name
POST /_control/faults                       {"name", "fault", ...}; DELETE removes all faults
GET  /_control/stream                       a websocket of changes: {"sequence", "kind", ...}
"""

import asyncio
import contextlib
from base64 import b64decode
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from urllib.parse import urlparse

from aiohttp import WSMsgType, web

from taskwire_sandbox.slack.app_actions import ActionResult, AppActions
from taskwire_sandbox.slack.errors import ImpossibleAction, Json
from taskwire_sandbox.slack.faults import CallFault, DeliveryFault
from taskwire_sandbox.slack.file_store import Attachment
from taskwire_sandbox.slack.interaction_payloads import view_payload
from taskwire_sandbox.slack.submissions import SubmitResult
from taskwire_sandbox.slack.view_stacks import View

_ACTS = frozenset(
    {
        *("post", "mention", "post_as_bot", "edit", "delete", "unfurl", "react", "unreact"),
        *("join", "leave", "archive", "command", "click", "press", "enter", "suggest"),
        *("submit", "close", "shortcut", "message_shortcut", "open_home"),
        *("change_user", "change_group"),
    }
)
_LOOPBACK = ("127.0.0.1", "localhost")
# The most calls, and the most deliveries, in one answer.
_SHOWN = 500

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@web.middleware
async def same_origin(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse requests that other web pages send to the control interface through a person's browser."""
    if request.path.startswith("/_control"):
        origin = request.headers.get("Origin")
        is_foreign = origin is not None and urlparse(origin).netloc != request.host
        if is_foreign or request.host.partition(":")[0] not in _LOOPBACK:
            return web.json_response({"error": "foreign origin"}, status=403)
    return await handler(request)


class Control:
    """Serves /_control."""

    def __init__(self, sandbox: AppActions) -> None:
        self._sandbox = sandbox
        self._slack = sandbox.backend
        self._streams: set[web.WebSocketResponse] = set()

    def routes(self) -> list[web.RouteDef]:
        """List the routes."""
        return [
            web.get("/_control/state", self._state),
            web.get("/_control/messages", self._messages),
            web.get("/_control/ephemerals", self._ephemerals),
            web.get("/_control/views", self._views),
            web.get("/_control/files/{file}", self._file),
            web.get("/_control/calls", self._calls),
            web.get("/_control/deliveries", self._deliveries),
            web.get("/_control/violations", self._violations),
            web.post("/_control/act", self._act),
            web.post("/_control/faults", self._add_fault),
            web.delete("/_control/faults", self._clear_faults),
            web.get("/_control/stream", self._stream),
        ]

    async def _state(self, _: web.Request) -> web.Response:
        workspace, app = self._slack.workspace, self._slack.app
        channels = [
            channel.payload(app.bot_user_id, workspace.team_id)
            | {"kind": channel.kind, "members": channel.members}
            for channel in workspace.channels.values()
        ]
        users = [user.payload(with_email=True) for user in workspace.users.values()]
        shown: Json = {"team": self._slack.team, "users": users, "channels": channels, "bot": app.bot_user_id}
        features = app.manifest.raw.get("features", {})
        shown["commands"] = features.get("slash_commands", [])
        shown["shortcuts"] = features.get("shortcuts", [])
        shown["has_home"] = app.manifest.home_enabled
        return web.json_response(shown | {"app": app.profile, "sequence": self._slack.ledger.sequence})

    async def _messages(self, request: web.Request) -> web.Response:
        channel, thread_ts = request.query["channel"], request.query.get("thread_ts")
        try:
            found = self._sandbox.thread(channel, thread_ts) if thread_ts else self._sandbox.messages(channel)
        except (KeyError, ImpossibleAction) as refused:
            return web.json_response({"error": str(refused)}, status=404)
        return web.json_response({"messages": found})

    async def _ephemerals(self, request: web.Request) -> web.Response:
        found = self._sandbox.ephemerals(request.query["user"])
        return web.json_response({"ephemerals": [asdict(said) for said in found]})

    async def _views(self, request: web.Request) -> web.Response:
        home = self._sandbox.home(request.query["user"])
        views = [view_payload(self._slack, view) for view in self._sandbox.views(request.query["user"])]
        return web.json_response({"views": views, "home": home and view_payload(self._slack, home)})

    async def _file(self, request: web.Request) -> web.Response:
        found = self._slack.files.files.get(request.match_info["file"])
        if found is None or not found.is_complete:
            return web.json_response({"error": "no such file"}, status=404)
        # A browser must not show the file as a page: the file's scripts would run with this origin's rights.
        headers = {"Content-Disposition": "attachment", "X-Content-Type-Options": "nosniff"}
        return web.Response(body=found.content, content_type="application/octet-stream", headers=headers)

    async def _calls(self, request: web.Request) -> web.Response:
        after = int(request.query.get("after", "0"))
        found = [asdict(call) for call in self._slack.ledger.calls if call.number > after]
        return web.json_response({"calls": found[-_SHOWN:]})

    async def _deliveries(self, _: web.Request) -> web.Response:
        found = [asdict(delivery) for delivery in self._slack.ledger.deliveries]
        return web.json_response({"deliveries": found[-_SHOWN:]})

    async def _violations(self, _: web.Request) -> web.Response:
        return web.json_response({"violations": self._slack.ledger.violations})

    async def _act(self, request: web.Request) -> web.Response:
        body = await request.json()
        name = body.pop("act", None)
        if name not in _ACTS:
            return web.json_response({"error": f"no such act: {name}"}, status=404)
        if "files" in body:
            body["files"] = [_attachment(item) for item in body["files"]]
        try:
            result = await getattr(self._sandbox, name)(**body)
        except (KeyError, ImpossibleAction, TypeError) as refused:
            return web.json_response({"error": str(refused)}, status=400)
        return web.json_response({"result": self._shown(result)})

    def _shown(self, result: object) -> object:
        if isinstance(result, View):
            return view_payload(self._slack, result)
        if isinstance(result, SubmitResult):
            view = result.view and view_payload(self._slack, result.view)
            return {"ok": result.ok, "failure": result.failure, "errors": result.errors, "view": view}
        if isinstance(result, ActionResult):
            return {"ok": result.ok} | asdict(result)
        return result

    async def _add_fault(self, request: web.Request) -> web.Response:
        body = await request.json()
        try:
            word = body.pop("fault")
            fault = CallFault(word) if word in list(CallFault) else DeliveryFault(word)
            self._slack.faults.add(body.pop("name"), fault, **body)
        except (KeyError, ValueError, TypeError) as refused:
            return web.json_response({"error": str(refused)}, status=400)
        return web.json_response({"result": None})

    async def _clear_faults(self, _: web.Request) -> web.Response:
        self._slack.faults.clear()
        return web.json_response({"result": None})

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        stream = web.WebSocketResponse(heartbeat=30)
        await stream.prepare(request)
        changes = self._slack.ledger.subscribe()
        forwarding = asyncio.create_task(_forward(stream, changes))
        self._streams.add(stream)
        try:
            async for message in stream:
                if message.type is WSMsgType.ERROR:
                    break
        finally:
            self._streams.discard(stream)
            self._slack.ledger.unsubscribe(changes)
            forwarding.cancel()
        return stream

    async def close(self) -> None:
        """Close the streams of changes."""
        for stream in list(self._streams):
            await stream.close(code=1001)


async def _forward(stream: web.WebSocketResponse, changes: asyncio.Queue[Json]) -> None:
    with contextlib.suppress(ConnectionError):
        while not stream.closed:
            await stream.send_json(await changes.get())


def _attachment(item: Json) -> Attachment:
    """Read a file that is attached to a posted message. Its content is in `text` or `base64`."""
    content = b64decode(item["base64"]) if "base64" in item else str(item.get("text", "")).encode()
    return Attachment(item["name"], content, item.get("mimetype"))
