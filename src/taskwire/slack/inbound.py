"""Parses Slack's payloads into typed values. No code after this module sees a raw payload.

Nothing here raises, whatever arrives. A payload without meaning for us becomes `Ignored`, with the reason.
`delivery` is the id under which the inbox claims a payload. A message has the same id in its message event,
in its mention and in the history of its thread, so it is handled once, whichever of them arrives first. This
module reads only the payload. It does not look up who a person is or whether a thread is linked.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from taskwire.domain.ids import ChannelId, ThreadRef, Ts, UserId, ts_of
from taskwire.domain.jobs import FileRef, Requester
from taskwire.domain.message import Button, Dialog
from taskwire.slack import payload_fields

Body = Mapping[str, object]

# Subtypes of messages that a person has written: none, with a file, and a reply that is also sent to the
# channel.
_WRITTEN = ("", "file_share", "thread_broadcast")


@dataclass(frozen=True)
class Ignored:
    """A payload without meaning for us. `reason` is for the log."""

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
    """A reply in a thread. `parent_is_bots` is false if the payload shows another author of the root.

    `marks` are our own reactions on the message. Only a message from a thread's history has them.
    """

    thread_ts: Ts
    parent_is_bots: bool
    marks: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True)
class DirectMessage(WrittenMessage):
    """A direct message to the bot, outside the threads that the bot began."""

    thread_ts: Ts | None = None


@dataclass(frozen=True, kw_only=True)
class Mention(WrittenMessage):
    """A message that mentions the bot. Its message event has the same `delivery`."""

    thread_ts: Ts | None = None
    parent_is_bots: bool = False

    def in_thread(self) -> ThreadMessage:
        """Return a mention in a thread as a reply, as if it came from its message event."""
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
            parent_is_bots=self.parent_is_bots,
        )


@dataclass(frozen=True, kw_only=True)
class Edited(WrittenMessage):
    """A reply whose text or files its author has changed."""

    thread_ts: Ts
    edited_ts: Ts
    parent_is_bots: bool = False


@dataclass(frozen=True)
class Deleted:
    """A message of a thread that was deleted. `at` is the time of the deletion."""

    channel: ChannelId
    thread_ts: Ts
    ts: Ts
    delivery: str
    at: Ts
    parent_is_bots: bool = False
    # The author of the deleted message, if Slack names them.
    person: UserId | None = None


@dataclass(frozen=True)
class Opened:
    """A conversation that may accept our messages again: the bot has joined, or it was unarchived."""

    channel: ChannelId
    delivery: str


@dataclass(frozen=True)
class Changed:
    """A user's profile or rights, or the members of a user group, have changed."""

    id: str
    is_group: bool


@dataclass(frozen=True)
class Typed:
    """A slash command."""

    requester: Requester
    text: str
    trigger_id: str
    delivery: str


@dataclass(frozen=True)
class Clicked:
    """A pressed button or a used menu. `button` is None if we do not know its action id.

    `values` is what the person has entered so far in the same dialog or message, by block id.
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
    private_metadata: str
    response_url: str | None
    view_id: str | None
    values: Mapping[str, str]


@dataclass(frozen=True)
class Submitted:
    """A submitted dialog. `values` is what was entered, by block id; several choices are joined by commas."""

    dialog: Dialog
    values: Mapping[str, str]
    private_metadata: str
    person: UserId
    delivery: str


@dataclass(frozen=True)
class Source:
    """The origin of a payload, as far as the payload shows it.

    `team_id` is the workspace to which Slack delivered the payload. `actor_team_id` is the workspace of the
    person who acted; it is None where a shared channel does not name it.
    """

    team_id: str
    enterprise_id: str | None
    actor_team_id: str | None
    is_bot: bool


def message_event(
    body: Body, bot: UserId | None = None
) -> ThreadMessage | DirectMessage | Edited | Deleted | Ignored:
    """Parse a message event. `bot` is our own user; without it, the event's authorization names the user."""
    bot = bot or _bot_user(body)
    event = payload_fields.part(body, "event")
    channel = payload_fields.channel(event, "channel")
    subtype = payload_fields.text(event, "subtype")
    if channel is None:
        return Ignored("no channel")
    if subtype == "message_changed":
        return _changed(event, channel, bot)
    if subtype == "message_deleted":
        before = payload_fields.part(event, "previous_message")
        return _deleted(event, before, channel, payload_fields.ts(event, "deleted_ts"), bot)
    return _written(event, channel, bot)


