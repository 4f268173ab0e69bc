"""Typed values for the parts of Slack's answers about workspaces, users, channels and messages.

The values have only the fields that Taskwire needs. A function raises `UnexpectedSlackAnswer` if a required
field is missing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, Self

from pydantic import BaseModel, ConfigDict

from taskwire.domain.ids import ChannelId, Ts, UserId, microseconds
from taskwire.slack import inbound
from taskwire.slack.errors import UnexpectedSlackAnswer
from taskwire.slack.payload_fields import (
    read_channel,
    read_flag,
    read_int,
    read_object,
    read_objects,
    read_strings,
    read_text,
    read_ts,
    read_user,
    read_value,
)

SlackAnswer = Mapping[str, object]


@dataclass(frozen=True)
class Identity:
    """The bot's own user, and the workspace in which the bot is installed."""

    team_id: str
    team_name: str
    bot_user_id: UserId
    bot_id: str
    enterprise_id: str | None = None
    # The app is installed for a whole organization instead of this one workspace.
    is_org_wide: bool = False


class Profile(BaseModel):
    """A person or a bot. `is_guest` is true for both of Slack's kinds of guests.

    `teams` are the workspaces of which the person is a member. In an organization there may be several.
    """

    model_config = ConfigDict(frozen=True)

    id: UserId
    name: str
    real_name: str = ""
    email: str | None = None
    is_email_confirmed: bool = False
    is_bot: bool = False
    is_guest: bool = False
    is_stranger: bool = False
    is_deleted: bool = False
    # How far the person's time zone is ahead of UTC now.
    utc_offset_seconds: int = 0
    teams: frozenset[str] = frozenset()
    # The name of the person's time zone.
    time_zone: str = ""


class Channel(BaseModel):
    """A conversation, as the bot sees it.

    `is_public` means that every member of the workspace can read the conversation. `is_shared` means that
    people of another company can read it. `other` is the other person in a direct conversation.
    """

    model_config = ConfigDict(frozen=True)

    id: ChannelId
    name: str
    is_public: bool = False
    is_shared: bool = False
    other: UserId | None = None


def parse_identity(answer: SlackAnswer) -> Identity:
    """Parse the answer of auth.test."""
    bot_user = read_user(answer, "user_id")
    # If an app is installed for an organization, the answer may name no workspace.
    team = read_text(answer, "team_id") or read_text(answer, "enterprise_id")
    if bot_user is None or not team:
        raise UnexpectedSlackAnswer("auth.test", "the answer is not whole")
    return Identity(
        team_id=team,
        team_name=read_text(answer, "team"),
        bot_user_id=bot_user,
        bot_id=read_text(answer, "bot_id"),
        enterprise_id=read_text(answer, "enterprise_id") or None,
        is_org_wide=read_flag(answer, "is_enterprise_install"),
    )


def parse_profile(answer: SlackAnswer) -> Profile:
    """Parse the answer of users.info."""
    found = _find_profile(read_object(answer, "user"))
    if found is None:
        raise UnexpectedSlackAnswer("users.info", "no user in the answer")
    return found


def parse_profiles(answer: SlackAnswer) -> tuple[Profile, ...]:
    """Parse the answer of users.list."""
    found = (_find_profile(row) for row in read_objects(answer, "members"))
    return tuple(each for each in found if each is not None)


def _find_profile(fields: SlackAnswer) -> Profile | None:
    found = read_user(fields, "id")
    if found is None:
        return None
    name = read_text(fields, "name")
    return Profile(
        id=found,
        name=read_text(fields, "profile", "display_name") or name,
        real_name=read_text(fields, "real_name") or read_text(fields, "profile", "real_name") or name,
        email=read_text(fields, "profile", "email") or None,
        # An answer without this field does not confirm the address.
        is_email_confirmed=read_flag(fields, "is_email_confirmed"),
        # Slackbot has no flag that marks it as a bot.
        is_bot=read_flag(fields, "is_bot") or read_flag(fields, "is_workflow_bot") or found == "USLACKBOT",
        is_guest=read_flag(fields, "is_restricted") or read_flag(fields, "is_ultra_restricted"),
        is_stranger=read_flag(fields, "is_stranger"),
        is_deleted=read_flag(fields, "deleted"),
        utc_offset_seconds=read_int(fields, "tz_offset"),
        teams=frozenset(
            team
            for team in (read_text(fields, "team_id"), *read_strings(fields, "enterprise_user", "teams"))
            if team
        ),
        time_zone=read_text(fields, "tz"),
    )


