"""What comes in by HTTP: health, metrics, Slack's requests in HTTP mode, and hints from Coder's webhook."""

import hmac
import json
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from aiohttp import web
from slack_bolt.adapter.aiohttp import to_aiohttp_response, to_bolt_request
from slack_bolt.async_app import AsyncApp

from taskwire.slack.manifest import REQUEST_PATH

# Coder signs nothing and sends no header of ours: what proves that it is Coder stands in the address.
HINT_PATH = "/coder/webhook"
# Slack's own payloads stay far below; a file never comes this way.
LARGEST_BODY = 2 * 1024 * 1024
Health = Callable[[], Awaitable[dict[str, str]]]
Figures = Callable[[], Awaitable[bytes]]
FindApp = Callable[[], AsyncApp | None]


class Hints(NamedTuple):
    """Who hears that something has changed in Coder, and the word that a sender has to know."""

    token: str
    give: Callable[[], None]


def make_site(
    figures: Figures, health: Health, find_app: FindApp | None, hints: Hints | None = None
) -> web.Application:
    """Make the site; without Socket Mode, `find_app` gives who takes Slack's requests once it is there."""
    site = web.Application(client_max_size=LARGEST_BODY)

    async def healthz(_: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def readyz(_: web.Request) -> web.Response:
        """Not ready while Slack's payloads could not be taken; Coder's troubles are said, not a reason."""
        found = await health()
        is_ready = all(found[part] == "ok" for part in ("slack", "store"))
        return web.Response(
            status=200 if is_ready else 503,
            text=json.dumps({"ready": is_ready, **found}, indent=2, ensure_ascii=False) + "\n",
            content_type="application/json",
        )

    async def measured(_: web.Request) -> web.Response:
        return web.Response(body=await figures(), headers={"Content-Type": "text/plain; version=0.0.4"})

    site.router.add_get("/healthz", healthz)
    site.router.add_get("/readyz", readyz)
    site.router.add_get("/metrics", measured)
    if find_app is not None:
        site.router.add_post(REQUEST_PATH, _slack(find_app))
    if hints is not None:
        site.router.add_post(HINT_PATH, _hinted(hints))
        site.router.add_post(HINT_PATH + "/{token}", _hinted(hints))
    return site


def _hinted(hints: Hints) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """Take a notification of Coder's for what it is worth: something has changed, so look. It is not read."""

    async def take(request: web.Request) -> web.StreamResponse:
        given = request.match_info.get("token") or request.query.get("token", "")
        if not hmac.compare_digest(given.encode(), hints.token.encode()):
            return web.Response(status=403, text="The token is not the one of TASKWIRE_WEBHOOK_TOKEN.\n")
        hints.give()
        return web.Response(status=204)

    return take


def _slack(find_app: FindApp) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def take(request: web.Request) -> web.StreamResponse:
        app = find_app()
        if app is None:
            # Slack brings an event again; a person is told that it did not work.
            return web.Response(status=503, text="Taskwire is starting.\n")
        answer = await app.async_dispatch(await to_bolt_request(request))
        return await to_aiohttp_response(answer)

    return take
