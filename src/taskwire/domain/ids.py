"""Types for Slack's and Coder's ids, places in Slack, and times as Slack writes them."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NewType

UserId = NewType("UserId", str)
ChannelId = NewType("ChannelId", str)
Ts = NewType("Ts", str)
TaskId = NewType("TaskId", str)
LinkId = NewType("LinkId", str)


# Ids are accepted in any form that cannot break out of a mention.
_CHANNEL = re.compile(r"[CDG][A-Za-z0-9_-]{1,40}")
_TS = re.compile(r"[0-9]{1,10}\.[0-9]{1,9}", re.ASCII)
# In microseconds: the year 2041. The order of a queue has no room for more (`jobs.LANE_WIDTH`).
_LATEST = 2**51


@dataclass(frozen=True)
class ThreadRef:
    """A place in Slack: a channel and the ts of its root message."""

    channel: ChannelId
    ts: Ts


def find_channel(text: str) -> ChannelId | None:
    """Return the text as a channel's id, or None if it is none."""
    return ChannelId(text) if _CHANNEL.fullmatch(text) else None


def find_ts(text: str) -> Ts | None:
    """Return the text as a message's ts, or None if Slack could not have written it."""
    return Ts(text) if _TS.fullmatch(text) and microseconds(text) < _LATEST else None


def microseconds(ts: str) -> int:
    """Convert a Slack ts to whole microseconds, so that ordering needs no floating point."""
    seconds, _, fraction = ts.partition(".")
    return int(seconds) * 1_000_000 + int(fraction.ljust(6, "0")[:6] or "0")


def ts_of(moment: datetime) -> Ts:
    """Convert a moment to a ts as Slack would write it."""
    return Ts(f"{moment.timestamp():.6f}")


def moment_of(ts: str) -> datetime:
    """Convert a Slack ts to a moment."""
    return datetime.fromtimestamp(microseconds(ts) / 1_000_000, UTC)


def from_ms(milliseconds: int) -> datetime:
    """Convert milliseconds of Redis's clock to a moment."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def to_ms(moment: datetime) -> int:
    """Convert a moment to milliseconds of Redis's clock."""
    return round(moment.timestamp() * 1000)