def opened(body: Body, bot: UserId | None = None) -> Opened | Ignored:
    """Parse the event that somebody has joined a conversation, or that a conversation was unarchived."""
    event = payload_fields.part(body, "event")
    channel, delivery = payload_fields.channel(event, "channel"), payload_fields.text(body, "event_id")
    is_somebody_else = payload_fields.user(event, "user") != (bot or _bot_user(body))
    if payload_fields.text(event, "type") == "member_joined_channel" and is_somebody_else:
        return Ignored("somebody else")
    return Opened(channel, delivery) if channel is not None and delivery else Ignored("no channel")


def changed(body: Body) -> Changed | Ignored:
    """Parse the event that a user's profile or rights, or the members of a user group, have changed."""
    event = payload_fields.part(body, "event")
    person = payload_fields.user(event, "user", "id")
    if person is not None:
        return Changed(person, is_group=False)
    group = payload_fields.text(event, "subteam_id") or payload_fields.text(event, "subteam", "id")
    return Changed(group, is_group=True) if group else Ignored("nobody")


def thread_message(message: Body, channel: ChannelId, bot_user: UserId) -> ThreadMessage | Ignored:
    """Parse a message of a thread's history as its message event would be parsed, with its present text."""
    ts, thread_ts = payload_fields.ts(message, "ts"), payload_fields.ts(message, "thread_ts")
    words = _words(message, channel, bot_user)
    if isinstance(words, Ignored):
        return words
    if thread_ts is None or thread_ts == ts:
        return Ignored("no reply")
    return ThreadMessage(
        *words,
        thread_ts=thread_ts,
        parent_is_bots=_may_be_ours(message, bot_user),
        marks=payload_fields.marks(message, bot_user),
    )


def mention(body: Body, bot: UserId | None = None) -> Mention | Ignored:
    """Parse a mention of the bot. `bot` is our own user."""
    event = payload_fields.part(body, "event")
    channel, bot_user = payload_fields.channel(event, "channel"), bot or _bot_user(body)
    if channel is None:
        return Ignored("no channel")
    words = _words(event, channel, bot_user)
    if isinstance(words, Ignored):
        return words
    thread_ts = payload_fields.ts(event, "thread_ts")
    if thread_ts == payload_fields.ts(event, "ts"):
        thread_ts = None
    parent_is_bots = bot_user is not None and payload_fields.user(event, "parent_user_id") == bot_user
    return Mention(*words, thread_ts=thread_ts, parent_is_bots=parent_is_bots)


def shared_thread(body: Body, bot: UserId) -> ThreadRef | None:
    """Return the thread of a message event, if another company can read it and the bot may have begun it."""
    event = payload_fields.part(body, "event")
    channel, thread_ts = payload_fields.channel(event, "channel"), payload_fields.ts(event, "thread_ts")
    if channel is None or thread_ts is None or not payload_fields.flag(body, "is_ext_shared_channel"):
        return None
    is_ours = payload_fields.user(event, "user") == bot or _may_be_ours(event, bot)
    return ThreadRef(channel, thread_ts) if is_ours else None


def event_ts(body: Body) -> Ts | None:
    """Return when an event happened, by Slack's clock."""
    return payload_fields.ts(body, "event", "event_ts")


def command(body: Body, now: datetime) -> Typed | Ignored:
    """Parse a slash command. A command carries no time, so it gets `now`."""
    person, channel = payload_fields.user(body, "user_id"), payload_fields.channel(body, "channel_id")
    trigger = payload_fields.text(body, "trigger_id")
    if person is None or channel is None or not trigger:
        return Ignored("a command without person, channel or trigger")
    requester = Requester(
        person=person,
        channel=channel,
        at=ts_of(now),
        response_url=payload_fields.text(body, "response_url") or None,
    )
    return Typed(requester, payload_fields.text(body, "text"), trigger, delivery=trigger)


