"""Typed values for what Slack's answers say about workspaces, users, channels and messages.

They have only the fields that Taskwire needs. An answer without a required field raises
`UnexpectedSlackAnswer`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict

from taskwire.domain.ids import ChannelId, Ts, UserId, microseconds
from taskwire.slack import payload_fields
from taskwire.slack.errors import UnexpectedSlackAnswer

SlackAnswer = Mapping[str, object]


@dataclass(frozen=True)
class Identity:
    """The bot's own user and the workspace in which it is installed."""

    team_id: str
    team_name: str
    bot_user_id: UserId
    bot_id: str
    enterprise_id: str | None = None
    # The app is installed for a whole organization instead of this one workspace.
    is_org_wide: bool = False


class Profile(BaseModel):
    """A person or a bot. `is_guest` is true for both kinds of guests that Slack has.

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
    teams: frozenset[str] = frozenset()


class Channel(BaseModel):
    """A conversation, as the bot sees it.

    `is_public`: every member of the workspace can read it. `is_shared`: people of another company can read
    it. `other` is the other person in a direct conversation.
    """

    model_config = ConfigDict(frozen=True)

    id: ChannelId
    name: str
    is_public: bool = False
    is_shared: bool = False
    other: UserId | None = None


def identity(answer: SlackAnswer) -> Identity:
    """Parse the answer of auth.test."""
    bot_user = payload_fields.user(answer, "user_id")
    # An app that is installed for an organization may have no workspace of its own.
    team = payload_fields.text(answer, "team_id") or payload_fields.text(answer, "enterprise_id")
    if bot_user is None or not team:
        raise UnexpectedSlackAnswer("auth.test", "the answer is not whole")
    return Identity(
        team_id=team,
        team_name=payload_fields.text(answer, "team"),
        bot_user_id=bot_user,
        bot_id=payload_fields.text(answer, "bot_id"),
        enterprise_id=payload_fields.text(answer, "enterprise_id") or None,
        is_org_wide=payload_fields.flag(answer, "is_enterprise_install"),
    )


def profile(answer: SlackAnswer) -> Profile:
    """Parse the answer of users.info."""
    found = _profile(payload_fields.part(answer, "user"))
    if found is None:
        raise UnexpectedSlackAnswer("users.info", "no user in the answer")
    return found


def profiles(answer: SlackAnswer) -> tuple[Profile, ...]:
    """Parse the answer of users.list."""
    found = (_profile(row) for row in payload_fields.rows(answer, "members"))
    return tuple(each for each in found if each is not None)


def _profile(told: SlackAnswer) -> Profile | None:
    found = payload_fields.user(told, "id")
    if found is None:
        return None
    name = payload_fields.text(told, "name")
    return Profile(
        id=found,
        name=payload_fields.text(told, "profile", "display_name") or name,
        real_name=payload_fields.text(told, "real_name")
        or payload_fields.text(told, "profile", "real_name")
        or name,
        email=payload_fields.text(told, "profile", "email") or None,
        # An answer without this field does not confirm the address.
        is_email_confirmed=payload_fields.flag(told, "is_email_confirmed"),
        # Slackbot has no flag that says it is a bot.
        is_bot=payload_fields.flag(told, "is_bot")
        or payload_fields.flag(told, "is_workflow_bot")
        or found == "USLACKBOT",
        is_guest=payload_fields.flag(told, "is_restricted")
        or payload_fields.flag(told, "is_ultra_restricted"),
        is_stranger=payload_fields.flag(told, "is_stranger"),
        is_deleted=payload_fields.flag(told, "deleted"),
        teams=frozenset(
            team
            for team in (
                payload_fields.text(told, "team_id"),
                *payload_fields.strings(told, "enterprise_user", "teams"),
            )
            if team
        ),
    )


def channel(answer: SlackAnswer) -> Channel:
    """Parse the answer of conversations.info."""
    told = payload_fields.part(answer, "channel")
    found = payload_fields.channel(told, "id")
    if found is None:
        raise UnexpectedSlackAnswer("conversations.info", "no channel in the answer")
    is_direct = payload_fields.flag(told, "is_im") or payload_fields.flag(told, "is_mpim")
    return Channel(
        id=found,
        name=payload_fields.text(told, "name"),
        is_public=payload_fields.at(told, "is_private") is False and not is_direct,
        is_shared=payload_fields.flag(told, "is_ext_shared"),
        other=payload_fields.user(told, "user") if payload_fields.flag(told, "is_im") else None,
    )


def share(answer: SlackAnswer, channel_id: ChannelId) -> Ts | None:
    """Return the first message of a channel that shows a file, from the answer of files.info."""
    shares = payload_fields.part(answer, "file", "shares")
    shown = [row for reach in ("public", "private") for row in payload_fields.rows(shares, reach, channel_id)]
    found = [ts for row in shown if (ts := payload_fields.ts(row, "ts"))]
    return min(found, default=None)


def need_text(method: str, answer: SlackAnswer, *path: str) -> str:
    """Return the string at a path. Raises `UnexpectedSlackAnswer` if it is missing or empty."""
    found = payload_fields.text(answer, *path)
    if not found:
        raise UnexpectedSlackAnswer(method, f"ok, but without {'.'.join(path)}")
    return found


def need_ts(method: str, answer: SlackAnswer, *path: str) -> Ts:
    """Return the ts at a path. Raises `UnexpectedSlackAnswer` if it is missing."""
    found = payload_fields.ts(answer, *path)
    if found is None:
        raise UnexpectedSlackAnswer(method, f"ok, but without {'.'.join(path)}")
    return found


class RootsPage(NamedTuple):
    """One page of a channel's top-level messages.

    `latest_replies` has the ts of the last reply to each message; None if there is no reply. `oldest_us` is
    the oldest time that the page covers; 0 if the page reaches the beginning of the channel.
    """

    latest_replies: dict[Ts, Ts | None]
    newest_us: int
    oldest_us: int

    @property
    def span_us(self) -> int:
        """Length of the period that the page covers."""
        return self.newest_us - self.oldest_us

    def covers(self, ts: Ts) -> bool:
        """Return whether a message of this time would be on the page."""
        return microseconds(ts) >= self.oldest_us


def roots(answer: SlackAnswer, latest: Ts) -> RootsPage:
    """Parse a page of a channel's history that ends with `latest`."""
    found: dict[Ts, Ts | None] = {}
    oldest = latest
    for message in payload_fields.rows(answer, "messages"):
        ts, thread_ts = payload_fields.ts(message, "ts"), payload_fields.ts(message, "thread_ts")
        if ts is None:
            continue
        oldest = min(oldest, ts, key=microseconds)
        last = payload_fields.ts(message, "latest_reply")
        # If a message has replies but no `latest_reply`, the time of the last reply is unknown: leave the
        # message out.
        if thread_ts in (None, ts) and (last or not payload_fields.number(message, "reply_count")):
            found[ts] = last
    is_end = not payload_fields.flag(answer, "has_more")
    return RootsPage(found, microseconds(latest), 0 if is_end else microseconds(oldest))
