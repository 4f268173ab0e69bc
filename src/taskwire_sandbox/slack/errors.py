"""The stand-in's refusals: `ApiError` for a program, `ImpossibleAction` for a person in Slack's client."""

from typing import Any

# Slack's payloads are open JSON, and this package mostly handles payloads. All modules share this alias.
Json = dict[str, Any]


class ApiError(Exception):
    """An `ok: false` answer of the Web API. `extra` is merged into the body."""

    def __init__(self, error: str, **extra: object) -> None:
        super().__init__(error)
        self.error = error
        self.extra = extra


class ImpossibleAction(Exception):
    """A person cannot do this in Slack's client.

    For example, the button does not exist, the person is not a member, or a required field is empty.
    """


def invalid_arguments(*messages: str) -> ApiError:
    """Return Slack's error for malformed arguments."""
    return ApiError("invalid_arguments", response_metadata={"messages": [f"[ERROR] {m}" for m in messages]})
