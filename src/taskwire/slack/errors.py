"""What Slack's answers mean for a caller: done, certainly not done, or unknown.

    NotDone
    ├── Refused
    │   └── SlackRefused(code)      an error code that Slack documents
    │       ├── ChannelProblem      the channel does not exist, is archived, or is closed to this message
    │       ├── MessageGone         the message or the thread's root does not exist
    │       ├── DialogGone          the trigger has expired, or the view is closed or newer
    │       └── ForeignAddress      the URL is not Slack's; nothing was sent there
    ├── TokenProblem(code)          what Slack says is wrong with the token
    │   ├── SlackTokenRefused       it is invalid or expired: an AccountRefused
    │   └── MissingScope            it lacks a scope that this method needs: a Refused
    └── TryLater
        ├── SlackRateLimited        status 429, or the same as an error code
        ├── NoCapacity              our own rate limiter has no free place yet
        ├── Unreachable             no connection; nothing was written         (taskwire.transport)
        └── DeadlinePassed          too late; nothing was written              (taskwire.transport)
    Unknown
    ├── SlackTrouble                internal_error and similar codes, every 5xx, an undocumented code
    ├── UnexpectedSlackAnswer       not JSON, a redirect, a success without what it must contain
    ├── ConnectionCut               the connection broke after the first byte  (taskwire.transport)
    └── NoAnswer                    the time ran out after the first byte      (taskwire.transport)

For a call that only reads, TryLater and Unknown mean the same: ask again. This module only sorts answers and
calls nothing. The text of an error contains nothing of an answer but Slack's error code and its remarks.
"""

import re

from taskwire.domain.errors import AccountRefused, NotDone, OutsideError, Refused, TryLater, Unknown
from taskwire.slack import codes, payload_fields


class _Named(NotDone):
    """Slack refused the call. `code` is Slack's error code."""

    def __init__(self, method: str, code: str, remarks: str = "") -> None:
        super().__init__(f"{method}: {code}" + (f" ({remarks})" if remarks else ""))
        self.method = method
        self.code = code


class SlackRefused(_Named, Refused):
    """Slack refused this request."""


class ChannelProblem(SlackRefused):
    """The channel does not exist or is archived, or the bot may not post this message there."""


class MessageGone(SlackRefused):
    """The message, or the root message of the thread, does not exist."""


class DialogGone(SlackRefused):
    """The dialog can no longer be opened or changed."""


class TokenProblem(_Named):
    """The token is invalid or expired, or lacks a scope."""


class SlackTokenRefused(TokenProblem, AccountRefused):
    """The token is invalid or expired."""


class MissingScope(TokenProblem, Refused):
    """The token lacks a scope that this method needs. Other methods may work."""


class ForeignAddress(SlackRefused):
    """The URL does not belong to Slack. Nothing was sent to it."""


class SlackRateLimited(TryLater):
    """Slack's rate limit was exceeded. `after_seconds` comes from Retry-After."""


class NoCapacity(TryLater):
    """Our own rate limiter has no place for this call yet."""


class SlackTrouble(Unknown):
    """Slack, or a proxy in front of it, failed. `code` is Slack's error code, if there was one."""

    def __init__(self, method: str, status: int, code: str = "") -> None:
        super().__init__(f"{method}: {status} {code}".rstrip())
        self.method = method
        self.code = code


class UnexpectedSlackAnswer(Unknown):
    """The answer is not one that Slack documents."""

    def __init__(self, method: str, reason: str) -> None:
        super().__init__(f"{method}: {reason}")
        self.method = method


_KINDS: tuple[tuple[frozenset[str], type[SlackRefused | TokenProblem]], ...] = (
    (codes.CHANNEL, ChannelProblem),
    (codes.MESSAGE, MessageGone),
    (codes.DIALOG, DialogGone),
    (codes.TOKEN, SlackTokenRefused),
    (codes.SCOPE, MissingScope),
    (codes.OTHERS, SlackRefused),
)


def sort(method: str, status: int, body: object, retry_after: str = "", *, secret: str = "") -> OutsideError:
    """Return the error for an answer that is not a success. `secret` is removed from the error's text."""
    code = _code(payload_fields.text(body, "error"))
    if status == 429 or (status < 500 and code in codes.LIMITED):
        return SlackRateLimited(f"{method}: {code or status}", _seconds(retry_after))
    if status >= 500:
        return SlackTrouble(method, status, code)
    if payload_fields.at(body, "ok") is not False or not code:
        return UnexpectedSlackAnswer(method, f"{status}, and not an answer of Slack's")
    kind = next((kind for named, kind in _KINDS if code in named), None)
    return kind(method, code, _remarks(body, secret)) if kind else SlackTrouble(method, status, code)


def _code(error: str) -> str:
    """Return the error code if it looks like one. A proxy may have written anything in its place."""
    return error if re.fullmatch(r"[a-z][a-z0-9_]{2,60}", error) else ""


def _remarks(body: object, secret: str) -> str:
    """Return what Slack says about missing scopes and malformed arguments, for the log."""
    needed = payload_fields.text(body, "needed")
    remarks = payload_fields.strings(body, "response_metadata", "messages")
    said = "; ".join(([f"needed: {needed}"] if needed else []) + remarks)[:500]
    return said.replace(secret, "***") if secret else said


def _seconds(retry_after: str) -> float | None:
    return float(retry_after) if re.fullmatch(r"[0-9]{1,6}", retry_after.strip()) else None
