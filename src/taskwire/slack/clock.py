"""Estimates Slack's time: our own clock, corrected only as far as Slack's answers require.

Messages and clicks carry Slack's time, and commands carry none. A command gets the time that Slack's clock
shows when the command arrives, so that all three can be ordered. The `Date` header of an answer shows Slack's
time to the second. The ts of a posted message shows it to the duration of the call. If our own clock agrees
with these, it is not corrected.
"""

import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from taskwire.domain.ids import Ts, microseconds

# Returned times always increase, unless a clock was set back by more than this. Then they follow the new
# clock.
STEP = timedelta(seconds=2)
MICROSECOND = timedelta(microseconds=1)


class SlackClock:
    """Slack's clock, as far as one process knows it. `ours` returns our own time in seconds since 1970."""

    def __init__(self, ours: Callable[[], float]) -> None:
        self._ours = ours
        # Slack's clock is ahead of ours by at least `_least` and at most `_most` seconds.
        self._least = -math.inf
        self._most = math.inf
        self._told = datetime.min.replace(tzinfo=UTC)

    def ours(self) -> float:
        """Return our own time in seconds since 1970."""
        return self._ours()

    def now(self) -> datetime:
        """Return Slack's time. It is later than every time returned before, unless a clock was set."""
        now = datetime.fromtimestamp(self._ours() + self._ahead(), UTC)
        if now <= self._told < now + STEP:
            now = self._told + MICROSECOND
        self._told = now
        return now

    def answered(self, date: datetime, sent: float) -> None:
        """Learn from the `Date` of an answer that has just arrived. `sent` is our time at the request."""
        # `Date` is cut to whole seconds.
        self._showed(date.timestamp(), date.timestamp() + 1.0, sent)

    def posted(self, ts: Ts, sent: float) -> None:
        """Learn from the ts of a message that was just posted. `sent` is our time at the request."""
        at = microseconds(ts) / 1_000_000
        self._showed(at, at, sent)

    def brought(self, ts: Ts) -> None:
        """Learn from the ts of a payload that has just arrived: Slack's clock shows at least this time."""
        least = microseconds(ts) / 1_000_000 - self._ours()
        if least <= self._most:
            self._least = max(self._least, least)

    def _showed(self, earliest: float, latest: float, sent: float) -> None:
        least, most = earliest - self._ours(), latest - sent
        if least > self._most or most < self._least:
            # The new limits contradict the old ones, so one of the clocks was set. The old limits no longer
            # hold.
            self._least, self._most = least, most
        else:
            self._least, self._most = max(self._least, least), min(self._most, most)

    def _ahead(self) -> float:
        if self._least <= 0 <= self._most:
            return 0.0
        if math.isinf(self._most) or math.isinf(self._least):
            return self._least if self._least > 0 else self._most
        return (self._least + self._most) / 2
