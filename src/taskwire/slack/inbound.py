"""Parses Slack's payloads into typed values. No code after this module sees a raw payload.

No function here raises an error, whatever arrives. A payload that Taskwire does not use becomes an
`IgnoredPayload`. `delivery` is the id under which the inbox claims a payload. A message has one id in its
message event, in its mention and in the history of its thread, so it is handled once. This module reads only
the payload. It does not look up who a person is or whether a thread is linked.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from taskwire.domain.ids import ChannelId, ThreadRef, Ts, UserId, ts_of
from taskwire.domain.requester import FileRef, Requester
from taskwire.domain.text.message import Button, Dialog
from taskwire.slack.payload_fields import (
    read_blocks_json,
    read_channel,
    read_entered_values,
    read_files,
    read_flag,
    read_number,
    read_object,
    read_objects,
    read_pressed,
    read_reactions,
    read_text,
    read_ts,
    read_url,
    read_user,
)
from taskwire.slack.payload_sources import is_from_bot

Body = Mapping[str, object]

# Subtypes of messages that a person has written: no subtype, a message with a file, and a reply that is also
# sent to the channel.
_WRITTEN_SUBTYPES = ("", "file_share", "thread_broadcast")


@dataclass(frozen=True)
class IgnoredPayload:
    """A payload that Taskwire does not use. `reason` is for the log."""

    reason: str


@dataclass(frozen=True)
class WrittenMessage:
    """A message that a person has written."""

    channel: ChannelId
    ts: Ts
    person: UserId
    text: str
    delivery: str
    blocks_json: str = ""
    files: tuple[FileRef, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ThreadMessage(WrittenMessage):
    """A reply in a thread.

    `is_bot_thread` is false if the payload shows that the bot did not begin the thread. `own_reactions` are
    the bot's reactions on the message; only a message from a thread's history has them.
    """

    thread_ts: Ts
    is_bot_thread: bool
    own_reactions: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True)
class DirectMessage(WrittenMessage):
    """A direct message to the bot that is not in a thread of the bot."""

    thread_ts: Ts | None = None


@dataclass(frozen=True, kw_only=True)
class Mention(WrittenMessage):
    """A message that mentions the bot. The message event for this message has the same `delivery`."""

    thread_ts: Ts | None = None
    is_bot_thread: bool = False

    def in_thread(self) -> ThreadMessage:
        """Return the mention as a reply. Raises `ValueError` if the mention is not in a thread."""
        if self.thread_ts is None:
            raise ValueError("the mention stands in no thread")
        return ThreadMessage(
            channel=self.channel,
            ts=self.ts,
            person=self.person,
            text=self.text,
            delivery=self.delivery,
            blocks_json=self.blocks_json,
            files=self.files,
            thread_ts=self.thread_ts,
            is_bot_thread=self.is_bot_thread,
        )


@dataclass(frozen=True, kw_only=True)
class MessageEdited(WrittenMessage):
    """A reply whose text or files its author has changed."""

    thread_ts: Ts
    edited_ts: Ts
    is_bot_thread: bool = False


@dataclass(frozen=True)
class MessageDeleted:
    """A message of a thread that was deleted. `at` is the time of the deletion."""

    channel: ChannelId
    thread_ts: Ts
    ts: Ts
    delivery: str
    at: Ts
    is_bot_thread: bool = False
    # The author of the deleted message; None if Slack does not say.
    person: UserId | None = None


@dataclass(frozen=True)
class ConversationOpened:
    """A conversation that may accept our messages again: the bot has joined it, or it was unarchived."""

    channel: ChannelId
    delivery: str


@dataclass(frozen=True)
class RightsChanged:
    """A user's rights or a user group have changed. `id` is the id of the user or the group."""

    id: str
    is_group: bool


@dataclass(frozen=True)
class HomeOpened:
    """A person has opened the bot's Home tab."""

    person: UserId
    delivery: str


@dataclass(frozen=True)
class SlashCommand:
    """A slash command that a person has typed."""

    requester: Requester
    text: str
    trigger_id: str
    delivery: str


@dataclass(frozen=True)
class Click:
    """A pressed button or a used menu. `button` is None if we do not know its action id.

    `message_ts` names the message with the button. `is_public` means that everybody sees that message, and
    `is_card_menu` that the person used its menu. `values` is what the person has entered so far in this
    dialog or message, by block id.
    """

    button: Button | None
    action_id: str
    value: str
    person: UserId
    trigger_id: str
    action_ts: Ts
    delivery: str
    channel: ChannelId | None
    thread_ts: Ts | None
    message_ts: Ts | None
    private_metadata: str
    response_url: str | None
    view_id: str | None
    values: Mapping[str, str]
    is_public: bool
    is_card_menu: bool

    @property
    def number(self) -> int:
        """The number at the end of the button's action id; -1 if there is no number."""
        return read_number(self.action_id.rpartition(".")[2])


