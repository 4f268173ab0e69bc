"""What Slack tells of itself, its people and its places, as far as it is needed here.

Each value is read from one answer; an answer that lacks what it must have is `Nonsense`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict

from taskwire.model.ids import ChannelId, Ts, UserId
from taskwire.slack import reading
from taskwire.slack.errors import Nonsense

Answer = Mapping[str, object]


@dataclass(frozen=True)
class Identity:
    """Who we are in which workspace."""

    team_id: str
    team_name: str
    bot_user_id: UserId
    bot_id: str
    enterprise_id: str | None = None


class Profile(BaseModel):
    """A person or a bot. `is_guest` holds for both of Slack's kinds of guest."""

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
    team_id: str = ""
    enterprise_id: str | None = None


@dataclass(frozen=True)
class Channel:
    """A conversation, as the bot sees it."""

    id: ChannelId
    name: str


def identity(answer: Answer) -> Identity:
    """Read auth.test."""
    bot_user = reading.user(answer, "user_id")
    team = reading.text(answer, "team_id")
    if bot_user is None or not team:
        raise Nonsense("auth.test", "the answer is not whole")
    return Identity(
        team_id=team,
        team_name=reading.text(answer, "team"),
        bot_user_id=bot_user,
        bot_id=reading.text(answer, "bot_id"),
        enterprise_id=reading.text(answer, "enterprise_id") or None,
    )


def profile(answer: Answer) -> Profile:
    """Read users.info."""
    told = reading.part(answer, "user")
    found = reading.user(told, "id")
    if found is None:
        raise Nonsense("users.info", "no user in the answer")
    name = reading.text(told, "name")
    return Profile(
        id=found,
        name=reading.text(told, "profile", "display_name") or name,
        real_name=reading.text(told, "real_name") or reading.text(told, "profile", "real_name") or name,
        email=reading.text(told, "profile", "email") or None,
        # Not every answer has it (the reference's example has not): only a plain no leaves the address open.
        is_email_confirmed=reading.at(told, "is_email_confirmed") not in (False, "false"),
        # Slackbot is a bot that does not say so.
        is_bot=reading.flag(told, "is_bot") or reading.flag(told, "is_workflow_bot") or found == "USLACKBOT",
        is_guest=reading.flag(told, "is_restricted") or reading.flag(told, "is_ultra_restricted"),
        is_stranger=reading.flag(told, "is_stranger"),
        is_deleted=reading.flag(told, "deleted"),
        team_id=reading.text(told, "team_id"),
        enterprise_id=reading.text(told, "enterprise_user", "enterprise_id") or None,
    )


def channel(answer: Answer) -> Channel:
    """Read conversations.info."""
    told = reading.part(answer, "channel")
    found = reading.channel(told, "id")
    if found is None:
        raise Nonsense("conversations.info", "no channel in the answer")
    return Channel(id=found, name=reading.text(told, "name"))


def share(answer: Answer, channel_id: ChannelId) -> Ts | None:
    """Read from files.info the first message of a channel that shows the file."""
    shares = reading.part(answer, "file", "shares")
    shown = [row for reach in ("public", "private") for row in reading.rows(shares, reach, channel_id)]
    found = [ts for row in shown if (ts := reading.ts(row, "ts"))]
    return min(found, default=None)


def need_text(method: str, answer: Answer, *path: str) -> str:
    """Return the string without which this answer is no success."""
    found = reading.text(answer, *path)
    if not found:
        raise Nonsense(method, f"ok, but without {'.'.join(path)}")
    return found


def need_ts(method: str, answer: Answer, *path: str) -> Ts:
    """Return the ts without which this answer is no success."""
    found = reading.ts(answer, *path)
    if found is None:
        raise Nonsense(method, f"ok, but without {'.'.join(path)}")
    return found
