"""Coder as an OAuth2 provider: the page that asks a person to allow an app, and the app's tokens.

The real Coder needs the experiment `oauth2` for this. The names and the order of the checks are Coder's. PKCE
with S256 is required. A redirect URI must equal the registered URI. A code works for only one try, and a
refresh token for only one success. A person has only one token of each app. Coder ignores the scopes that an
app asks for. On the real page, a browser session shows who the person is. On this page, the person chooses a
link with the person's name.
"""

import base64
import hashlib
from collections.abc import Mapping
from datetime import timedelta
from html import escape
from urllib.parse import parse_qsl, urlencode, urlsplit

from taskwire_sandbox.coder.calls import Call
from taskwire_sandbox.coder.oauth_rows import OAuthApp, OAuthCode, OAuthGrant, OAuthProvider
from taskwire_sandbox.coder.people_routes import add_token
from taskwire_sandbox.coder.rows import User
from taskwire_sandbox.coder.sign_in_page import page
from taskwire_sandbox.coder.wire import Response, json_response, timestamp

CODE_LIFETIME = timedelta(minutes=10)
REFRESH_LIFETIME = timedelta(days=30)
TOKENS_ROUTE = "oauth.tokens"
TOKEN_FIELDS = {"grant_type", "client_id", "client_secret", "code", "redirect_uri", "refresh_token"} | {
    "code_verifier",
    "resource",
}
AUTHORIZE_KEYS = frozenset(
    {"response_type", "client_id", "redirect_uri", "scope", "state", "resource"}
    | {"code_challenge", "code_challenge_method", "user"}
)


class OAuthRefusal(Exception):
    """An error of RFC 6749, section 5.2."""

    def __init__(self, status: int, code: str, description: str) -> None:
        super().__init__(description)
        self.response = json_response(status, {"error": code, "error_description": description})


def show_authorize_page(call: Call) -> Response:
    """Answer with the page that asks the signed-in person whether an app may act for that person."""
    app, problems = _check_request(call)
    if app is None or problems:
        return _error_page(problems)
    user = call.world.find_user(call.query.get("user", ""))
    if user is None:
        people = [each for each in call.world.users.values() if each.status != "suspended"]
        links = (
            f'<li><a href="?{escape(urlencode({**call.query, "user": each.id}))}">'
            f"{escape(each.name or each.username)}</a></li>"
            for each in people
        )
        return page("Sign in to Coder", f"<p>Who are you?</p>\n<ul>{''.join(links)}</ul>")
    denied = _with_query(
        app.callback_url,
        {
            "error": "access_denied",
            "error_description": "The resource owner or authorization server denied the request",
            **_state_of(call),
        },
    )
    target = escape(f"?{urlencode(call.query)}")
    form = f'<form method="post" action="{target}"><button>Allow</button></form>'
    content = f"<p>Allow {escape(app.name)} to have full access to your {escape(user.username)} account?</p>"
    return page(f"Authorize {app.name}", f'{content}\n{form}\n<p><a href="{escape(denied)}">Deny</a></p>')


def allow(call: Call) -> Response:
    """Send the person back to the app, with a code.

    Earlier codes of this person for this app stop working.
    """
    app, problems = _check_request(call)
    user = call.world.find_user(call.query.get("user", ""))
    if app is None or user is None or problems:
        description = f"Invalid query params: {', '.join(problems)}"
        return OAuthRefusal(400, "invalid_request", description).response
    provider = call.world.oauth
    for earlier in [code for code in provider.codes.values() if code.app is app and code.user is user]:
        del provider.codes[earlier.text]
    code = _make_secret(call)
    expires_at = call.world.schedule.now() + CODE_LIFETIME
    provider.codes[code] = OAuthCode(code, app, user, call.query["code_challenge"], expires_at)
    return _redirect(_with_query(app.callback_url, {"code": code, **_state_of(call)}))


def give_tokens(call: Call) -> Response:
    """Exchange a code or a refresh token for a new API key and a new refresh token."""
    try:
        return _give_tokens(call, _read_form(call))
    except OAuthRefusal as refusal:
        return refusal.response


def revoke(call: Call) -> Response:
    """Delete a refresh token with its API key. An unknown token gets the answer of a deleted token."""
    try:
        form = _read_form(call)
        app = _authenticate(call, form)
        if not form.get("token"):
            raise OAuthRefusal(400, "invalid_request", "missing token parameter")
    except OAuthRefusal as refusal:
        return refusal.response
    grant = _find_grant(call, form["token"])
    if grant is not None and grant.app is app:
        call.world.tokens.pop(grant.key.id, None)
    return Response(200)


def find_sender(provider: OAuthProvider, body: bytes) -> str:
    """Return the name of the user to whom the refresh token in a request for tokens belongs.

    This includes a refresh token that was already renewed. Return an empty text if there is no such token.
    """
    form = dict(parse_qsl(body.decode(errors="replace")))
    grant = provider.grants.get(form.get("refresh_token", ""))
    return grant.key.user.username if grant is not None else ""


