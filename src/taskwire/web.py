"""What comes in by HTTP: health, metrics, and Slack's requests in HTTP mode."""

import json
from collections.abc import Awaitable, Callable

from aiohttp import web
from slack_bolt.adapter.aiohttp import to_aiohttp_response, to_bolt_request
from slack_bolt.async_app import AsyncApp

from taskwire.telemetry import Metrics

SLACK_PATH = "/slack/events"
# Slack's own payloads stay far below; a file never comes this way.
LARGEST_BODY = 2 * 1024 * 1024
Health = Callable[[], Awaitable[dict[str, str]]]


def make_site(metrics: Metrics, health: Health, bolt: AsyncApp | None) -> web.Application:
    """Make the site; `bolt` takes Slack's requests where there is no Socket Mode."""
    site = web.Application(client_max_size=LARGEST_BODY)

    async def healthz(_: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def readyz(_: web.Request) -> web.Response:
        """Not ready while Slack's payloads could not be taken; Coder's troubles are said, not a reason."""
        found = await health()
        is_ready = all(found[part] == "ok" for part in ("slack", "store"))
        return web.Response(
            status=200 if is_ready else 503,
            text=json.dumps({"ready": is_ready, **found}, indent=2) + "\n",
            content_type="application/json",
        )

    async def figures(_: web.Request) -> web.Response:
        return web.Response(body=metrics.exposition(), headers={"Content-Type": "text/plain; version=0.0.4"})

    site.router.add_get("/healthz", healthz)
    site.router.add_get("/readyz", readyz)
    site.router.add_get("/metrics", figures)
    if bolt is not None:
        site.router.add_post(SLACK_PATH, _slack(bolt))
    return site


def _slack(bolt: AsyncApp) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def take(request: web.Request) -> web.StreamResponse:
        answer = await bolt.async_dispatch(await to_bolt_request(request))
        return await to_aiohttp_response(answer)

    return take
