"""The HTTP transport: signed requests to the app's request URLs, with Slack's retry headers."""

import hashlib
import hmac
import json
import secrets
import time
from urllib.parse import urlencode

import aiohttp

from taskwire_sandbox.slack.dispatcher import Outcome
from taskwire_sandbox.slack.errors import Json
from taskwire_sandbox.slack.ledger import Delivery
from taskwire_sandbox.slack.manifest import Manifest

# The delivery fails after more than two redirects [Events API, retries].
_MAX_REDIRECTS = 2


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """Sign a body as Slack does (version 0)."""
    base = b"v0:" + timestamp.encode() + b":" + body
    return "v0=" + hmac.new(secret.encode(), base, hashlib.sha256).hexdigest()


class RequestUrl:
    """Sends payloads to the URLs of the manifest. If `override` is set, sends all payloads to it."""

    def __init__(self, manifest: Manifest, secret: str, *, ack_seconds: float) -> None:
        self.override = ""
        self.ack_seconds = ack_seconds
        self._manifest = manifest
        self._secret = secret
        self._session: aiohttp.ClientSession | None = None

    def use_secret(self, secret: str) -> None:
        """Sign all further requests with this secret."""
        self._secret = secret

    def _url(self, delivery: Delivery) -> str:
        if self.override:
            return self.override
        if delivery.kind == "events_api":
            return self._manifest.event_url
        if delivery.kind == "slash_commands":
            command = self._manifest.command(delivery.name)
            return command.url if command else ""
        return self._manifest.interactivity_url

    def _body(self, delivery: Delivery) -> tuple[bytes, str]:
        if delivery.kind == "events_api":
            return json.dumps(delivery.payload).encode(), "application/json"
        form = delivery.payload
        if delivery.kind == "interactive":
            form = {"payload": json.dumps(delivery.payload)}
        return urlencode(form).encode(), "application/x-www-form-urlencoded"

    def _headers(self, body: bytes, kind: str) -> dict[str, str]:
        timestamp = str(int(time.time()))
        headers = {"Content-Type": kind, "X-Slack-Request-Timestamp": timestamp}
        headers["X-Slack-Signature"] = signature(self._secret, timestamp, body)
        return headers | {"User-Agent": "Slackbot 1.0 (+https://api.slack.com/robots)"}

    async def send(self, delivery: Delivery, attempt: int, reason: str) -> Outcome:
        """Send the payload. A response with status 200 within the deadline is the ack of the payload."""
        url = self._url(delivery)
        if not url:
            return Outcome(is_acked=False, reason="connection_failed")
        body, kind = self._body(delivery)
        headers = self._headers(body, kind)
        if attempt:
            reason = "http_timeout" if reason == "timeout" else reason
            headers |= {"X-Slack-Retry-Num": str(attempt), "X-Slack-Retry-Reason": reason}
        return await self._post(url, body, headers)

    async def _post(self, url: str, body: bytes, headers: dict[str, str]) -> Outcome:
        if self._session is None:
            self._session = aiohttp.ClientSession()
        timeout = aiohttp.ClientTimeout(total=self.ack_seconds)
        try:
            async with self._session.post(
                url, data=body, headers=headers, timeout=timeout, max_redirects=_MAX_REDIRECTS + 1
            ) as response:
                text = await response.text()
                may_retry = response.headers.get("X-Slack-No-Retry") != "1"
                if response.status != 200:
                    return Outcome(is_acked=False, reason="http_error", may_retry=may_retry)
                return Outcome(is_acked=True, reason="acked", payload=_payload(text))
        except TimeoutError:
            return Outcome(is_acked=False, reason="http_timeout")
        except aiohttp.TooManyRedirects:
            return Outcome(is_acked=False, reason="too_many_redirects")
        except aiohttp.ClientError:
            return Outcome(is_acked=False, reason="connection_failed")

    async def verify(self) -> bool:
        """Send the challenge that Slack sends when a person enters a request URL.

        Return whether the app answers the challenge correctly.
        """
        challenge = secrets.token_hex(16)
        request: Json = {"type": "url_verification", "challenge": challenge, "token": "verification"}
        reply = await self.send(Delivery("events_api", "url_verification", request), 0, "")
        answer = reply.payload or {}
        return reply.is_acked and challenge in (answer.get("challenge"), answer.get("text"))

    async def cut(self) -> None:
        """Break the connections to the app."""
        await self.close()

    async def refresh(self) -> None:
        """Close the connections to the app. Over HTTP, Slack cannot ask the app to reconnect."""
        await self.close()

    async def close(self) -> None:
        """Close the connections to the app."""
        if self._session is not None:
            await self._session.close()
            self._session = None


def _payload(text: str) -> Json | None:
    """Return what the body of an ack requests: its JSON, or its plain text as the text of an answer. None if
    the body is empty."""
    if not text.strip():
        return None
    try:
        answer = json.loads(text)
    except ValueError:
        return {"text": text}
    return answer if isinstance(answer, dict) else {"text": text}