def click(body: Body) -> Clicked | Ignored:
    """Parse a pressed button or a used menu."""
    action = next(iter(payload_fields.rows(body, "actions")), {})
    action_id, action_ts = payload_fields.text(action, "action_id"), payload_fields.ts(action, "action_ts")
    person = payload_fields.user(body, "user", "id")
    if person is None or not action_id or action_ts is None:
        return Ignored("a click without person, action or ts")
    place, view = payload_fields.part(body, "container"), payload_fields.part(body, "view")
    thread_ts = payload_fields.ts(place, "thread_ts") or payload_fields.ts(body, "message", "thread_ts")
    if thread_ts == payload_fields.ts(place, "message_ts"):
        # A root message counts as a message of the channel, even if it has replies.
        thread_ts = None
    return Clicked(
        button=Button(action_id) if action_id in list(Button) else None,
        action_id=action_id,
        value=payload_fields.entered(action),
        person=person,
        trigger_id=payload_fields.text(body, "trigger_id"),
        action_ts=action_ts,
        delivery=f"{action_ts}:{person}",
        channel=payload_fields.channel(body, "channel", "id") or payload_fields.channel(place, "channel_id"),
        thread_ts=thread_ts,
        private_metadata=payload_fields.text(view, "private_metadata"),
        response_url=payload_fields.text(body, "response_url") or None,
        view_id=payload_fields.text(view, "id") or None,
        values=payload_fields.entered_values(
            payload_fields.part(view, "state") or payload_fields.part(body, "state")
        ),
    )


def submission(body: Body) -> Submitted | Ignored:
    """Parse a submitted dialog."""
    view = payload_fields.part(body, "view")
    person, callback = payload_fields.user(body, "user", "id"), payload_fields.text(view, "callback_id")
    view_id, view_hash = payload_fields.text(view, "id"), payload_fields.text(view, "hash")
    if person is None or not view_id:
        return Ignored("a submission without person or view")
    if callback not in list(Dialog):
        return Ignored("not a dialog of ours")
    return Submitted(
        dialog=Dialog(callback),
        values=payload_fields.entered_values(payload_fields.part(view, "state")),
        private_metadata=payload_fields.text(view, "private_metadata"),
        person=person,
        delivery=f"{view_id}:{view_hash}",
    )


def source(body: Body) -> Source:
    """Return the origin of any payload."""
    event = payload_fields.part(body, "event")
    first = next(iter(payload_fields.rows(body, "authorizations")), {})
    team = _team(body, first)
    enterprises = (
        payload_fields.text(first, "enterprise_id"),
        payload_fields.text(body, "enterprise", "id"),
        payload_fields.text(body, "enterprise_id"),
    )
    return Source(
        team_id=team,
        enterprise_id=next((found for found in enterprises if found), None),
        actor_team_id=_actor_team(body, event, team),
        is_bot=bool(event) and any(_is_bots(part) for part in (event, payload_fields.part(event, "message"))),
    )


def _bot_user(body: Body) -> UserId | None:
    """Return our own user. An event's authorization names the installation for which it was delivered."""
    return next(
        (
            payload_fields.user(row, "user_id")
            for row in payload_fields.rows(body, "authorizations")
            if row.get("is_bot")
        ),
        None,
    )


def _team(body: Body, authorization: Body) -> str:
    """Return the workspace to which a payload was delivered.

    In a shared channel, the `team_id` of an event may be the other company's. The `team_id` of its
    authorization is always ours.
    """
    found = (
        payload_fields.text(body, "view", "app_installed_team_id"),
        payload_fields.text(authorization, "team_id"),
        payload_fields.text(body, "team", "id"),
        payload_fields.text(body, "team_id"),
        payload_fields.text(body, "user", "team_id"),
    )
    return next((team for team in found if team), "")


def _actor_team(body: Body, event: Body, team: str) -> str | None:
    """Return the workspace of the person who acted. In Slack Connect only the event's own fields have it."""
    if not event:
        return (
            payload_fields.text(body, "user", "team_id")
            or payload_fields.text(body, "team_id")
            or team
            or None
        )
    told = payload_fields.text(event, "user_team") or payload_fields.text(event, "team")
    if told.startswith("E"):
        # This is the id of an organisation instead of a workspace. Ours is recognised by its own id.
        is_ours = told in (
            payload_fields.text(body, "enterprise_id"),
            payload_fields.text(body, "context_enterprise_id"),
        )
        return team if is_ours else None
    if told:
        return told
    return None if payload_fields.flag(body, "is_ext_shared_channel") else team or None


def _is_bots(message: Body) -> bool:
    return (
        bool(payload_fields.text(message, "bot_id"))
        or payload_fields.text(message, "subtype") == "bot_message"
    )