@dataclass(frozen=True)
class Submission:
    """A submitted dialog.

    `values` is what the person entered, by block id; several choices are joined by commas.
    """

    dialog: Dialog
    values: Mapping[str, str]
    private_metadata: str
    person: UserId
    delivery: str


def parse_message_event(
    body: Body, bot: UserId | None = None
) -> ThreadMessage | DirectMessage | MessageEdited | MessageDeleted | IgnoredPayload:
    """Parse the event of a message that was written, edited or deleted.

    `bot` is the user of our bot. If `bot` is None, the user is taken from the event's authorizations.
    """
    bot = bot or _find_bot_user(body)
    event = read_object(body, "event")
    channel = read_channel(event, "channel")
    subtype = read_text(event, "subtype")
    if channel is None:
        return IgnoredPayload("no channel")
    if subtype == "message_changed":
        return _parse_changed(event, channel, bot)
    if subtype == "message_deleted":
        before = read_object(event, "previous_message")
        return _parse_deleted(event, before, channel, read_ts(event, "deleted_ts"), bot)
    return _parse_written(event, channel, bot)


def parse_conversation_opened(body: Body, bot: UserId | None = None) -> ConversationOpened | IgnoredPayload:
    """Parse an event after which a conversation may accept our messages.

    Either the conversation was unarchived, or the bot has joined it.
    """
    event = read_object(body, "event")
    channel, delivery = (read_channel(event, "channel"), read_text(body, "event_id"))
    is_somebody_else = read_user(event, "user") != (bot or _find_bot_user(body))
    if read_text(event, "type") == "member_joined_channel" and is_somebody_else:
        return IgnoredPayload("somebody else")
    return (
        ConversationOpened(channel, delivery)
        if channel is not None and delivery
        else IgnoredPayload("no channel")
    )


def parse_home_opened(body: Body) -> HomeOpened | IgnoredPayload:
    """Parse the event that a person has opened the Home tab.

    Slack sends the same event if the person has opened the Messages tab. That event is ignored.
    """
    event, delivery = read_object(body, "event"), read_text(body, "event_id")
    person = read_user(event, "user")
    if person is None or not delivery or read_text(event, "tab") == "messages":
        return IgnoredPayload("not the Home tab")
    return HomeOpened(person, delivery)


def parse_rights_changed(body: Body) -> RightsChanged | IgnoredPayload:
    """Parse the event that a user or a user group has changed.

    Slack sends this event after a change of a user's profile or rights, or of a group's members.
    """
    event = read_object(body, "event")
    person = read_user(event, "user", "id")
    if person is not None:
        return RightsChanged(person, is_group=False)
    group = read_text(event, "subteam_id") or read_text(event, "subteam", "id")
    return RightsChanged(group, is_group=True) if group else IgnoredPayload("nobody")


def parse_thread_message(
    message: Body, channel: ChannelId, bot_user: UserId
) -> ThreadMessage | IgnoredPayload:
    """Parse a message of a thread's history. The result is the same as for the event of that message."""
    ts, thread_ts = read_ts(message, "ts"), read_ts(message, "thread_ts")
    words = _parse_message_fields(message, channel, bot_user)
    if isinstance(words, IgnoredPayload):
        return words
    if thread_ts is None or thread_ts == ts:
        return IgnoredPayload("no reply")
    return ThreadMessage(
        *words,
        thread_ts=thread_ts,
        is_bot_thread=_may_be_bot_thread(message, bot_user),
        own_reactions=read_reactions(message, bot_user),
    )


def parse_earlier_message(message: Body, channel: ChannelId, bot_user: UserId) -> WrittenMessage | None:
    """Parse a message of a thread's history as context for an agent.

    Return None if no person wrote the message, or if it has neither text nor files.
    """
    words = _parse_message_fields(message, channel, bot_user)
    return None if isinstance(words, IgnoredPayload) else WrittenMessage(*words)


