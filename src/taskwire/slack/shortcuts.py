"""Parses the payloads of shortcuts. `inbound.py` parses all others.

A shortcut of a message brings the message itself, which the bot may have no other way to read.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from taskwire.domain.ids import ChannelId, Ts, UserId
from taskwire.domain.requester import FileRef, Requester
from taskwire.slack.payload_fields import (
    read_blocks_json,
    read_channel,
    read_files,
    read_object,
    read_text,
    read_ts,
    read_user,
)

Body = Mapping[str, object]


@dataclass(frozen=True)
class ShortcutMessage:
    """The message from whose menu a shortcut was used. `person` is None for an app's message."""

    ts: Ts
    thread_ts: Ts | None
    text: str
    blocks_json: str
    files: tuple[FileRef, ...]
    person: UserId | None
    app_name: str = ""


@dataclass(frozen=True)
class Shortcut:
    """A used shortcut. `message` is None for a global one."""

    callback_id: str
    requester: Requester
    trigger_id: str
    delivery: str
    message: ShortcutMessage | None = None


def parse_shortcut(body: Body) -> Shortcut | None:
    """Parse a used shortcut, global or of a message; None without a person, a time or a trigger."""
    person, at = read_user(body, "user", "id"), read_ts(body, "action_ts")
    trigger = read_text(body, "trigger_id")
    if person is None or at is None or not trigger:
        return None
    message = read_object(body, "message")
    channel, ts = read_channel(body, "channel", "id"), read_ts(message, "ts")
    thread_ts = read_ts(message, "thread_ts")
    requester = Requester(
        person=person,
        channel=channel or ChannelId(""),
        at=at,
        thread_ts=thread_ts,
        response_url=read_text(body, "response_url") or None,
    )
    shortcut = Shortcut(read_text(body, "callback_id"), requester, trigger, f"{at}:{person}")
    if channel is None or ts is None:
        return shortcut
    author = None if read_text(message, "bot_id") else read_user(message, "user")
    name = read_text(message, "username") or read_text(message, "bot_profile", "name")
    blocks, files = read_blocks_json(message), read_files(message)
    used_on = ShortcutMessage(ts, thread_ts, read_text(message, "text"), blocks, files, author, name)
    return replace(shortcut, message=used_on)
