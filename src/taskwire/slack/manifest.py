"""The manifest of the Slack app, as data and as YAML, for the page on which people create the app.

The manifest asks only for the scopes and events that the code uses; a test compares them. This module makes
no calls to Slack.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping

ManifestValue = str | bool | list["ManifestValue"] | dict[str, "ManifestValue"]
Manifest = dict[str, ManifestValue]

SLASH_COMMAND = "/task"
# The callback ids of the shortcuts.
NEW_TASK, MAKE_TASK, SEND_TO_TASK = "new_task", "make_task", "send_to_task"
REQUEST_PATH = "/slack/events"
APP_NAME = "Taskwire"
DESCRIPTION = "Coder AI tasks in Slack: create, watch, answer and steer them from a thread."
BACKGROUND_COLOR = "#1f3a4d"

# Scopes, with the purpose of each.
SCOPES: Mapping[str, str] = {
    "app_mentions:read": "hear @Taskwire",
    "channels:history": "read the replies in a task's thread, also those missed; find its own messages again",
    "channels:read": "see whether it is in a channel",
    "chat:write": "post cards and notices",
    "commands": "take /task and the shortcuts",
    "files:read": "read the text files that people attach for an agent",
    "files:write": "attach a log that is too long for a message",
    "groups:history": "the same as channels:history in private channels",
    "groups:read": "the same as channels:read for private channels",
    "im:history": "the same as channels:history in direct messages",
    "im:read": "the same as channels:read for direct messages",
    "im:write": "send somebody a file in their direct messages",
    "links:read": "hear of links to tasks",
    "links:write": "show a preview below such a link",
    "mpim:history": "the same as channels:history in group messages",
    "mpim:read": "the same as channels:read for group messages",
    "reactions:read": "make a task of a message, and stop one, when somebody reacts to a message",
    "reactions:write": "put the receipt on a reply",
    "usergroups:read": "know who is in an administrators' group",
    "users:read": "know names, guests and bots",
    "users:read.email": "find the Coder user of the same e-mail address",
}
EVENTS = (
    *("app_mention", "message.channels", "message.groups", "message.im", "message.mpim"),
    # For stopping a task by a stop sign on a message of the bot.
    "reaction_added",
    # For previews of links to tasks.
    "link_shared",
    # For channels that accept the bot's messages again: the bot was invited, or the channel was unarchived.
    *("member_joined_channel", "channel_unarchive", "group_unarchive"),
    # For changes of a person's rights: they left, became a guest, or are in another user group.
    *("user_change", "subteam_updated", "subteam_members_changed"),
    # For the Home tab, when a person opens it.
    "app_home_opened",
)
# The scope and the events of an app that is declared as an agent. In the threads of its tasks, Slack shows a
# status and Slack's own button *Stop*.
AGENT_SCOPE = "assistant:write"
AGENT_EVENTS = ("agent_session_stopped",)


def make_manifest(request_url: str = "", coder_host: str = "", *, is_agent: bool = False) -> Manifest:
    """Return the manifest for HTTP mode if there is a request URL, and for Socket Mode otherwise.

    Links to `coder_host` get previews in Slack; if `coder_host` is empty, no links do. `is_agent` declares
    the app as an agent.
    """
    agent: dict[str, ManifestValue] = {"agent_view": {"agent_description": DESCRIPTION}} if is_agent else {}
    scopes = [*SCOPES, AGENT_SCOPE] if is_agent else [*SCOPES]
    events = [*EVENTS, *AGENT_EVENTS] if is_agent else [*EVENTS]
    unfurls: dict[str, ManifestValue] = {"unfurl_domains": [coder_host]} if coder_host else {}
    settings: dict[str, ManifestValue] = {
        "event_subscriptions": {**_with_url(request_url, "request_url"), "bot_events": [*events]},
        "interactivity": {"is_enabled": True, **_with_url(request_url, "request_url")},
        "org_deploy_enabled": False,
        "socket_mode_enabled": not request_url,
        "token_rotation_enabled": False,
    }
    return {
        "display_information": {
            "name": APP_NAME,
            "description": DESCRIPTION,
            "background_color": BACKGROUND_COLOR,
        },
        "features": {
            "app_home": {
                "home_tab_enabled": True,
                "messages_tab_enabled": True,
                "messages_tab_read_only_enabled": False,
            },
            "bot_user": {"display_name": APP_NAME, "always_online": True},
            "shortcuts": [
                _shortcut(NEW_TASK, "global", "New task", "Fill in a form for a new task"),
                _shortcut(MAKE_TASK, "message", "Make a task of this", "Start a task with this message"),
                _shortcut(
                    SEND_TO_TASK, "message", "Send to its task", "Give this reply to the thread's agent"
                ),
            ],
            "slash_commands": [_command(request_url)],
            **unfurls,
            **agent,
        },
        "oauth_config": {"scopes": {"bot": [*scopes]}},
        "settings": settings,
    }


def _command(request_url: str) -> dict[str, ManifestValue]:
    command: dict[str, ManifestValue] = {
        "command": SLASH_COMMAND,
        "description": "Start and steer Coder AI tasks",
        "usage_hint": "create PROMPT | list | status NAME | help",
        "should_escape": True,
    }
    return command | _with_url(request_url, "url")


def _shortcut(callback_id: str, kind: str, name: str, description: str) -> dict[str, ManifestValue]:
    return {"name": name, "type": kind, "callback_id": callback_id, "description": description}


def _with_url(request_url: str, key: str) -> dict[str, ManifestValue]:
    return {key: request_url} if request_url else {}


def to_yaml(manifest: Manifest) -> str:
    """Return a manifest as YAML. This supports maps, lists of maps or strings, strings and booleans."""
    return "\n".join(_map_lines(manifest, "")) + "\n"


def _map_lines(values: Mapping[str, ManifestValue], indent: str) -> Iterator[str]:
    for key, value in values.items():
        if isinstance(value, dict):
            yield f"{indent}{key}:"
            yield from _map_lines(value, indent + "  ")
        elif isinstance(value, list):
            yield f"{indent}{key}:"
            yield from _list_lines(value, indent + "  ")
        else:
            yield f"{indent}{key}: {_scalar(value)}"


def _list_lines(values: Iterable[ManifestValue], indent: str) -> Iterator[str]:
    for value in values:
        if isinstance(value, dict):
            first, *rest = _map_lines(value, indent + "  ")
            yield f"{indent}- {first.strip()}"
            yield from rest
        else:
            yield f"{indent}- {_scalar(value)}"


def _scalar(value: ManifestValue) -> str:
    """Write a scalar.

    A plain word has no quotes. Any other value is JSON; a JSON string is valid YAML too.
    """
    is_plain = isinstance(value, str) and re.fullmatch(r"[A-Za-z][\w.:/-]*(?: [\w.|-]+)*", value)
    return str(value) if is_plain else json.dumps(value, ensure_ascii=False)