def parse_mention(body: Body, bot: UserId | None = None) -> Mention | IgnoredPayload:
    """Parse a mention of the bot.

    `bot` is the user of our bot. If `bot` is None, the user is taken from the event's authorizations.
    """
    event = read_object(body, "event")
    channel, bot_user = read_channel(event, "channel"), bot or _find_bot_user(body)
    if channel is None:
        return IgnoredPayload("no channel")
    words = _parse_message_fields(event, channel, bot_user)
    if isinstance(words, IgnoredPayload):
        return words
    thread_ts = read_ts(event, "thread_ts")
    if thread_ts == read_ts(event, "ts"):
        thread_ts = None
    is_bot_thread = bot_user is not None and read_user(event, "parent_user_id") == bot_user
    return Mention(*words, thread_ts=thread_ts, is_bot_thread=is_bot_thread)


def find_shared_thread(body: Body, bot: UserId) -> ThreadRef | None:
    """Return the thread of a message event in a channel that people of another company can read.

    Return None for any other channel, and for a thread that the bot cannot have begun.
    """
    event = read_object(body, "event")
    channel, thread_ts = (read_channel(event, "channel"), read_ts(event, "thread_ts"))
    if channel is None or thread_ts is None or not read_flag(body, "is_ext_shared_channel"):
        return None
    is_ours = read_user(event, "user") == bot or _may_be_bot_thread(event, bot)
    return ThreadRef(channel, thread_ts) if is_ours else None


def find_event_ts(body: Body) -> Ts | None:
    """Return when an event happened, by Slack's clock; None if the payload does not say."""
    return read_ts(body, "event", "event_ts")


def parse_command(body: Body, now: datetime) -> SlashCommand | IgnoredPayload:
    """Parse a slash command.

    A command carries no time, so it gets `now`, the present time by Slack's clock.
    """
    person, channel = (read_user(body, "user_id"), read_channel(body, "channel_id"))
    trigger = read_text(body, "trigger_id")
    if person is None or channel is None or not trigger:
        return IgnoredPayload("a command without person, channel or trigger")
    requester = Requester(
        person=person,
        channel=channel,
        at=ts_of(now),
        response_url=read_url(body, "response_url"),
        surface="command",
    )
    return SlashCommand(requester, read_text(body, "text"), trigger, delivery=trigger)


def parse_click(body: Body) -> Click | IgnoredPayload:
    """Parse a pressed button or a used menu."""
    action = next(iter(read_objects(body, "actions")), {})
    (action_id, value), person = read_pressed(action, Button.MENU), read_user(body, "user", "id")
    action_ts = read_ts(action, "action_ts")
    if person is None or not action_id or action_ts is None:
        return IgnoredPayload("a click without person, action or ts")
    place, view = read_object(body, "container"), read_object(body, "view")
    thread_ts = read_ts(place, "thread_ts") or read_ts(body, "message", "thread_ts")
    message_ts = read_ts(place, "message_ts")
    if thread_ts == message_ts:
        thread_ts = None  # A root message counts as a message of the channel, even if it has replies.
    return Click(
        button=Button.from_action_id(action_id),
        action_id=action_id,
        value=value,
        person=person,
        trigger_id=read_text(body, "trigger_id"),
        action_ts=action_ts,
        delivery=f"{action_ts}:{person}",
        channel=read_channel(body, "channel", "id") or read_channel(place, "channel_id"),
        thread_ts=thread_ts,
        message_ts=message_ts,
        private_metadata=read_text(view, "private_metadata"),
        response_url=read_url(body, "response_url"),
        view_id=read_text(view, "id") or None,
        values=read_entered_values(read_object(view, "state") or read_object(body, "state")),
        is_public=message_ts is not None and not read_flag(place, "is_ephemeral"),
        is_card_menu=read_text(action, "action_id") == Button.MENU and not read_flag(place, "is_ephemeral"),
    )


def parse_submission(body: Body) -> Submission | IgnoredPayload:
    """Parse a submitted dialog."""
    view = read_object(body, "view")
    person, callback = (read_user(body, "user", "id"), read_text(view, "callback_id"))
    view_id, view_hash = read_text(view, "id"), read_text(view, "hash")
    if person is None or not view_id:
        return IgnoredPayload("a submission without person or view")
    if callback not in list(Dialog):
        return IgnoredPayload("not a dialog of ours")
    return Submission(
        dialog=Dialog(callback),
        values=read_entered_values(read_object(view, "state")),
        private_metadata=read_text(view, "private_metadata"),
        person=person,
        delivery=f"{view_id}:{view_hash}",
    )


def _find_bot_user(body: Body) -> UserId | None:
    """Return the bot's own user from an event's authorizations; None if no authorization names it."""
    return next(
        (read_user(row, "user_id") for row in read_objects(body, "authorizations") if row.get("is_bot")), None
    )


_MessageFields = tuple[ChannelId, Ts, UserId, str, str, str, tuple[FileRef, ...]]


