"""Slack's rate limits: a sliding minute for each method by its tier, and posting by channel.

Tiers are those of the method reference. What it calls "special" is chat.postMessage's second a channel (with
a short burst) within "several hundred a minute" of the workspace, and the same generous minute for the rest.
The bursts above a tier that Slack may let pass are not: nobody can count on them. Who was told when to come
back, and comes sooner, is sent away again.
"""

import math
import time
from collections import defaultdict, deque
from collections.abc import Callable

PER_MINUTE = {1: 1, 2: 20, 3: 50, 4: 100, 0: 300}
POST_SECONDS = 1.0
POST_BURST = 3
_MINUTE = 60.0


class Pace:
    """Decides whether a call may go ahead; off unless `is_on`."""

    def __init__(self, *, is_on: bool, clock: Callable[[], float] = time.time) -> None:
        self.is_on = is_on
        self.per_minute = dict(PER_MINUTE)
        self.post_seconds = POST_SECONDS
        self.post_burst = POST_BURST
        self._clock = clock
        self._seen: dict[str, deque[float]] = defaultdict(deque)
        self._next_post: dict[str, float] = {}
        self._closed_until: dict[str, float] = {}

    def wait(self, method: str, tier: int, channel: str) -> int:
        """Count this call, or return the seconds to wait (`Retry-After`)."""
        if not self.is_on:
            return 0
        now, closes = self._clock(), method
        seconds = max(self._closed(method, now), self._wait_for_minute(method, tier, now))
        if not seconds and method == "chat.postMessage":
            closes = f"{method} {channel}"
            seconds = self._closed(closes, now) or self._wait_to_post(channel, now)
        if seconds:
            self.close(closes, math.ceil(seconds))
            return math.ceil(seconds)
        self._seen[method].append(now)
        return 0

    def close(self, what: str, seconds: int) -> None:
        """Let nothing of a method pass before that."""
        self._closed_until[what] = max(self._closed_until.get(what, 0.0), self._clock() + seconds)

    def _closed(self, what: str, now: float) -> float:
        return max(self._closed_until.get(what, 0.0) - now, 0.0)

    def _wait_for_minute(self, method: str, tier: int, now: float) -> float:
        seen = self._seen[method]
        while seen and seen[0] <= now - _MINUTE:
            seen.popleft()
        return seen[0] + _MINUTE - now if len(seen) >= self.per_minute[tier] else 0.0

    def _wait_to_post(self, channel: str, now: float) -> float:
        due = max(self._next_post.get(channel, 0.0), now)
        early = due - now - (self.post_burst - 1) * self.post_seconds
        if early > 0:
            return early
        self._next_post[channel] = due + self.post_seconds
        return 0.0
