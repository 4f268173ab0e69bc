"""Verifies Slack's requests in HTTP mode, and parses them for Bolt.

The signature is checked on the raw bytes before anything is parsed. So a sender without the signing secret
causes no more work than a comparison. Functions here raise only `RequestRefused`, whatever arrives. No body
is stored.
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
# The largest accepted difference between a request's timestamp and our clock, in seconds:
# https://docs.slack.dev/authentication/verifying-requests-from-slack
MOST_CLOCK_DIFFERENCE_SECONDS = 300
# The most fields that a form may have. Slack's payloads always have fewer. Parsing takes longer the more
# fields there are.
MOST_FIELDS = 100
# The signature does not cover headers. Bolt gets only these headers, because some headers control Bolt
# itself, such as X-Slack-Bolt-Lazy-Function-Name.
_FORWARDED_HEADERS = ("Content-Type", "X-Slack-Retry-Num", "X-Slack-Retry-Reason")
_TIMESTAMP = re.compile(r"[0-9]{1,12}", re.ASCII)
_SIGNATURE = re.compile(r"v0=[0-9a-f]{64}", re.ASCII)

# Slack sends these two content types, in UTF-8 and uncompressed.
_CONTENT_TYPE = re.compile(
    r"application/(json|x-www-form-urlencoded)(?:\s*;\s*charset=\"?utf-8\"?)?", re.ASCII | re.IGNORECASE
)

SignatureProblem = Literal["headers", "time", "signature", "body"]
SIGNATURE_PROBLEMS: tuple[SignatureProblem, ...] = ("headers", "time", "signature", "body")


class Headers(Protocol):
    """A request's headers. Several headers may have the same name."""

    def getall(self, name: str, default: Sequence[str], /) -> Sequence[str]:
        """Return all values of a header."""


class RequestRefused(Exception):
    """The request is refused. `reason` is the label of the metric that counts refused requests."""

    def __init__(self, reason: SignatureProblem) -> None:
        super().__init__(reason)
        self.reason = reason

    @property
    def status(self) -> int:
        """The HTTP status: 401 if the request may be from another sender than Slack.

        The status is 400 if Slack never sends such a body.
        """
        return 400 if self.reason == "body" else 401


class SignatureVerifier:
    """Verifies Slack's requests by the app's signing secret. `now` returns seconds since 1970."""

    def __init__(self, secret: str, now: Callable[[], float] = time.time) -> None:
        self._secret = secret.encode()
        # The previous secret, and until when it is accepted.
        self._former, self._former_until = b"", 0.0
        self._now = now

    def replace(self, secret: str) -> None:
        """Accept requests that are signed with this secret.

        Also accept the previous secret for some minutes more: requests that Slack has already signed with it
        may still arrive.
        """
        self._former, self._former_until = self._secret, self._now() + MOST_CLOCK_DIFFERENCE_SECONDS
        self._secret = secret.encode()

    def parse_headers(self, headers: Headers) -> tuple[str, str]:
        """Return the timestamp and the signature of a request, for `verify`.

        Raises `RequestRefused` if the headers cannot be Slack's or the timestamp is too old.
        """
        timestamp, signature = _get_single(headers, TIMESTAMP_HEADER), _get_single(headers, SIGNATURE_HEADER)
        if not _TIMESTAMP.fullmatch(timestamp) or not _SIGNATURE.fullmatch(signature):
            raise RequestRefused("headers")
        if abs(self._now() - int(timestamp)) > MOST_CLOCK_DIFFERENCE_SECONDS:
            raise RequestRefused("time")
        return timestamp, signature

    def verify(self, signed_headers: tuple[str, str], body: bytes | memoryview) -> None:
        """Raise `RequestRefused` unless the secret gives this signature for this timestamp and body.

        `signed_headers` is the result of `parse_headers`.
        """
        if self._is_signed(self._secret, signed_headers, body):
            return
        is_overlap = bool(self._former) and self._now() < self._former_until
        if not is_overlap or not self._is_signed(self._former, signed_headers, body):
            raise RequestRefused("signature")

    def _is_signed(self, secret: bytes, signed_headers: tuple[str, str], body: bytes | memoryview) -> bool:
        timestamp, signature = signed_headers
        signed = hmac.new(secret, b"v0:%s:" % timestamp.encode(), hashlib.sha256)
        signed.update(body)
        return hmac.compare_digest(f"v0={signed.hexdigest()}", signature)


def parse_request(headers: Headers, body: bytes) -> AsyncBoltRequest:
    """Parse a request with a verified signature.

    Raises `RequestRefused` if Slack would not send such a request.

    The query string is left out, because the signature does not cover it. Bolt gets the parsed body and not
    the text. From the text, Bolt would parse the body a second time, and would misread a command whose text
    contains "payload".
    """
    try:
        passed_on = {name: list(headers.getall(name, ()))[:1] for name in _FORWARDED_HEADERS}
        forwarded: dict[str, str | Sequence[str]] = {
            name: found for name, found in passed_on.items() if found
        }
        kind = _CONTENT_TYPE.fullmatch(_get_single(headers, "Content-Type"))
        if kind is None or headers.getall("Content-Encoding", ()):
            raise RequestRefused("body")
        found = _parse_object(body.decode(), is_json=kind[1].lower() == "json")
        return AsyncBoltRequest(body=found, headers=forwarded, mode="socket_mode")
    except Exception as error:
        # Bolt raises undocumented exceptions for values of an unexpected type.
        raise RequestRefused("body") from error


def _get_single(headers: Headers, name: str) -> str:
    found = headers.getall(name, ())
    return found[0] if len(found) == 1 else ""


def _reject_constant(word: str) -> object:
    raise ValueError(f"{word} is no JSON")


def _parse_object(text: str, *, is_json: bool) -> dict[str, object]:
    """Return the object that a body contains: in a JSON text, in a form, or in the `payload` field of a form.

    Raises ValueError if the body contains no object, or an empty object.
    """
    if is_json or text.startswith("{"):
        found = json.loads(text, parse_constant=_reject_constant)
    else:
        fields = parse_qsl(text, keep_blank_values=True, max_num_fields=MOST_FIELDS, errors="strict")
        form = dict(fields)
        found = json.loads(form["payload"], parse_constant=_reject_constant) if "payload" in form else form
    if not isinstance(found, dict) or not found:
        raise ValueError("not an object")
    return found
