"""The description of a method: arguments, scopes, errors and tier as in Slack's reference, and its function.

The arguments of a method are written in one line, as in `channel! limit:int blocks:json`. `!` means required.
"""

import json
from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import dataclass

from taskwire_sandbox.slack.backend import Backend
from taskwire_sandbox.slack.errors import ApiError, Json, invalid_arguments
from taskwire_sandbox.slack.workspace import IM, MPIM, PRIVATE, PUBLIC, Channel

# Errors of every method. Slack's reference does not repeat them in the list of each method.
COMMON_ERRORS = frozenset(
    {
        "access_denied", "account_inactive", "fatal_error", "internal_error", "invalid_arguments",
        "invalid_auth", "missing_argument", "missing_scope", "not_allowed_token_type", "not_authed",
        "ratelimited", "request_timeout", "service_unavailable", "team_access_not_granted",
        "unknown_method",
    }
)  # fmt: skip
HISTORY_SCOPES = {
    PUBLIC: "channels:history",
    PRIVATE: "groups:history",
    IM: "im:history",
    MPIM: "mpim:history",
}
READ_SCOPES = {PUBLIC: "channels:read", PRIVATE: "groups:read", IM: "im:read", MPIM: "mpim:read"}

_TRUE, _FALSE = (True, "true", "True", "1", 1), (False, "false", "False", "0", 0, "")
_MAX_PAGE = 1000


@dataclass(frozen=True)
class Argument:
    """One argument of a method."""

    name: str
    kind: str
    is_required: bool


@dataclass(frozen=True)
class Method:
    """One method of the Web API. `caller` is the kind of token that it needs: bot or app.

    A caller needs one of `scopes`. For some methods, the kind of conversation decides which one.
    """

    name: str
    run: Callable[[Backend, Json], Json]
    arguments: dict[str, Argument]
    tier: int
    scopes: tuple[str, ...] = ()
    errors: frozenset[str] = frozenset()
    caller: str = "bot"
    is_form_only: bool = False


def method(
    name: str,
    run: Callable[[Backend, Json], Json],
    arguments: str,
    *,
    tier: int,
    scopes: str = "",
    errors: str = "",
    caller: str = "bot",
    is_form_only: bool = False,
) -> Method:
    """Return the description of a method.

    `arguments`, `scopes` and `errors` are lists. Each list is one string of words.
    """
    parsed = (_argument(word) for word in arguments.split())
    return Method(
        name=name,
        run=run,
        arguments={argument.name: argument for argument in parsed},
        tier=tier,
        scopes=tuple(scopes.split()),
        errors=frozenset(errors.split()),
        caller=caller,
        is_form_only=is_form_only,
    )


def _argument(word: str) -> Argument:
    name, _, kind = word.partition(":")
    return Argument(name.removesuffix("!"), kind or "str", name.endswith("!"))


def parse(known: Method, given: Json) -> Json:
    """Return the arguments with their types. Drop unknown arguments.

    Raise `invalid_arguments` if an argument is wrong.
    """
    wrong: list[str] = []
    parsed: Json = {}
    for argument in known.arguments.values():
        value = given.get(argument.name)
        if value is None or value == "":
            if argument.is_required:
                wrong.append(f"missing required field: {argument.name}")
            elif value == "":
                parsed[argument.name] = value
            continue
        try:
            parsed[argument.name] = _PARSERS[argument.kind](value)
        except (ValueError, TypeError):
            wrong.append(f"must be {argument.kind}: {argument.name}")
    if wrong:
        raise invalid_arguments(*wrong)
    return parsed


def _boolean(value: object) -> bool:
    if value in _TRUE:
        return True
    if value in _FALSE:
        return False
    raise ValueError(value)


def _string(value: object) -> str:
    if isinstance(value, bool | dict | list):
        raise TypeError(value)
    return str(value)


def _structure(value: object) -> object:
    """Return a JSON argument as parsed JSON. In a form, the argument is a string. Invalid JSON stays a
    string, which the method itself refuses."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


def _integer(value: object) -> int:
    return int(str(value))


_PARSERS: dict[str, Callable[[object], object]] = {
    "bool": _boolean,
    "int": _integer,
    "json": _structure,
    "str": _string,
}


def require_scope(slack: Backend, *scopes: str) -> None:
    """Raise Slack's error `missing_scope` unless one of `scopes` was granted."""
    granted = slack.app.manifest.scopes
    if scopes and not granted.intersection(scopes):
        provided = ",".join(sorted(granted))
        raise ApiError("missing_scope", needed=",".join(scopes), provided=provided)


def get_visible_channel(slack: Backend, channel_id: str, error: str = "channel_not_found") -> Channel:
    """Return a conversation that the bot can see: a public conversation, or one that the bot is in.

    Raise ApiError with the code `error` if the bot cannot see the conversation.
    """
    channel = slack.workspace.channels.get(channel_id)
    if channel is None or (channel.kind != PUBLIC and slack.app.bot_user_id not in channel.members):
        raise ApiError(error)
    return channel


def get_joined_channel(slack: Backend, channel_id: str, error: str = "not_in_channel") -> Channel:
    """Return a conversation that the bot is in.

    Raise ApiError with the code `error` if the bot is not in this conversation.
    """
    channel = get_visible_channel(slack, channel_id)
    if slack.app.bot_user_id not in channel.members:
        raise ApiError(error)
    return channel


def page(
    keys: list[str],
    arguments: Json,
    *,
    default: int,
    most: int = _MAX_PAGE,
    bad_limit: str = "invalid_arguments",
) -> tuple[list[str], str]:
    """Return one page of `keys`, and the cursor of the next page ("" at the end).

    The arguments `cursor` and `limit` say where the page begins and how many keys it may have.
    """
    limit = arguments.get("limit") or default
    if limit < 1:
        raise ApiError(bad_limit)
    start = _start(keys, arguments.get("cursor") or "")
    end = start + min(limit, most)
    following = b64encode(f"next:{keys[end]}".encode()).decode() if end < len(keys) else ""
    return keys[start:end], following


def _start(keys: list[str], cursor: str) -> int:
    if not cursor:
        return 0
    try:
        word, _, key = b64decode(cursor, validate=True).decode().partition(":")
        return keys.index(key) if word == "next" else keys.index("")
    except ValueError:
        raise ApiError("invalid_cursor") from None