def parse_channel(answer: SlackAnswer) -> Channel:
    """Parse the answer of conversations.info."""
    fields = read_object(answer, "channel")
    found = read_channel(fields, "id")
    if found is None:
        raise UnexpectedSlackAnswer("conversations.info", "no channel in the answer")
    is_direct = read_flag(fields, "is_im") or read_flag(fields, "is_mpim")
    return Channel(
        id=found,
        name=read_text(fields, "name"),
        is_public=read_value(fields, "is_private") is False and not is_direct,
        is_shared=read_flag(fields, "is_ext_shared"),
        other=read_user(fields, "user") if read_flag(fields, "is_im") else None,
    )


def find_share(answer: SlackAnswer, channel_id: ChannelId) -> Ts | None:
    """Return the ts of the first message in a channel that shows a file, from an answer of files.info."""
    shares = read_object(answer, "file", "shares")
    shown = [row for reach in ("public", "private") for row in read_objects(shares, reach, channel_id)]
    found = [ts for row in shown if (ts := read_ts(row, "ts"))]
    return min(found, default=None)


def require_text(method: str, answer: SlackAnswer, *path: str) -> str:
    """Return the string at a path. Raises `UnexpectedSlackAnswer` if the string is missing or empty."""
    found = read_text(answer, *path)
    if not found:
        raise UnexpectedSlackAnswer(method, f"ok, but without {'.'.join(path)}")
    return found


def require_ts(method: str, answer: SlackAnswer, *path: str) -> Ts:
    """Return the ts at a path. Raises `UnexpectedSlackAnswer` if the ts is missing."""
    found = read_ts(answer, *path)
    if found is None:
        raise UnexpectedSlackAnswer(method, f"ok, but without {'.'.join(path)}")
    return found


class UserGroup(NamedTuple):
    """A user group. `members` is empty if they were not asked for."""

    name: str
    members: frozenset[str]

    @classmethod
    def parse(cls, row: Mapping[str, object]) -> Self:
        """Parse a group of `usergroups.list`."""
        return cls(read_text(row, "name"), frozenset(read_strings(row, "users")))


class ThreadReading(NamedTuple):
    """A thread's content: people's replies, oldest first, and the metadata ids of the bot's own messages."""

    replies: list[inbound.ThreadMessage]
    own_message_ids: frozenset[str]


class Traces(NamedTuple):
    """What the bot has left in a thread because of one message.

    `own_reactions` are the bot's reactions on the message. `own_message_ids` are the metadata ids of the
    messages that the bot posted after the message, oldest first.
    """

    own_reactions: frozenset[str]
    own_message_ids: list[str]


class RootsPage(NamedTuple):
    """One page of a channel's top-level messages.

    Fields whose names end with `_us` are microseconds since 1970.

    `latest_replies` has the ts of the last reply to each message; None if there is no reply. `oldest_us` is
    the oldest time that the page covers; 0 if the page reaches the beginning of the channel.
    """

    latest_replies: dict[Ts, Ts | None]
    newest_us: int
    oldest_us: int

    @property
    def span_us(self) -> int:
        """The length of the period that the page covers, in microseconds."""
        return self.newest_us - self.oldest_us

    def covers(self, ts: Ts) -> bool:
        """Return whether the page reaches back to this time."""
        return microseconds(ts) >= self.oldest_us


def parse_roots_page(answer: SlackAnswer, latest: Ts) -> RootsPage:
    """Parse a page of a channel's history that ends with `latest`."""
    found: dict[Ts, Ts | None] = {}
    oldest = latest
    for message in read_objects(answer, "messages"):
        ts, thread_ts = read_ts(message, "ts"), read_ts(message, "thread_ts")
        if ts is None:
            continue
        oldest = min(oldest, ts, key=microseconds)
        last = read_ts(message, "latest_reply")
        # If a message has replies but no `latest_reply`, the time of the last reply is unknown: leave the
        # message out.
        if thread_ts in (None, ts) and (last or not read_int(message, "reply_count")):
            found[ts] = last
    is_end = not read_flag(answer, "has_more")
    return RootsPage(found, microseconds(latest), 0 if is_end else microseconds(oldest))
