"""Coder as an OAuth2 provider: the address of its page, and the calls that exchange, renew and revoke tokens.

Like `client`, this module repeats nothing and follows no redirect. Coder accepts a code or a refresh token
only once. So if Coder's answer is lost, Coder refuses the repeated call with `invalid_grant`, and the person
has to connect the account again.
"""

import base64
import contextlib
import hashlib
import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Self
from urllib.parse import urlencode

import httpx
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from taskwire import transport
from taskwire.coder import errors, last_change, models
from taskwire.domain.errors import Refused, name_failing_system
from taskwire.settings_oauth import OAuthApp

CALL_SECONDS = 15.0
# Coder's answers have less than one kilobyte.
LARGEST_ANSWER_BYTES = 64 * 1024


class Tokens(BaseModel):
    """The tokens of one person, as Coder's OAuth2 provider gives them to its apps."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    access_token: str = Field(repr=False, min_length=1)
    refresh_token: str = Field("", repr=False)
    # In seconds. How long Coder accepts the access token; 0 if Coder did not say.
    expires_in: int = 0


class GrantRefused(Refused):
    """The provider refuses a request. `code` is the error code of RFC 6749, for example `invalid_grant`."""

    def __init__(self, operation: str, code: str, description: str) -> None:
        super().__init__(f"{operation}: {code}: {description}")
        self.code = code


class _Refusal(BaseModel):
    error: str = Field(max_length=100)
    error_description: str = ""


class OAuthClient:
    """The calls of Taskwire as an app of Coder's provider. `mask` masks secrets in Coder's error messages."""

    def __init__(
        self, http: httpx.AsyncClient, base_url: str, app: OAuthApp, mask: Callable[[str], str] = str
    ) -> None:
        self._http = http
        self._base_url = base_url.rstrip("/")
        self._app = app
        self._mask = mask

    @classmethod
    @contextlib.asynccontextmanager
    async def open(
        cls, base_url: str, app: OAuthApp | None, mask: Callable[[str], str] = str
    ) -> AsyncIterator[Self | None]:
        """Open a client with its own connections, and close them at the end. Yield None if `app` is None."""
        if app is None:
            yield None
            return
        session = transport.make_session(proxy=transport.proxy_for(base_url))
        async with transport.make_http_client(session) as http:
            yield cls(http, base_url, app, mask)

    def __repr__(self) -> str:
        """Return a text for logs: it names the server and never the secret."""
        return f"OAuthClient({self._base_url!r})"

    def use_secret(self, secret: str) -> None:
        """Use another secret of the app from the next request on."""
        self._app = self._app._replace(secret=secret)

    def make_page_url(self, state: str, verifier: str) -> str:
        """Return the address of the page that asks a person to allow Taskwire.

        Coder sends the person back with `state` and a code. `exchange` needs the `verifier` to use that code.
        """
        digest = hashlib.sha256(verifier.encode()).digest()
        query = {
            "response_type": "code",
            "client_id": self._app.client_id,
            "redirect_uri": self._app.callback_url,
            "state": state,
            "code_challenge": base64.urlsafe_b64encode(digest).decode().rstrip("="),
            "code_challenge_method": "S256",
        }
        return f"{self._base_url}/oauth2/authorize?{urlencode(query)}"

    async def exchange(self, code: str, verifier: str) -> Tokens:
        """Exchange a code for tokens. Coder gave the code to a person who has allowed Taskwire.

        Raises `GrantRefused` if Coder does not accept the code.
        """
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._app.callback_url,
            "code_verifier": verifier,
        }
        return _parse_tokens(await self._post("exchange code", "tokens", form), "exchange code")

    async def refresh(self, refresh_token: str) -> Tokens:
        """Exchange a refresh token for new tokens. The old tokens end at once. Raises `GrantRefused`."""
        form = {"grant_type": "refresh_token", "refresh_token": refresh_token}
        return _parse_tokens(await self._post("refresh token", "tokens", form), "refresh token")

    async def revoke(self, refresh_token: str) -> None:
        """Revoke a refresh token and its access token. An unknown token counts as revoked."""
        await self._post("revoke token", "revoke", {"token": refresh_token})

    async def _post(self, operation: str, path: str, form: Mapping[str, str]) -> bytes:
        content = {**form, "client_id": self._app.client_id, "client_secret": self._app.secret}
        with name_failing_system("Coder"):
            status, body = await transport.exchange(operation, CALL_SECONDS, self._send(path, content))
        last_change.record(status)
        if status == 200:
            return body
        with contextlib.suppress(ValidationError):
            refusal = _Refusal.model_validate_json(body)
            if 400 <= status < 500:
                described = self._mask(refusal.error_description[:300])
                raise GrantRefused(operation, refusal.error, described)
        raise errors.classify(operation, status, body, None, is_tasks_route=False, mask=self._mask)

    async def _send(self, path: str, form: Mapping[str, str]) -> tuple[int, bytes]:
        request = self._http.build_request(
            "POST",
            f"{self._base_url}/oauth2/{path}",
            data=dict(form),
            headers={"Accept": "application/json", "Accept-Encoding": "identity"},
            timeout=httpx.Timeout(CALL_SECONDS),
        )
        answer = await self._http.send(request, stream=True)
        body = b""
        try:
            async for piece in answer.aiter_raw():
                body += piece
                if len(body) > LARGEST_ANSWER_BYTES:
                    raise errors.UnexpectedCoderAnswer(path, "the answer is too long", answer.status_code)
        finally:
            await answer.aclose()
        return answer.status_code, body


def make_secret() -> str:
    """Return a random text for a state or a verifier: 64 characters that may be in a URL."""
    return secrets.token_urlsafe(48)


def _parse_tokens(body: bytes, operation: str) -> Tokens:
    return models.parse(Tokens, body, operation)