_Words = tuple[ChannelId, Ts, UserId, str, str, str, tuple[FileRef, ...]]


def _words(message: Body, channel: ChannelId, bot_user: UserId | None) -> _Words | Ignored:
    """Return the fields of every written message, in the order of `WrittenMessage`."""
    ts, person = payload_fields.ts(message, "ts"), payload_fields.user(message, "user")
    subtype = payload_fields.text(message, "subtype")
    if _is_bots(message) or person == "USLACKBOT" or (person is not None and person == bot_user):
        return Ignored("written by a bot")
    if subtype not in _WRITTEN:
        return Ignored(f"subtype {subtype[:40]}")
    if ts is None or person is None:
        return Ignored("no person or ts")
    text, files = payload_fields.text(message, "text"), payload_fields.files(message)
    if not text and not files:
        return Ignored("empty")
    return channel, ts, person, text, _delivery(channel, ts), payload_fields.blocks(message), files


def _delivery(channel: ChannelId, ts: Ts, what: str = "") -> str:
    return f"{channel}:{ts}:{what}" if what else f"{channel}:{ts}"


def _written(
    event: Body, channel: ChannelId, bot_user: UserId | None
) -> ThreadMessage | DirectMessage | Ignored:
    words = _words(event, channel, bot_user)
    if isinstance(words, Ignored):
        return words
    ts, thread_ts = words[1], payload_fields.ts(event, "thread_ts")
    parent_is_bots = _may_be_ours(event, bot_user)
    is_reply = thread_ts is not None and thread_ts != ts
    if payload_fields.text(event, "channel_type") == "im" and not (is_reply and parent_is_bots):
        return DirectMessage(*words, thread_ts=thread_ts if is_reply else None)
    if thread_ts is None or not is_reply:
        return Ignored("not in a thread")
    return ThreadMessage(*words, thread_ts=thread_ts, parent_is_bots=parent_is_bots)


def _changed(event: Body, channel: ChannelId, bot_user: UserId | None) -> Edited | Deleted | Ignored:
    now, before = payload_fields.part(event, "message"), payload_fields.part(event, "previous_message")
    ts, thread_ts = payload_fields.ts(now, "ts"), payload_fields.ts(now, "thread_ts")
    if payload_fields.text(now, "subtype") == "tombstone":
        return _deleted(event, before, channel, ts, bot_user)
    # An unfurled link, a first reply and a pin change a message too. A person changes only its text and its
    # files.
    is_same = payload_fields.text(now, "text") == payload_fields.text(before, "text")
    if is_same and _file_ids(now) == _file_ids(before):
        return Ignored("nothing that a person changed")
    words = _words(now, channel, bot_user)
    if isinstance(words, Ignored):
        return words
    edited_ts = (
        payload_fields.ts(now, "edited", "ts")
        or payload_fields.ts(event, "event_ts")
        or payload_fields.ts(event, "ts")
    )
    if thread_ts is None or thread_ts == ts or edited_ts is None:
        return Ignored("not in a thread")
    channel, ts, person, text, _, blocks, files = words
    delivery = _delivery(channel, ts, f"edited:{edited_ts}")
    is_ours = _may_be_ours(now, bot_user)
    written = (channel, ts, person, text, delivery, blocks, files)
    return Edited(*written, thread_ts=thread_ts, edited_ts=edited_ts, parent_is_bots=is_ours)


def _file_ids(message: Body) -> list[str]:
    return [payload_fields.text(row, "id") for row in payload_fields.rows(message, "files")]


def _deleted(
    event: Body, before: Body, channel: ChannelId, ts: Ts | None, bot_user: UserId | None
) -> Deleted | Ignored:
    thread_ts = payload_fields.ts(before, "thread_ts")
    if _is_bots(before):
        return Ignored("written by a bot")
    if ts is None or thread_ts is None:
        return Ignored("not in a thread")
    at = payload_fields.ts(event, "event_ts") or ts
    is_ours = _may_be_ours(before, bot_user)
    delivery, person = _delivery(channel, ts, "deleted"), payload_fields.user(before, "user")
    return Deleted(channel, thread_ts, ts, delivery, at, is_ours, person)


def _may_be_ours(reply: Body, bot_user: UserId | None) -> bool:
    """Return whether the bot may have begun a reply's thread. Not every payload names the root's author."""
    return bot_user is not None and payload_fields.user(reply, "parent_user_id") in (None, bot_user)
