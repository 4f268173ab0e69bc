"""Slack's rate limits: a sliding minute for each method by its tier, and posting by channel.

Tiers are those of the method reference; what it calls "special" is chat.postMessage's second per channel
(with a short burst) and a generous minute for the rest.
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

    def __init__(self, *, is_on: bool, clock: Callable[[], float] = time.monotonic) -> None:
        self.is_on = is_on
        self.per_minute = dict(PER_MINUTE)
        self.post_seconds = POST_SECONDS
        self.post_burst = POST_BURST
        self._clock = clock
        self._seen: dict[str, deque[float]] = defaultdict(deque)
        self._next_post: dict[str, float] = {}

    def wait(self, method: str, tier: int, channel: str) -> int:
        """Count this call, or return the seconds to wait (`Retry-After`)."""
        if not self.is_on:
            return 0
        now = self._clock()
        seen = self._seen[method]
        while seen and seen[0] <= now - _MINUTE:
            seen.popleft()
        if len(seen) >= self.per_minute[tier]:
            return max(1, math.ceil(seen[0] + _MINUTE - now))
        if method == "chat.postMessage" and (seconds := self._wait_to_post(channel, now)):
            return seconds
        seen.append(now)
        return 0

    def _wait_to_post(self, channel: str, now: float) -> int:
        due = max(self._next_post.get(channel, 0.0), now)
        early = due - now - (self.post_burst - 1) * self.post_seconds
        if early > 0:
            return max(1, math.ceil(early))
        self._next_post[channel] = due + self.post_seconds
        return 0
