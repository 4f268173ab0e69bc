"""Types for ids of Slack and Coder, and conversions of Slack's timestamps (ts)."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NewType

UserId = NewType("UserId", str)
ChannelId = NewType("ChannelId", str)
Ts = NewType("Ts", str)
TaskId = NewType("TaskId", str)
LinkId = NewType("LinkId", str)


# An id is accepted only if none of its characters can end a mention's token.
_CHANNEL = re.compile(r"[CDG][A-Za-z0-9_-]{1,40}")
_TS = re.compile(r"[0-9]{1,10}\.[0-9]{1,9}", re.ASCII)
# In microseconds: the year 2041. A score in a queue can hold no later time (`queues.LANE_WIDTH`).
_LATEST = 2**51


@dataclass(frozen=True)
class ThreadRef:
    """A thread in Slack: its channel and the ts of its first message."""

    channel: ChannelId
    ts: Ts


def find_channel(text: str) -> ChannelId | None:
    """Return the text as the id of a channel; None if the text is not such an id."""
    return ChannelId(text) if _CHANNEL.fullmatch(text) else None


def find_ts(text: str) -> Ts | None:
    """Return the text as the ts of a message; None if the text is not a ts."""
    return Ts(text) if _TS.fullmatch(text) and microseconds(text) < _LATEST else None


def microseconds(ts: str) -> int:
    """Convert a ts to whole microseconds since 1970. A float of seconds would not be exact enough."""
    seconds, _, fraction = ts.partition(".")
    return int(seconds) * 1_000_000 + int(fraction.ljust(6, "0")[:6] or "0")


def ts_of(moment: datetime) -> Ts:
    """Convert a time to one of Slack's timestamps."""
    return Ts(f"{moment.timestamp():.6f}")


def moment_of(ts: str) -> datetime:
    """Convert a ts to a time in UTC."""
    return datetime.fromtimestamp(microseconds(ts) / 1_000_000, UTC)


def from_ms(milliseconds: int) -> datetime:
    """Convert Unix milliseconds to a time in UTC."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def to_ms(moment: datetime) -> int:
    """Convert a time to Unix milliseconds."""
    return round(moment.timestamp() * 1000)