def _parse_message_fields(
    message: Body, channel: ChannelId, bot_user: UserId | None
) -> _MessageFields | IgnoredPayload:
    """Return the fields of a message that a person has written, in the order of `WrittenMessage`.

    Return an IgnoredPayload if no person wrote the message, or if the message is empty.
    """
    ts, person = read_ts(message, "ts"), read_user(message, "user")
    subtype = read_text(message, "subtype")
    if is_from_bot(message) or person == "USLACKBOT" or (person is not None and person == bot_user):
        return IgnoredPayload("written by a bot")
    if subtype not in _WRITTEN_SUBTYPES:
        return IgnoredPayload(f"subtype {subtype[:40]}")
    if ts is None or person is None:
        return IgnoredPayload("no person or ts")
    text, files = read_text(message, "text"), read_files(message)
    if not text and not files:
        return IgnoredPayload("empty")
    return (channel, ts, person, text, _delivery_id(channel, ts), read_blocks_json(message), files)


def _delivery_id(channel: ChannelId, ts: Ts, what: str = "") -> str:
    return f"{channel}:{ts}:{what}" if what else f"{channel}:{ts}"


def _parse_written(
    event: Body, channel: ChannelId, bot_user: UserId | None
) -> ThreadMessage | DirectMessage | IgnoredPayload:
    words = _parse_message_fields(event, channel, bot_user)
    if isinstance(words, IgnoredPayload):
        return words
    ts, thread_ts = words[1], read_ts(event, "thread_ts")
    is_bot_thread = _may_be_bot_thread(event, bot_user)
    is_reply = thread_ts is not None and thread_ts != ts
    if read_text(event, "channel_type") == "im" and not (is_reply and is_bot_thread):
        return DirectMessage(*words, thread_ts=thread_ts if is_reply else None)
    if thread_ts is None or not is_reply:
        return IgnoredPayload("not in a thread")
    return ThreadMessage(*words, thread_ts=thread_ts, is_bot_thread=is_bot_thread)


def _parse_changed(
    event: Body, channel: ChannelId, bot_user: UserId | None
) -> MessageEdited | MessageDeleted | IgnoredPayload:
    now, before = (read_object(event, "message"), read_object(event, "previous_message"))
    ts, thread_ts = read_ts(now, "ts"), read_ts(now, "thread_ts")
    if read_text(now, "subtype") == "tombstone":
        return _parse_deleted(event, before, channel, ts, bot_user)
    # Slack also sends this event for an unfurled link, a first reply and a pin. A person can change only the
    # text and the files.
    is_same = read_text(now, "text") == read_text(before, "text")
    if is_same and _file_ids(now) == _file_ids(before):
        return IgnoredPayload("nothing that a person changed")
    words = _parse_message_fields(now, channel, bot_user)
    if isinstance(words, IgnoredPayload):
        return words
    edited_ts = read_ts(now, "edited", "ts") or read_ts(event, "event_ts") or read_ts(event, "ts")
    if thread_ts is None or thread_ts == ts or edited_ts is None:
        return IgnoredPayload("not in a thread")
    channel, ts, person, text, _, blocks, files = words
    delivery = _delivery_id(channel, ts, f"edited:{edited_ts}")
    is_ours = _may_be_bot_thread(now, bot_user)
    written = (channel, ts, person, text, delivery, blocks, files)
    return MessageEdited(*written, thread_ts=thread_ts, edited_ts=edited_ts, is_bot_thread=is_ours)


def _file_ids(message: Body) -> list[str]:
    return [read_text(row, "id") for row in read_objects(message, "files")]


def _parse_deleted(
    event: Body, before: Body, channel: ChannelId, ts: Ts | None, bot_user: UserId | None
) -> MessageDeleted | IgnoredPayload:
    thread_ts = read_ts(before, "thread_ts")
    if is_from_bot(before):
        return IgnoredPayload("written by a bot")
    if ts is None or thread_ts is None:
        return IgnoredPayload("not in a thread")
    at = read_ts(event, "event_ts") or ts
    is_ours = _may_be_bot_thread(before, bot_user)
    delivery, person = _delivery_id(channel, ts, "deleted"), read_user(before, "user")
    return MessageDeleted(channel, thread_ts, ts, delivery, at, is_ours, person)


def _may_be_bot_thread(reply: Body, bot_user: UserId | None) -> bool:
    """Return whether the bot may have begun a reply's thread: True if the payload names nobody else."""
    return bot_user is not None and read_user(reply, "parent_user_id") in (None, bot_user)
