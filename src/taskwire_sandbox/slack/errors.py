"""How the sandbox says no: to a program (`ApiError`) and to a person at the client (`PersonCannot`)."""

from typing import Any

# Slack's payloads are open JSON by nature, and this package is about nothing else: one alias for all.
Json = dict[str, Any]


class ApiError(Exception):
    """An `ok: false` answer of the Web API; `extra` is merged into the body."""

    def __init__(self, error: str, **extra: object) -> None:
        super().__init__(error)
        self.error = error
        self.extra = extra


class PersonCannot(Exception):
    """A person cannot do this in Slack's client (no such button, not a member, an empty required field)."""


def invalid_arguments(*messages: str) -> ApiError:
    """Make Slack's answer to malformed arguments."""
    return ApiError("invalid_arguments", response_metadata={"messages": [f"[ERROR] {m}" for m in messages]})
