"""Parses the payloads of shortcuts, and the messages that people pick. `inbound.py` parses other payloads.

A person picks a message with a message shortcut or with a reaction. The payload of a message shortcut
contains the message itself. The bot may have no other way to read that message. The payload of a reaction
does not contain the message, so the message is read from its thread.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from taskwire.domain.ids import ChannelId, Ts, UserId, microseconds
from taskwire.domain.requester import FileRef, Requester
from taskwire.slack.payload_fields import (
    read_blocks_json,
    read_channel,
    read_files,
    read_object,
    read_text,
    read_ts,
    read_url,
    read_user,
)

Body = Mapping[str, object]


@dataclass(frozen=True)
class PickedMessage:
    """A message that a person has picked with its menu or with a reaction.

    `person` is None if an app wrote it. `is_own` says whether this bot wrote it, if Slack was asked.
    """

    ts: Ts
    thread_ts: Ts | None
    text: str
    blocks_json: str
    files: tuple[FileRef, ...]
    person: UserId | None
    app_name: str = ""
    edited_at: Ts | None = None
    is_own: bool = False


@dataclass(frozen=True)
class Shortcut:
    """A shortcut that a person has used. `message` is None for a global shortcut."""

    callback_id: str
    requester: Requester
    trigger_id: str
    delivery: str
    message: PickedMessage | None = None


def parse_shortcut(body: Body) -> Shortcut | None:
    """Parse a shortcut, global or of a message; None if the person, the time or the trigger is missing."""
    person, at = read_user(body, "user", "id"), read_ts(body, "action_ts")
    trigger = read_text(body, "trigger_id")
    if person is None or at is None or not trigger:
        return None
    channel, message = read_channel(body, "channel", "id"), parse_picked(read_object(body, "message"))
    requester = Requester(
        person=person,
        channel=channel or ChannelId(""),
        at=at,
        thread_ts=message.thread_ts if message is not None else None,
        response_url=read_url(body, "response_url"),
        surface="shortcut",
    )
    shortcut = Shortcut(read_text(body, "callback_id"), requester, trigger, f"{at}:{person}")
    return replace(shortcut, message=message) if channel is not None else shortcut


def parse_picked(message: Body) -> PickedMessage | None:
    """Parse a message of a person or an app; None if the object is no message."""
    ts = read_ts(message, "ts")
    if ts is None:
        return None
    return PickedMessage(
        ts=ts,
        thread_ts=read_ts(message, "thread_ts"),
        text=read_text(message, "text"),
        blocks_json=read_blocks_json(message),
        files=read_files(message),
        person=None if read_text(message, "bot_id") else read_user(message, "user"),
        app_name=read_text(message, "username") or read_text(message, "bot_profile", "name"),
        edited_at=read_ts(message, "edited", "ts"),
    )


def is_edited_since(message: PickedMessage, at: Ts) -> bool:
    """Return whether a message was edited after a person picked it at `at`.

    Slack may give the time of an edit in whole seconds, so an edit in the same second counts as later.
    """
    return message.edited_at is not None and _second(message.edited_at) >= _second(at)


def _second(ts: Ts) -> int:
    return microseconds(ts) // 1_000_000
