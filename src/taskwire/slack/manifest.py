"""The Slack app that Taskwire needs, as data and as the YAML that Slack's page takes.

It asks for what the code uses and for nothing more; a test compares it with the code. It ends at the text:
nothing here talks to Slack.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping

ManifestValue = str | bool | list["ManifestValue"] | dict[str, "ManifestValue"]
Manifest = dict[str, ManifestValue]

COMMAND = "/task"
REQUEST_PATH = "/slack/events"
NAME = "Taskwire"
COLOR = "#1f3a4d"

# What each scope is for.
SCOPES: Mapping[str, str] = {
    "app_mentions:read": "hear @Taskwire",
    "channels:history": "read the replies in a task's thread, also those missed; find its own messages again",
    "channels:read": "see whether it is in a channel",
    "chat:write": "post cards and notices",
    "commands": "take /task",
    "files:read": "read the text files that people attach for an agent",
    "files:write": "attach a log that is too long for a message",
    "groups:history": "the same as channels:history in private channels",
    "groups:read": "the same as channels:read for private channels",
    "im:history": "the same as channels:history in direct messages",
    "im:read": "the same as channels:read for direct messages",
    "im:write": "send somebody a file in their direct messages",
    "mpim:history": "the same as channels:history in group messages",
    "mpim:read": "the same as channels:read for group messages",
    "reactions:write": "put the receipt on a reply",
    "usergroups:read": "know who is in an administrators' group",
    "users:read": "know names, guests and bots",
    "users:read.email": "find the Coder user of the same e-mail address",
}
EVENTS = (
    *("app_mention", "message.channels", "message.groups", "message.im", "message.mpim"),
    # A channel takes its messages again: somebody has invited it, or brought the channel back.
    *("member_joined_channel", "channel_unarchive", "group_unarchive"),
    # What somebody may do has changed: they left, became a guest, or are in another group.
    *("user_change", "subteam_updated", "subteam_members_changed"),
)


def make(request_url: str = "") -> Manifest:
    """Make the manifest: for Socket Mode, or for HTTP mode with the address at which Slack finds us."""
    settings: dict[str, ManifestValue] = {
        "event_subscriptions": {**_at(request_url, "request_url"), "bot_events": list(EVENTS)},
        "interactivity": {"is_enabled": True, **_at(request_url, "request_url")},
        "org_deploy_enabled": False,
        "socket_mode_enabled": not request_url,
        "token_rotation_enabled": False,
    }
    return {
        "display_information": {
            "name": NAME,
            "description": "Coder AI tasks in Slack: create, watch, answer and steer them from a thread.",
            "background_color": COLOR,
        },
        "features": {
            "app_home": {
                "home_tab_enabled": False,
                "messages_tab_enabled": True,
                "messages_tab_read_only_enabled": False,
            },
            "bot_user": {"display_name": NAME, "always_online": True},
            "slash_commands": [_command(request_url)],
        },
        "oauth_config": {"scopes": {"bot": list(SCOPES)}},
        "settings": settings,
    }


def _command(request_url: str) -> dict[str, ManifestValue]:
    command: dict[str, ManifestValue] = {
        "command": COMMAND,
        "description": "Start and steer Coder AI tasks",
        "usage_hint": "create PROMPT | list | status NAME | help",
        "should_escape": True,
    }
    return command | _at(request_url, "url")


def _at(request_url: str, key: str) -> dict[str, ManifestValue]:
    return {key: request_url} if request_url else {}


def to_yaml(manifest: Manifest) -> str:
    """Write a manifest as YAML: maps, lists of maps or words, words and booleans are all that it has."""
    return "\n".join(_map(manifest, "")) + "\n"


def _map(values: Mapping[str, ManifestValue], indent: str) -> Iterator[str]:
    for key, value in values.items():
        if isinstance(value, dict):
            yield f"{indent}{key}:"
            yield from _map(value, indent + "  ")
        elif isinstance(value, list):
            yield f"{indent}{key}:"
            yield from _list(value, indent + "  ")
        else:
            yield f"{indent}{key}: {_word(value)}"


def _list(values: Iterable[ManifestValue], indent: str) -> Iterator[str]:
    for value in values:
        if isinstance(value, dict):
            first, *rest = _map(value, indent + "  ")
            yield f"{indent}- {first.strip()}"
            yield from rest
        else:
            yield f"{indent}- {_word(value)}"


def _word(value: ManifestValue) -> str:
    """Write a scalar: bare if it is plainly a word, else as JSON, whose quoted strings are YAML's too."""
    is_plain = isinstance(value, str) and re.fullmatch(r"[A-Za-z][\w.:/-]*(?: [\w.|-]+)*", value)
    return str(value) if is_plain else json.dumps(value, ensure_ascii=False)
