"""What Slack's answers mean for whoever asked: done, certainly not done, or unknown.

    NotDone
    ├── Refused
    │   └── SlackRefused(code)  one of the errors that Slack names
    │       ├── ChannelProblem  not there, not in it, archived, posting restricted
    │       ├── MessageGone     the message or the thread's root is not there
    │       ├── DialogGone      the trigger has expired, or the view is closed or newer
    │       ├── TokenProblem    the token, or a scope that it lacks
    │       └── ForeignAddress  not an address of this Slack's; nothing was sent there
    └── TryLater
        ├── RateLimited         429, or the same said with ok:false
        ├── NoRoom              our own pace: no place is free yet
        ├── Unreachable         no connection, nothing was written        (taskwire.transport)
        └── DeadlinePassed      too late, nothing was written             (taskwire.transport)
    Unknown
    ├── SlackTrouble            internal_error and its like, every 5xx, an error that nobody has named
    ├── Nonsense                not JSON, a redirect, a success that lacks what it promises
    ├── Cut                     the connection broke after the first byte (taskwire.transport)
    └── NoAnswer                the time ran out after the first byte     (taskwire.transport)

For something that only reads, TryLater and Unknown are the same: ask again. It ends at the sorting: nothing
here talks to Slack, and no text here holds more of an answer than Slack's own error code and its remarks.
"""

import re

from taskwire.domain.errors import OutsideError, Refused, TryLater, Unknown
from taskwire.slack import codes, payload_fields


class SlackRefused(Refused):
    """Slack said no; `code` is its word for why."""

    def __init__(self, method: str, code: str, remarks: str = "") -> None:
        super().__init__(f"{method}: {code}" + (f" ({remarks})" if remarks else ""))
        self.method = method
        self.code = code


class ChannelProblem(SlackRefused):
    """The channel is not there, not ours, archived, or takes no such message."""


class MessageGone(SlackRefused):
    """The message, or the root of the thread, is not there."""


class DialogGone(SlackRefused):
    """The dialog cannot be opened or changed any more."""


class TokenProblem(SlackRefused):
    """The token is not, or no longer, good, or lacks a scope."""


class ForeignAddress(SlackRefused):
    """The address is not one of this Slack's; nothing was sent to it."""


class SlackRateLimited(TryLater):
    """Too many calls; `after_seconds` from Retry-After."""


class NoCapacity(TryLater):
    """Our own pace leaves no place for this call yet."""


class SlackTrouble(Unknown):
    """Slack, or something before it, failed; `code` is its word for it, if it had one."""

    def __init__(self, method: str, status: int, code: str = "") -> None:
        super().__init__(f"{method}: {status} {code}".rstrip())
        self.method = method
        self.code = code


class UnexpectedSlackAnswer(Unknown):
    """The answer makes no sense."""

    def __init__(self, method: str, reason: str) -> None:
        super().__init__(f"{method}: {reason}")
        self.method = method


_KINDS: tuple[tuple[frozenset[str], type[SlackRefused]], ...] = (
    (codes.CHANNEL, ChannelProblem),
    (codes.MESSAGE, MessageGone),
    (codes.DIALOG, DialogGone),
    (codes.TOKEN, TokenProblem),
    (codes.OTHERS, SlackRefused),
)


def sort(method: str, status: int, body: object, retry_after: str = "", *, secret: str = "") -> OutsideError:
    """Return the error for an answer that is not a success; `secret` is kept out of its text."""
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
    """Take for a code only what looks like one: if Slack did not write it, anything may stand there."""
    return error if re.fullmatch(r"[a-z][a-z0-9_]{2,60}", error) else ""


def _remarks(body: object, secret: str) -> str:
    """Return what Slack says of a scope that is missing and of malformed arguments, for the log."""
    needed = payload_fields.text(body, "needed")
    remarks = payload_fields.strings(body, "response_metadata", "messages")
    said = "; ".join(([f"needed: {needed}"] if needed else []) + remarks)[:500]
    return said.replace(secret, "***") if secret else said


def _seconds(retry_after: str) -> float | None:
    return float(retry_after) if re.fullmatch(r"[0-9]{1,6}", retry_after.strip()) else None
