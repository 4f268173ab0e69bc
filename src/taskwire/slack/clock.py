"""Estimates Slack's time from our own clock and from Slack's answers.

Messages and clicks carry Slack's time, and commands carry no time. A command gets the estimated time of its
arrival, so that messages, clicks and commands can be put in order. The `Date` header of an answer shows
Slack's time to the second. The ts of a posted message shows Slack's time more exactly, with an error of at
most the call's duration. Our own clock is not corrected while it agrees with both.
"""

import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from taskwire.domain.ids import Ts, microseconds

# Returned times always increase, unless a clock was set back by more than this. Then the returned times
# follow the clock again.
MOST_SET_BACK = timedelta(seconds=2)
MICROSECOND = timedelta(microseconds=1)


class SlackClock:
    """Slack's clock as one process estimates it. `local_time` returns our own time in seconds since 1970."""

    def __init__(self, local_time: Callable[[], float]) -> None:
        self._local_time = local_time
        # Slack's clock is ahead of ours by at least `_least_ahead` and at most `_most_ahead` seconds.
        self._least_ahead = -math.inf
        self._most_ahead = math.inf
        self._last_returned = datetime.min.replace(tzinfo=UTC)

    def local_time(self) -> float:
        """Return our own time in seconds since 1970."""
        return self._local_time()

    def now(self) -> datetime:
        """Return Slack's time. Each result is later than all results before, unless a clock was set back."""
        now = datetime.fromtimestamp(self._local_time() + self._estimate_ahead(), UTC)
        if now <= self._last_returned < now + MOST_SET_BACK:
            now = self._last_returned + MICROSECOND
        self._last_returned = now
        return now

    def record_answer(self, date: datetime, sent_at: float) -> None:
        """Learn Slack's time from the `Date` header of an answer that has just arrived.

        `sent_at` is our time at the request.
        """
        # A `Date` header has no fractions of a second.
        self._narrow(date.timestamp(), date.timestamp() + 1.0, sent_at)

    def record_post(self, ts: Ts, sent_at: float) -> None:
        """Learn Slack's time from the ts of a message that was just posted.

        `sent_at` is our time at the request.
        """
        at = microseconds(ts) / 1_000_000
        self._narrow(at, at, sent_at)

    def record_payload(self, ts: Ts) -> None:
        """Learn from the ts of a payload that has just arrived.

        Slack's time cannot be earlier than this ts.
        """
        least = microseconds(ts) / 1_000_000 - self._local_time()
        if least <= self._most_ahead:
            self._least_ahead = max(self._least_ahead, least)

    def _narrow(self, earliest: float, latest: float, sent_at: float) -> None:
        least, most = earliest - self._local_time(), latest - sent_at
        if least > self._most_ahead or most < self._least_ahead:
            # The new bounds contradict the old bounds, so one of the clocks was set. The old bounds are wrong
            # now.
            self._least_ahead, self._most_ahead = least, most
        else:
            self._least_ahead, self._most_ahead = max(self._least_ahead, least), min(self._most_ahead, most)

    def _estimate_ahead(self) -> float:
        if self._least_ahead <= 0 <= self._most_ahead:
            return 0.0
        if math.isinf(self._most_ahead) or math.isinf(self._least_ahead):
            return self._least_ahead if self._least_ahead > 0 else self._most_ahead
        return (self._least_ahead + self._most_ahead) / 2
