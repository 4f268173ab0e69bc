"""Reads values from JSON of unknown shape. A missing or wrong value is read as empty; nothing raises.

The results are plain values. `inbound` and `models` interpret them.
"""

import json
import re
from collections.abc import Mapping

from taskwire.domain.ids import ChannelId, Ts, UserId, find_channel, find_ts
from taskwire.domain.jobs import FileRef

# The same characters as for conversations in `domain/ids.py`.
_USER = re.compile(r"[UW][A-Za-z0-9_-]{1,40}")
_NOTHING: Mapping[str, object] = {}


def at(value: object, *path: str) -> object:
    """Return the value at a path of keys, or None."""
    for key in path:
        # Parsed JSON consists of dicts, and a check for dict is ten times as fast as for Mapping. This runs
        # often.
        if not isinstance(value, dict):
            return None
        value = value.get(key)
    return value


def text(value: object, *path: str) -> str:
    """Return the string at the path, or an empty one."""
    found = at(value, *path)
    return _whole(found) if isinstance(found, str) else ""


def _whole(words: str) -> str:
    """Replace lone surrogates, which JSON may contain and UTF-8 may not."""
    return words if words.isascii() else words.encode("utf-8", "replace").decode()


def flag(value: object, *path: str) -> bool:
    """Return whether the path holds `true` or "true": a command's payload is a form and has only strings."""
    return at(value, *path) in (True, "true")


def number(value: object, *path: str) -> int:
    """Return the whole number at the path, or 0."""
    found = at(value, *path)
    return found if isinstance(found, int) and not isinstance(found, bool) else 0


def part(value: object, *path: str) -> Mapping[str, object]:
    """Return the object at the path, or an empty one."""
    found = at(value, *path)
    return found if isinstance(found, dict) else _NOTHING


def rows(value: object, *path: str) -> list[Mapping[str, object]]:
    """Return the objects in the list at the path."""
    found = at(value, *path)
    return [row for row in found if isinstance(row, dict)] if isinstance(found, list) else []


def strings(value: object, *path: str) -> list[str]:
    """Return the strings in the list at the path."""
    found = at(value, *path)
    return [_whole(row) for row in found if isinstance(row, str)] if isinstance(found, list) else []


def user(value: object, *path: str) -> UserId | None:
    """Return the id of a person or of a bot's user."""
    found = text(value, *path)
    return UserId(found) if _USER.fullmatch(found) else None


def channel(value: object, *path: str) -> ChannelId | None:
    """Return the id of a conversation."""
    return find_channel(text(value, *path))


def ts(value: object, *path: str) -> Ts | None:
    """Return a message's ts."""
    return find_ts(text(value, *path))


def files(message: object) -> tuple[FileRef, ...]:
    """Return the files of a message. A file that Slack no longer stores has no URL."""
    return tuple(_file(row) for row in rows(message, "files") if text(row, "id"))


def _file(row: Mapping[str, object]) -> FileRef:
    return FileRef(
        id=text(row, "id"),
        name=text(row, "name") or text(row, "title"),
        url=text(row, "url_private"),
        size=number(row, "size"),
        mimetype=text(row, "mimetype"),
    )


def blocks(message: object) -> str:
    """Return the blocks of a message as JSON, or an empty string."""
    found = rows(message, "blocks")
    return _whole(json.dumps(found, separators=(",", ":"), ensure_ascii=False)) if found else ""


def marks(message: object, user_id: UserId) -> frozenset[str]:
    """Return the names of a user's reactions on a message."""
    return frozenset(
        text(row, "name") for row in rows(message, "reactions") if user_id in strings(row, "users")
    )


# The keys under which each kind of element stores its choice. [Slack: view_submission, state.values]
_ONE = (
    "value",
    "selected_conversation",
    "selected_channel",
    "selected_user",
    "selected_date",
    "selected_time",
)
_SEVERAL = ("selected_conversations", "selected_channels", "selected_users")


def entered_values(state: object) -> dict[str, str]:
    """Return what was entered, by block id. Empty inputs are left out."""
    found: dict[str, str] = {}
    for block_id, elements in part(state, "values").items():
        if not isinstance(elements, Mapping):
            continue
        given = [value for element in elements.values() if (value := entered(element))]
        if given:
            found[block_id] = ",".join(given)
    return found


def entered(element: object) -> str:
    """Return what was entered in one element, or the value of a pressed button."""
    if option := part(element, "selected_option"):
        return text(option, "value")
    if options := rows(element, "selected_options"):
        return ",".join(text(option, "value") for option in options)
    for key in _SEVERAL:
        if several := strings(element, key):
            return ",".join(several)
    return next((value for key in _ONE if (value := text(element, key))), "")
