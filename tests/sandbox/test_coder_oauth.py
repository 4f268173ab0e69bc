"""The Coder stand-in's OAuth2 provider refuses the requests that Coder refuses, with Coder's answers."""

import base64
import hashlib
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from taskwire_sandbox.coder import CoderSandbox

CALLBACK = "http://127.0.0.1:9/coder/callback"
VERIFIER = "v" * 64
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("=")


async def test_a_code_and_a_refresh_token_work_once_and_for_their_app() -> None:
    """A code and a refresh token work once, and only for the app that they were made for. Each refusal has
    the status and the error code that Coder takes from RFC 6749."""
    async with CoderSandbox() as coder, httpx.AsyncClient(base_url=coder.url) as http:
        user = coder.add_user("alice")
        app = coder.add_oauth_app("Taskwire", CALLBACK)
        own = {"client_id": app.id, "client_secret": app.secret}
        asks = {"response_type": "code", "client_id": app.id, "code_challenge": CHALLENGE, "user": user.id}

        async def get_code() -> dict[str, str]:
            sent = await http.post("/oauth2/authorize", params={**asks, "state": "s"})
            query = parse_qs(urlsplit(sent.headers["Location"]).query)
            assert (sent.status_code, query["state"]) == (302, ["s"])
            code = {"code": query["code"][0], "redirect_uri": CALLBACK, "code_verifier": VERIFIER}
            return {"grant_type": "authorization_code", **own, **code}

        async def sends(form: dict[str, str]) -> tuple[int, str]:
            answer = await http.post("/oauth2/tokens", data=form)
            tokens.append(answer.json())
            return answer.status_code, answer.json().get("error", "")

        tokens: list[dict[str, str]] = []
        first = await get_code()
        assert await sends({**first, "redirect_uri": f"{CALLBACK}/"}) == (400, "invalid_request")
        assert await sends({**first, "client_secret": "coder_a_b"}) == (401, "invalid_client")
        assert await sends({**first, "extra": "1"}) == (400, "invalid_request")
        assert await sends({**first, "grant_type": "password"}) == (400, "unsupported_grant_type")
        assert await sends({**first, "code_verifier": "w" * 64}) == (400, "invalid_grant")
        assert await sends(first) == (400, "invalid_grant")
        second = await get_code()
        assert await sends(second) == (200, "")
        refresh = {"grant_type": "refresh_token", **own, "refresh_token": tokens[-1]["refresh_token"]}
        former = tokens[-1]["access_token"].partition("-")[0]
        assert await sends(refresh) == (200, "")
        assert former not in coder.world.tokens
        assert await sends(refresh) == (400, "invalid_grant")
        revoked = await http.post("/oauth2/revoke", data={**own, "token": tokens[-2]["refresh_token"]})
        assert revoked.status_code == 200
        assert [key for key in coder.world.tokens.values() if key.user is user] == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"redirect_uri": f"{CALLBACK}?x=1"},
        {"code_challenge": "short"},
        {"code_challenge_method": "plain"},
        {"response_type": "token"},
        {"client_id": "nobody"},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
async def test_a_wrong_request_shows_no_page_and_gives_no_code(wrong: dict[str, str]) -> None:
    """If an authorization request is wrong, the stand-in shows no page and gives no code. It does not send
    the browser to the URL in the request, because this URL may be an attacker's."""
    async with CoderSandbox() as coder, httpx.AsyncClient(base_url=coder.url) as http:
        user = coder.add_user("alice")
        app = coder.add_oauth_app("Taskwire", CALLBACK)
        asks = {"response_type": "code", "client_id": app.id, "code_challenge": CHALLENGE, "user": user.id}

        shown = await http.get("/oauth2/authorize", params={**asks, **wrong})
        sent = await http.post("/oauth2/authorize", params={**asks, **wrong})

        assert (shown.status_code, sent.status_code) == (400, 400)
        assert "Location" not in sent.headers
