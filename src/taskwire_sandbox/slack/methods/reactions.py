"""reactions.*: methods for the app's reactions."""

import re

from taskwire_sandbox.slack import messages
from taskwire_sandbox.slack.backend import Backend
from taskwire_sandbox.slack.errors import ApiError, Json
from taskwire_sandbox.slack.methods.spec import get_joined_channel, method
from taskwire_sandbox.slack.workspace import Channel

_NAME = re.compile(r"[a-z0-9_'+-]+(::skin-tone-[2-6])?")
_TS = re.compile(r"\d+\.\d{6}")
# Slack allows 23 different reactions for each person and 50 for each message.
_MOST_PER_PERSON, _MOST_PER_MESSAGE = 23, 50


def _target(slack: Backend, arguments: Json) -> tuple[Channel, str]:
    if not arguments.get("channel") or not arguments.get("timestamp"):
        raise ApiError("no_item_specified")
    channel = get_joined_channel(slack, arguments["channel"], error="channel_not_found")
    ts = arguments["timestamp"]
    if not _TS.fullmatch(ts):
        raise ApiError("bad_timestamp")
    if ts not in channel.messages:
        raise ApiError("message_not_found")
    return channel, ts


def _name(arguments: Json) -> str:
    name = str(arguments["name"]).strip(":")
    if not _NAME.fullmatch(name):
        raise ApiError("invalid_name")
    return name


def _add(slack: Backend, arguments: Json) -> Json:
    name = _name(arguments)
    channel, ts = _target(slack, arguments)
    if channel.is_archived:
        raise ApiError("is_archived")
    reactions, bot = channel.messages[ts].reactions, slack.app.bot_user_id
    if bot in reactions.get(name, []):
        raise ApiError("already_reacted")
    if name not in reactions and len(reactions) >= _MOST_PER_MESSAGE:
        raise ApiError("too_many_emoji")
    if sum(bot in users for users in reactions.values()) >= _MOST_PER_PERSON:
        raise ApiError("too_many_reactions")
    messages.react(slack, channel, ts, name, bot)
    return {}


def _remove(slack: Backend, arguments: Json) -> Json:
    name = _name(arguments)
    channel, ts = _target(slack, arguments)
    if not messages.unreact(slack, channel, ts, name, slack.app.bot_user_id):
        raise ApiError("no_reaction")
    return {}


def _get(slack: Backend, arguments: Json) -> Json:
    channel, ts = _target(slack, arguments)
    link = slack.permalink(channel.id, ts)
    shown = messages.show(channel, ts) | {"permalink": link}
    return {"type": "message", "channel": channel.id, "message": shown}


METHODS = (
    method(
        "reactions.add",
        _add,
        "channel! name! timestamp!",
        tier=3,
        scopes="reactions:write",
        errors="already_reacted bad_timestamp channel_not_found invalid_name is_archived message_not_found"
        " no_item_specified too_many_emoji too_many_reactions",
    ),
    method(
        "reactions.remove",
        _remove,
        "name! channel timestamp file file_comment",
        tier=2,
        scopes="reactions:write",
        errors="bad_timestamp channel_not_found invalid_name message_not_found no_item_specified no_reaction",
    ),
    method(
        "reactions.get",
        _get,
        "channel timestamp full:bool file file_comment",
        tier=3,
        scopes="reactions:read",
        errors="bad_timestamp channel_not_found message_not_found no_item_specified",
    ),
)
