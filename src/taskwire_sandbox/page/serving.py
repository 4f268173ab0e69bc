"""Serves the page's own files and its settings. People's acts go to /_control and not to this module."""

import secrets
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from aiohttp import web

from taskwire_sandbox.page.coder_panel import CoderPanel

_FILES = Path(__file__).parent / "static"
# The types are fixed here. A machine's own tables may have another type for .js, and browsers refuse modules
# of another type.
_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
# The page loads nothing from other origins, whatever a message contains.
_POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'"
_HEADERS = {
    "Content-Security-Policy": f"{_POLICY}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-cache",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True)
class Hint:
    """A line of the command grammar (`/task pause NAME`, `!pause`).

    The page offers it while a person types.
    """

    usage: str
    meaning: str


def routes(*, coder_url: str = "", person: str = "", hints: Iterable[Hint] = ()) -> list[web.RouteDef]:
    """List the page's routes.

    `person` is the user whom the page shows first. Without `coder_url`, the page does not show Coder.
    """
    told = {"person": person, "hints": [asdict(hint) for hint in hints], "coder_url": coder_url}
    # A page that is open notices by it that the demo was restarted.
    told["run"] = secrets.token_hex(8)

    async def settings(_: web.Request) -> web.Response:
        return web.json_response(told, headers=_HEADERS)

    return [
        web.get("/", _file("index.html")),
        web.get("/page/settings.json", settings),
        *(web.get(f"/page/{path.name}", _file(path.name)) for path in sorted(_FILES.iterdir())),
        *(CoderPanel(coder_url).routes() if coder_url else ()),
    ]


def _file(name: str) -> Answer:
    path = _FILES / name
    headers = _HEADERS | {"Content-Type": f"{_TYPES[path.suffix]}; charset=utf-8"}

    async def answer(_: web.Request) -> web.StreamResponse:
        return web.FileResponse(path, headers=headers)

    return answer
