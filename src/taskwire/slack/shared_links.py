"""Parses the event of links that a person has posted. Other payloads are in `inbound.py`."""

from collections.abc import Mapping
from dataclasses import dataclass

from taskwire.domain.ids import ChannelId, Ts, UserId
from taskwire.slack.inbound import IgnoredPayload
from taskwire.slack.payload_fields import (
    read_channel,
    read_object,
    read_objects,
    read_text,
    read_ts,
    read_user,
)


@dataclass(frozen=True)
class SharedLinks:
    """Links to a domain of the app's manifest, in a message that a person has posted."""

    delivery: str
    channel: ChannelId
    message_ts: Ts
    person: UserId
    at: Ts
    urls: tuple[str, ...]


def parse_shared_links(body: Mapping[str, object], bot: UserId) -> SharedLinks | IgnoredPayload:
    """Parse the event of a shared link. `bot` is our own user; that user's links are ignored.

    While a person is still typing, Slack sends an event that names no conversation. Such an event is ignored
    too.
    """
    event = read_object(body, "event")
    delivery = read_text(body, "event_id")
    channel, ts = read_channel(event, "channel"), read_ts(event, "message_ts")
    person, at = read_user(event, "user"), read_ts(event, "event_ts")
    if read_text(event, "source") == "composer":
        return IgnoredPayload("a link in a message that is not posted yet")
    if person is None or person == bot:
        return IgnoredPayload("a link of the bot, or of nobody")
    if channel is None or ts is None or not delivery:
        return IgnoredPayload("a link in no message")
    urls = tuple(url for link in read_objects(event, "links") if (url := read_text(link, "url")))
    return SharedLinks(delivery, channel, ts, person, at or ts, urls)
