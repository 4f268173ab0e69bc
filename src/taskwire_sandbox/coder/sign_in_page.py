"""Coder's page for command-line tools: shows a token to the person who is signed in.

On the real page, a browser session shows who the person is. On this page, the person chooses a link with the
person's name.
"""

from datetime import timedelta
from html import escape

from taskwire_sandbox.coder.calls import Call
from taskwire_sandbox.coder.people_routes import add_token
from taskwire_sandbox.coder.rows import User
from taskwire_sandbox.coder.wire import Response, not_found

_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 36rem; margin: 3rem auto; padding: 0 1rem }}
code {{ user-select: all; overflow-wrap: anywhere; background: #eee; color: #111; padding: .2rem }}</style>
<h1>{title}</h1>
{content}
</html>
"""


def show_session_token(call: Call) -> Response:
    """Answer with a page that shows the signed-in person a new token.

    If nobody is signed in, the page asks who the person is.
    """
    name = call.query.get("user", "")
    if not name:
        return page("Sign in to Coder", _list_people(call))
    user = call.world.find_user(name)
    if user is None or user.status == "suspended":
        raise not_found()
    lifetime = timedelta(days=call.world.settings.default_lifetime_days)
    token = add_token(call, user, "", lifetime, ("all",), login_type="password")
    copied = "<p>Copy your session token and paste it where you were asked for it:</p>"
    return page(f"Signed in as {user.username}", f"{copied}\n<p><code>{escape(token.key)}</code></p>")


def _list_people(call: Call) -> str:
    people = [user for user in call.world.users.values() if user.status != "suspended"]
    return f"<p>Who are you?</p>\n<ul>{''.join(map(_link_to, people))}</ul>"


def _link_to(user: User) -> str:
    return f'<li><a href="?user={escape(user.id)}">{escape(user.name or user.username)}</a></li>'


def page(title: str, content: str) -> Response:
    """Make a page of Coder that no browser stores."""
    html = _PAGE.format(title=escape(title), content=content)
    # A token must not stay in the browser's cache.
    headers = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
    return Response(200, html.encode(), headers, "text/html; charset=utf-8")
