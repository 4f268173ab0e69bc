"""What time it is at Slack: by our own clock, moved no further than Slack's answers demand.

Messages and clicks bear Slack's time, commands bear none; so that they can be ordered among each other, a
command gets the time that Slack's clock shows when it comes. An answer's `Date` tells that to the second,
the ts of a message that we have posted to the duration of the call. A clock of ours that is right to that is
left alone.
"""

import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from taskwire.domain.ids import Ts, microseconds

# Two moments are told in order; but a clock that was set back by more than this goes on from there.
STEP = timedelta(seconds=2)
MICROSECOND = timedelta(microseconds=1)


class SlackClock:
    """Slack's clock, as far as one process knows it. `ours` is seconds since 1970 by our own."""

    def __init__(self, ours: Callable[[], float]) -> None:
        self._ours = ours
        # Slack's clock is ahead of ours by no less and no more than this.
        self._least = -math.inf
        self._most = math.inf
        self._told = datetime.min.replace(tzinfo=UTC)

    def ours(self) -> float:
        """Seconds since 1970 by our own clock."""
        return self._ours()

    def now(self) -> datetime:
        """Slack's time; later than any moment told before, as long as nobody sets a clock."""
        now = datetime.fromtimestamp(self._ours() + self._ahead(), UTC)
        if now <= self._told < now + STEP:
            now = self._told + MICROSECOND
        self._told = now
        return now

    def answered(self, date: datetime, sent: float) -> None:
        """Learn from the `Date` of an answer that has just come, to a call sent at `sent` by our clock."""
        # It is cut to whole seconds.
        self._showed(date.timestamp(), date.timestamp() + 1.0, sent)

    def posted(self, ts: Ts, sent: float) -> None:
        """Learn from the ts that a message has got, in a call sent at `sent` by our clock."""
        at = microseconds(ts) / 1_000_000
        self._showed(at, at, sent)

    def brought(self, ts: Ts) -> None:
        """Learn from something that bears its time and has just come: it is not later than that there."""
        least = microseconds(ts) / 1_000_000 - self._ours()
        if least <= self._most:
            self._least = max(self._least, least)

    def _showed(self, earliest: float, latest: float, sent: float) -> None:
        least, most = earliest - self._ours(), latest - sent
        if least > self._most or most < self._least:
            # One of the clocks has been set.
            self._least, self._most = least, most
        else:
            self._least, self._most = max(self._least, least), min(self._most, most)

    def _ahead(self) -> float:
        if self._least <= 0 <= self._most:
            return 0.0
        if math.isinf(self._most) or math.isinf(self._least):
            return self._least if self._least > 0 else self._most
        return (self._least + self._most) / 2
