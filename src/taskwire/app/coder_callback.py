"""Serves the address to which Coder sends a person's browser after the sign-in (`/coder/callback`).

The address has a code and a state, which are secret. So the answer sends the browser at once to an address
without them. The number that confirms the sign-in, which the page shows, is in a cookie. No page has a
script. Headers forbid browsers to store a page, to show it in a frame, and to tell its address to other
sites.
"""

import asyncio
from collections.abc import Callable
from html import escape

from aiohttp import web

from taskwire.app.web import Site
from taskwire.listeners.authorizations import AuthorizationReceiver, BrowserAnswer
from taskwire.messages import callback_pages
from taskwire.messages.callback_pages import Page
from taskwire.settings_oauth import CALLBACK_PATH

DONE_PATH = f"{CALLBACK_PATH}/done"
COOKIE = "taskwire_number"
COOKIE_SECONDS = 600
# The most calls that are answered at the same time. Strangers can call this address, and each call may read
# Redis.
MOST_CALLS = 8
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
FindReceiver = Callable[[], AuthorizationReceiver | None]


def add_callback(site: Site, find_receiver: FindReceiver, *, is_secure: bool) -> None:
    """Serve the pages for people whom Coder sends back after the sign-in.

    `find_receiver` returns the object that completes a sign-in, or None while the bot starts. `is_secure` is
    true if browsers reach this site by HTTPS.
    """
    places = asyncio.Semaphore(MOST_CALLS)

    async def take(request: web.Request) -> web.StreamResponse:
        receiver = find_receiver()
        if receiver is None or places.locked():
            return _show(callback_pages.STARTING)
        async with places:
            answer = await receiver.receive(request.query)
        if answer.page is callback_pages.TRY_AGAIN:
            # Do not redirect the browser, so that the person can load the same address again.
            return _show(answer.page)
        return _send_on(answer, is_secure=is_secure)

    async def show(request: web.Request) -> web.StreamResponse:
        number = request.cookies.get(COOKIE, "")
        if not (number.isascii() and number.isdecimal()):
            page = _PAGES.get(request.query_string, callback_pages.NOT_VALID)
            return _show(page)
        return _show(callback_pages.ALLOWED, number[:8])

    # No HEAD: a program that only looks where a link leads must not use the state up.
    site.app.router.add_get(CALLBACK_PATH, take, allow_head=False)
    site.app.router.add_get(DONE_PATH, show)


# The pages of `DONE_PATH`. The query of the address says which page is shown.
_PAGES = {"denied": callback_pages.DENIED, "": callback_pages.NOT_VALID}


def _send_on(answer: BrowserAnswer, *, is_secure: bool) -> web.Response:
    """Return a redirect to an address without secrets."""
    where = f"{DONE_PATH}?denied" if answer.page is callback_pages.DENIED else DONE_PATH
    response = web.Response(status=303, headers={**_HEADERS, "Location": where})
    response.set_cookie(
        COOKIE,
        answer.number,
        max_age=COOKIE_SECONDS if answer.number else 0,
        path=CALLBACK_PATH,
        secure=is_secure,
        httponly=True,
        samesite="Lax",
    )
    return response


def _show(page: Page, number: str = "") -> web.Response:
    return web.Response(
        status=page.status,
        text=_write_html(page, number),
        content_type="text/html",
        charset="utf-8",
        headers=_HEADERS,
    )


def _write_html(page: Page, number: str) -> str:
    shown = f"<p><strong>{escape(number[:4])} {escape(number[4:])}</strong></p>\n" if number else ""
    return (
        '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width">\n'
        f"<title>{escape(page.title)}</title>\n<h1>{escape(page.title)}</h1>\n"
        f"<p>{escape(page.text)}</p>\n{shown}</html>\n"
    )
