"""Reads values from parsed JSON of unknown shape. No function raises an error.

Each function takes a value and a path of keys. If the value at the path is missing or of another type, the
result is empty, or None for an id. `inbound` and `models` interpret the results.
"""

import json
import re
from collections.abc import Mapping

from taskwire.domain.ids import ChannelId, Ts, UserId, find_channel, find_ts
from taskwire.domain.requester import FileRef

# Ids of users may have the same characters as ids of conversations in `domain/ids.py`.
_USER = re.compile(r"[UW][A-Za-z0-9_-]{1,40}")
# A number of a button or a choice has at most this many digits. Python raises ValueError for thousands.
LONGEST_NUMBER = 9
# A file with another `mode` may be one that several people can edit, such as a canvas.
_CHANGED_BY_UPLOADER = ("hosted", "snippet")
_NOTHING: Mapping[str, object] = {}


def read_value(value: object, *path: str) -> object:
    """Return the value at a path of keys; None if there is no value."""
    for key in path:
        # Parsed JSON consists of dicts. A check for dict is ten times as fast as a check for Mapping.
        if not isinstance(value, dict):
            return None
        value = value.get(key)
    return value


def read_text(value: object, *path: str) -> str:
    """Return the string at the path; empty if there is no string."""
    found = read_value(value, *path)
    return _replace_surrogates(found) if isinstance(found, str) else ""


def _replace_surrogates(words: str) -> str:
    """Replace lone surrogates, which JSON may contain and UTF-8 may not."""
    return words if words.isascii() else words.encode("utf-8", "replace").decode()


def read_url(value: object, *path: str) -> str | None:
    """Return the web address at the path; None if there is none."""
    found = read_text(value, *path)
    return found if found.startswith(("https://", "http://")) else None


def read_number(text: str) -> int:
    """Return a number of a button or a choice; -1 if the text is no such number."""
    return int(text) if text.isdecimal() and len(text) <= LONGEST_NUMBER else -1


def read_flag(value: object, *path: str) -> bool:
    """Return whether the value at the path is `true` or "true". A command's payload contains only strings."""
    return read_value(value, *path) in (True, "true")


def read_int(value: object, *path: str) -> int:
    """Return the whole number at the path; 0 if there is none."""
    found = read_value(value, *path)
    return found if isinstance(found, int) and not isinstance(found, bool) else 0


def read_object(value: object, *path: str) -> Mapping[str, object]:
    """Return the JSON object at the path; empty if there is none."""
    found = read_value(value, *path)
    return found if isinstance(found, dict) else _NOTHING


def read_objects(value: object, *path: str) -> list[Mapping[str, object]]:
    """Return the JSON objects in the list at the path."""
    found = read_value(value, *path)
    return [row for row in found if isinstance(row, dict)] if isinstance(found, list) else []


def read_strings(value: object, *path: str) -> list[str]:
    """Return the strings in the list at the path."""
    found = read_value(value, *path)
    return (
        [_replace_surrogates(row) for row in found if isinstance(row, str)] if isinstance(found, list) else []
    )


def read_user(value: object, *path: str) -> UserId | None:
    """Return the id of a user at the path. The user may be a person or a bot."""
    found = read_text(value, *path)
    return UserId(found) if _USER.fullmatch(found) else None


def read_channel(value: object, *path: str) -> ChannelId | None:
    """Return the id of a conversation at the path."""
    return find_channel(read_text(value, *path))


def read_ts(value: object, *path: str) -> Ts | None:
    """Return the ts at the path. A ts is Slack's id of a message, and its time."""
    return find_ts(read_text(value, *path))


def read_files(message: object) -> tuple[FileRef, ...]:
    """Return the files of a message. A file that Slack no longer stores has no URL."""
    return tuple(_make_file(row) for row in read_objects(message, "files") if read_text(row, "id"))


def _make_file(row: Mapping[str, object]) -> FileRef:
    mode = read_text(row, "mode")
    return FileRef(
        id=read_text(row, "id"),
        name=read_text(row, "name") or read_text(row, "title"),
        url=read_text(row, "url_private"),
        size=read_int(row, "size"),
        mimetype=read_text(row, "mimetype"),
        permalink=read_text(row, "permalink"),
        is_editable=any([read_flag(row, "editable"), mode != "hosted"]),
        uploader_id=(read_user(row, "user") or "") if mode in _CHANGED_BY_UPLOADER else "",
    )


def read_blocks_json(message: object) -> str:
    """Return the blocks of a message as JSON; an empty string if it has none."""
    found = read_objects(message, "blocks")
    return _replace_surrogates(json.dumps(found, separators=(",", ":"), ensure_ascii=False)) if found else ""


def read_reactions(message: object, user_id: UserId) -> frozenset[str]:
    """Return the names of a user's reactions on a message."""
    return frozenset(
        read_text(row, "name")
        for row in read_objects(message, "reactions")
        if user_id in read_strings(row, "users")
    )


# For each kind of element, the key under which Slack stores what was entered. [Slack: view_submission,
# state.values]
_SINGLE_KEYS = (
    "value",
    "selected_conversation",
    "selected_channel",
    "selected_user",
    "selected_date",
    "selected_time",
)
_MULTI_KEYS = ("selected_conversations", "selected_channels", "selected_users")


def read_entered_values(state: object) -> dict[str, str]:
    """Return what a person has entered in a dialog or message, by block id. Empty inputs are left out."""
    found: dict[str, str] = {}
    for block_id, elements in read_object(state, "values").items():
        if not isinstance(elements, Mapping):
            continue
        given = [value for element in elements.values() if (value := read_entered_value(element))]
        if given:
            found[block_id] = ",".join(given)
    return found


def read_entered_value(element: object) -> str:
    """Return what a person has entered in one element. For a pressed button, return its value."""
    if option := read_object(element, "selected_option"):
        return read_text(option, "value")
    if options := read_objects(element, "selected_options"):
        return ",".join(read_text(option, "value") for option in options)
    for key in _MULTI_KEYS:
        if several := read_strings(element, key):
            return ",".join(several)
    return next((value for key in _SINGLE_KEYS if (value := read_text(element, key))), "")


def read_pressed(action: object, menu: str) -> tuple[str, str]:
    """Return the action id and the value of a pressed button or a chosen option.

    For an option of the menu with the action id `menu`, read both from the option's value.
    """
    action_id, value = read_text(action, "action_id"), read_entered_value(action)
    if action_id != menu:
        return action_id, value
    chosen, _, value = value.partition(" ")
    return chosen, value
