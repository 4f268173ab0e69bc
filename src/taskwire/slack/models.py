"""What Slack tells of itself, its people and its places, as far as it is needed here.

Each value is read from one answer; an answer that lacks what it must have is `Nonsense`.
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
    """Who we are in which workspace."""

    team_id: str
    team_name: str
    bot_user_id: UserId
    bot_id: str
    enterprise_id: str | None = None
    # Installed for an organization, and not for this one workspace.
    is_org_wide: bool = False


class Profile(BaseModel):
    """A person or a bot. `is_guest` holds for both of Slack's kinds of guest.

    `teams` are the workspaces in which they are members: in an organization there may be several.
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

    `is_public`: every member of the workspace can read it. `is_shared`: people of another company can.
    `other` is with whom we talk in a direct conversation.
    """

    model_config = ConfigDict(frozen=True)

    id: ChannelId
    name: str
    is_public: bool = False
    is_shared: bool = False
    other: UserId | None = None


def identity(answer: SlackAnswer) -> Identity:
    """Read auth.test."""
    bot_user = payload_fields.user(answer, "user_id")
    # Whoever is installed for an organization may belong to no one workspace.
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
    """Read users.info."""
    found = _profile(payload_fields.part(answer, "user"))
    if found is None:
        raise UnexpectedSlackAnswer("users.info", "no user in the answer")
    return found


def profiles(answer: SlackAnswer) -> tuple[Profile, ...]:
    """Read users.list."""
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
        # An answer without it has confirmed nothing.
        is_email_confirmed=payload_fields.flag(told, "is_email_confirmed"),
        # Slackbot is a bot that does not say so.
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
    """Read conversations.info."""
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
    """Read from files.info the first message of a channel that shows the file."""
    shares = payload_fields.part(answer, "file", "shares")
    shown = [row for reach in ("public", "private") for row in payload_fields.rows(shares, reach, channel_id)]
    found = [ts for row in shown if (ts := payload_fields.ts(row, "ts"))]
    return min(found, default=None)


def need_text(method: str, answer: SlackAnswer, *path: str) -> str:
    """Return the string without which this answer is no success."""
    found = payload_fields.text(answer, *path)
    if not found:
        raise UnexpectedSlackAnswer(method, f"ok, but without {'.'.join(path)}")
    return found


def need_ts(method: str, answer: SlackAnswer, *path: str) -> Ts:
    """Return the ts without which this answer is no success."""
    found = payload_fields.ts(answer, *path)
    if found is None:
        raise UnexpectedSlackAnswer(method, f"ok, but without {'.'.join(path)}")
    return found


class RootsPage(NamedTuple):
    """One page of a channel's top: the last reply under each message, None where there is none.

    `oldest_us` is how far back it goes; 0 where the channel begins.
    """

    latest_replies: dict[Ts, Ts | None]
    newest_us: int
    oldest_us: int

    @property
    def span_us(self) -> int:
        """How much time it shows."""
        return self.newest_us - self.oldest_us

    def covers(self, ts: Ts) -> bool:
        """Whether a message of that time would be on it."""
        return microseconds(ts) >= self.oldest_us


def roots(answer: SlackAnswer, latest: Ts) -> RootsPage:
    """Read a page of a channel's history that was asked for from a moment on back."""
    found: dict[Ts, Ts | None] = {}
    oldest = latest
    for message in payload_fields.rows(answer, "messages"):
        ts, thread_ts = payload_fields.ts(message, "ts"), payload_fields.ts(message, "thread_ts")
        if ts is None:
            continue
        oldest = min(oldest, ts, key=microseconds)
        last = payload_fields.ts(message, "latest_reply")
        # Where there are replies and it is not said when the last one came, it is not known.
        if thread_ts in (None, ts) and (last or not payload_fields.number(message, "reply_count")):
            found[ts] = last
    is_end = not payload_fields.flag(answer, "has_more")
    return RootsPage(found, microseconds(latest), 0 if is_end else microseconds(oldest))
