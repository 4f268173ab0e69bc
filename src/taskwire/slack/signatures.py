"""Slack's requests in HTTP mode: whether Slack has signed one, and what Bolt may read of it.

All is judged on the raw bytes, before anything is read into them: who does not know the signing secret gets
no further than a comparison. Nothing here raises but `Refused`, whatever arrives, and nothing keeps a body.
"""

import hashlib
import hmac
import json
import re
import time
from collections.abc import Callable, Sequence
from typing import Literal, Protocol
from urllib.parse import parse_qsl

from slack_bolt.request.async_request import AsyncBoltRequest

TIMESTAMP_HEADER = "X-Slack-Request-Timestamp"
SIGNATURE_HEADER = "X-Slack-Signature"
# So old may a request be: https://docs.slack.dev/authentication/verifying-requests-from-slack
MOST_SECONDS_APART = 300
# More than Slack's own form of a payload ever has; what a form costs grows with its fields.
MOST_FIELDS = 100
# Of the headers, which nobody signs, Bolt gets these: others steer it (X-Slack-Bolt-Lazy-Function-Name).
_PASSED_ON = ("Content-Type", "X-Slack-Retry-Num", "X-Slack-Retry-Reason")
_TIMESTAMP = re.compile(r"[0-9]{1,12}", re.ASCII)
_SIGNATURE = re.compile(r"v0=[0-9a-f]{64}", re.ASCII)

# Slack sends these two, in UTF-8 and not compressed.
_KIND = re.compile(
    r"application/(json|x-www-form-urlencoded)(?:\s*;\s*charset=\"?utf-8\"?)?", re.ASCII | re.IGNORECASE
)

Why = Literal["headers", "time", "signature", "body"]
REASONS: tuple[Why, ...] = ("headers", "time", "signature", "body")


class Headers(Protocol):
    """Headers as they came: several may have one name."""

    def getall(self, name: str, default: Sequence[str], /) -> Sequence[str]:
        """Return all values of a name."""


class RequestRefused(Exception):
    """A request that goes no further; `why` is what is counted."""

    def __init__(self, why: Why) -> None:
        super().__init__(why)
        self.why = why

    @property
    def status(self) -> int:
        """401 for who has not shown to be Slack, 400 for what Slack itself would not send."""
        return 400 if self.why == "body" else 401


class Signatures:
    """Tells Slack's requests from others, by the app's signing secret."""

    def __init__(self, secret: str, now: Callable[[], float] = time.time) -> None:
        self._secret = secret.encode()
        self._now = now

    def claim(self, headers: Headers) -> tuple[str, str]:
        """Return timestamp and signature; Refused if they cannot be Slack's, whatever the body is."""
        timestamp, signature = _only(headers, TIMESTAMP_HEADER), _only(headers, SIGNATURE_HEADER)
        if not _TIMESTAMP.fullmatch(timestamp) or not _SIGNATURE.fullmatch(signature):
            raise RequestRefused("headers")
        if abs(self._now() - int(timestamp)) > MOST_SECONDS_APART:
            raise RequestRefused("time")
        return timestamp, signature

    def check(self, claim: tuple[str, str], body: bytes | memoryview) -> None:
        """Raise Refused unless whoever made the claim knows the secret, and wrote this body."""
        timestamp, signature = claim
        signed = hmac.new(self._secret, b"v0:%s:" % timestamp.encode(), hashlib.sha256)
        signed.update(body)
        if not hmac.compare_digest(f"v0={signed.hexdigest()}", signature):
            raise RequestRefused("signature")


def read(headers: Headers, body: bytes) -> AsyncBoltRequest:
    """Read a request whose signature is right; Refused if it is not what Slack sends.

    The address's query is left out: it is not signed. Bolt gets what was read and not the text: it would read
    it again, and takes a command that says "payload" for a form that lacks one.
    """
    try:
        passed_on = {name: list(headers.getall(name, ()))[:1] for name in _PASSED_ON}
        kept: dict[str, str | Sequence[str]] = {name: found for name, found in passed_on.items() if found}
        kind = _KIND.fullmatch(_only(headers, "Content-Type"))
        if kind is None or headers.getall("Content-Encoding", ()):
            raise RequestRefused("body")
        found = _object(body.decode(), is_json=kind[1].lower() == "json")
        return AsyncBoltRequest(body=found, headers=kept, mode="socket_mode")
    except Exception as error:
        # What Bolt raises at a value of another kind than it awaits is not said anywhere.
        raise RequestRefused("body") from error


def _only(headers: Headers, name: str) -> str:
    found = headers.getall(name, ())
    return found[0] if len(found) == 1 else ""


def _refuse(word: str) -> object:
    raise ValueError(f"{word} is no JSON")


def _object(text: str, *, is_json: bool) -> dict[str, object]:
    """Return the object that this is in JSON, or as a form, or as the payload of a form; else ValueError."""
    if is_json or text.startswith("{"):
        found = json.loads(text, parse_constant=_refuse)
    else:
        fields = parse_qsl(text, keep_blank_values=True, max_num_fields=MOST_FIELDS, errors="strict")
        form = dict(fields)
        found = json.loads(form["payload"], parse_constant=_refuse) if "payload" in form else form
    if not isinstance(found, dict) or not found:
        raise ValueError("not an object")
    return found