def _give_tokens(call: Call, form: Mapping[str, str]) -> Response:
    kind = form.get("grant_type", "")
    if kind not in ("authorization_code", "refresh_token"):
        raise OAuthRefusal(400, "unsupported_grant_type", "The grant type is missing or unsupported")
    needed = {
        "authorization_code": ("code", "client_id", "client_secret", "redirect_uri"),
        "refresh_token": ("refresh_token",),
    }[kind]
    missing = next((name for name in needed if not form.get(name)), None)
    if missing is not None:
        raise OAuthRefusal(400, "invalid_request", f"Missing required parameter: {missing}")
    if form.keys() - TOKEN_FIELDS:
        raise OAuthRefusal(
            400, "invalid_request", "The request is missing required parameters or is otherwise malformed"
        )
    app = _authenticate(call, form)
    user = _use_code(call, app, form) if kind == "authorization_code" else _use_refresh_token(call, app, form)
    return _answer(call, app, user)


def _use_code(call: Call, app: OAuthApp, form: Mapping[str, str]) -> User:
    if form["redirect_uri"] != app.callback_url:
        raise OAuthRefusal(
            400, "invalid_request", "The request is missing required parameters or is otherwise malformed"
        )
    # The first try uses the code up, even if that try fails.
    code = call.world.oauth.codes.pop(form["code"], None)
    if code is None or code.app is not app or code.expires_at <= call.world.schedule.now():
        raise OAuthRefusal(400, "invalid_grant", "The authorization code is invalid or expired")
    verifier = form.get("code_verifier", "")
    call.world.oauth.secrets.add(verifier)
    digest = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
    if not verifier or digest != code.challenge:
        raise OAuthRefusal(400, "invalid_grant", "The PKCE code verifier is invalid")
    return code.user


def _use_refresh_token(call: Call, app: OAuthApp, form: Mapping[str, str]) -> User:
    grant = _find_grant(call, form["refresh_token"])
    if grant is None or grant.app is not app or grant.expires_at <= call.world.schedule.now():
        raise OAuthRefusal(400, "invalid_grant", "The refresh token is invalid or expired")
    return grant.key.user


def _answer(call: Call, app: OAuthApp, user: User) -> Response:
    """Answer with new tokens. The person's earlier key of this app and its refresh token stop working."""
    world, name = call.world, f"{user.id}_{app.id}_oauth_session_token"
    for earlier in [key for key in world.tokens.values() if key.user is user and key.name == name]:
        del world.tokens[earlier.id]
    lifetime = world.oauth.token_lifetime
    key = add_token(call, user, name, lifetime, ("all",), login_type="oauth2_provider_app")
    refresh_token = _make_secret(call)
    expires_at = world.schedule.now() + REFRESH_LIFETIME
    world.oauth.grants[refresh_token] = OAuthGrant(refresh_token, app, key, expires_at)
    return json_response(
        200,
        {
            "access_token": key.key,
            "token_type": "Bearer",
            "refresh_token": refresh_token,
            "expiry": timestamp(key.expires_at),
            "expires_in": int(lifetime.total_seconds()),
        },
    )


def _find_grant(call: Call, refresh_token: str) -> OAuthGrant | None:
    grant = call.world.oauth.grants.get(refresh_token)
    return grant if grant is not None and call.world.tokens.get(grant.key.id) is grant.key else None


def _authenticate(call: Call, form: Mapping[str, str]) -> OAuthApp:
    app = call.world.oauth.apps.get(form.get("client_id", ""))
    if app is None or form.get("client_secret") != app.secret:
        raise OAuthRefusal(401, "invalid_client", "The client credentials are invalid")
    return app


def _read_form(call: Call) -> dict[str, str]:
    return dict(parse_qsl(call.body.decode("utf-8", "replace"), keep_blank_values=True))


def _check_request(call: Call) -> tuple[OAuthApp | None, list[str]]:
    """Return the app in a request to the page, and what is wrong with the request."""
    query, problems = call.query, []
    app = call.world.oauth.apps.get(query.get("client_id", ""))
    if app is None:
        return None, ['Query param "client_id" is no app']
    if query.get("response_type") != "code":
        problems.append('Query param "response_type" must be code')
    if query.get("redirect_uri", app.callback_url) != app.callback_url:
        problems.append('Query param "redirect_uri" must exactly match the registered redirect URI')
    if not 43 <= len(query.get("code_challenge", "")) <= 128:
        problems.append('Query param "code_challenge" is required and cannot be empty')
    if query.get("code_challenge_method", "S256") != "S256":
        problems.append("only the S256 code challenge method is supported")
    return app, problems


def _error_page(problems: list[str]) -> Response:
    shown = page("Invalid Query Parameters", f"<p>{escape('; '.join(problems))}</p>")
    return Response(400, shown.body, shown.headers, shown.content_type)


def _state_of(call: Call) -> dict[str, str]:
    return {"state": call.query["state"]} if call.query.get("state") else {}


def _make_secret(call: Call) -> str:
    secret = call.world.ids.new_oauth_secret()
    call.world.oauth.secrets.add(secret)
    return secret


def _with_query(url: str, query: Mapping[str, str]) -> str:
    return f"{url}{'&' if urlsplit(url).query else '?'}{urlencode(query)}"


def _redirect(url: str) -> Response:
    return Response(302, headers={"Location": url, "Cache-Control": "no-store"})
