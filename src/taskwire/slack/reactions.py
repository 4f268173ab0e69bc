"""Parses the events of reactions. Other payloads are in `inbound.py`."""

from collections.abc import Mapping
from dataclasses import dataclass

from taskwire.domain.ids import ChannelId, Ts, UserId
from taskwire.slack.inbound import IgnoredPayload
from taskwire.slack.payload_fields import read_channel, read_object, read_text, read_ts, read_user


@dataclass(frozen=True)
class ReactionAdded:
    """A reaction that a person put on a message.

    `ts` is the ts of the message, `at` the time of the reaction.

    `author` is who wrote the message; None if Slack does not say. `is_on_own` means that the bot may have
    written the message. Slack does not say in which thread the message is.
    """

    channel: ChannelId
    ts: Ts
    name: str
    person: UserId
    at: Ts
    delivery: str
    author: UserId | None
    is_on_own: bool


def parse_reaction(body: Mapping[str, object], bot: UserId) -> ReactionAdded | IgnoredPayload:
    """Parse the event of a new reaction. `bot` is our own user; that user's reactions are ignored."""
    event = read_object(body, "event")
    channel, ts = read_channel(event, "item", "channel"), read_ts(event, "item", "ts")
    person, at = read_user(event, "user"), read_ts(event, "event_ts")
    delivery, author = read_text(body, "event_id"), read_user(event, "item_user")
    if person is None or person == bot:
        return IgnoredPayload("a reaction of the bot, or of nobody")
    if channel is None or ts is None or at is None or not delivery:
        return IgnoredPayload("a reaction on no message")
    return ReactionAdded(
        channel=channel,
        ts=ts,
        # If an emoji has a skin tone, the tone follows the emoji's name.
        name=read_text(event, "reaction").partition("::")[0],
        person=person,
        at=at,
        delivery=delivery,
        author=author,
        is_on_own=author in (None, bot),
    )
