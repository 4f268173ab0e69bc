"""Slack's rate limits: a sliding minute for each method, by its tier, and a rate of posts for each channel.

The tiers are those of Slack's method reference. A "special" tier has 300 calls a minute here. For
chat.postMessage, Slack allows one post a second in a channel, with a short burst, within "several hundred a
minute" for the workspace. Slack may allow bursts above a tier. But no app can rely on such bursts, so the
stand-in allows none. If a call comes before its Retry-After has passed, the call is refused again.
"""

import math
import time
from collections import defaultdict, deque
from collections.abc import Callable

# Calls a minute by tier. Tier 0 is "special".
PER_MINUTE = {1: 1, 2: 20, 3: 50, 4: 100, 0: 300}
# Seconds between two posts in a channel, and the number of posts that may come at once.
POST_SECONDS = 1.0
POST_BURST = 3
_MINUTE = 60.0


class MethodRateLimiter:
    """Decides whether a call is allowed. If `is_on` is False, every call is allowed."""

    def __init__(self, *, is_on: bool, clock: Callable[[], float] = time.time) -> None:
        self.is_on = is_on
        self.per_minute = dict(PER_MINUTE)
        self.post_seconds = POST_SECONDS
        self.post_burst = POST_BURST
        self._clock = clock
        self._calls: dict[str, deque[float]] = defaultdict(deque)
        self._next_post: dict[str, float] = {}
        self._blocked_until: dict[str, float] = {}

    def take(self, method: str, tier: int, channel: str) -> int:
        """Count this call and return 0.

        If the call is over a limit, return the seconds to wait (`Retry-After`) instead.
        """
        if not self.is_on:
            return 0
        now, name = self._clock(), method
        seconds = max(self._seconds_blocked(method, now), self._seconds_for_minute(method, tier, now))
        if not seconds and method == "chat.postMessage":
            name = f"{method} {channel}"
            seconds = self._seconds_blocked(name, now) or self._seconds_for_post(channel, now)
        if seconds:
            self.block(name, math.ceil(seconds))
            return math.ceil(seconds)
        self._calls[method].append(now)
        return 0

    def block(self, name: str, seconds: int) -> None:
        """Refuse all calls of the method `name` for `seconds`.

        The name "chat.postMessage C1" means the posts in the channel C1.
        """
        self._blocked_until[name] = max(self._blocked_until.get(name, 0.0), self._clock() + seconds)

    def _seconds_blocked(self, name: str, now: float) -> float:
        return max(self._blocked_until.get(name, 0.0) - now, 0.0)

    def _seconds_for_minute(self, method: str, tier: int, now: float) -> float:
        calls = self._calls[method]
        while calls and calls[0] <= now - _MINUTE:
            calls.popleft()
        return calls[0] + _MINUTE - now if len(calls) >= self.per_minute[tier] else 0.0

    def _seconds_for_post(self, channel: str, now: float) -> float:
        due = max(self._next_post.get(channel, 0.0), now)
        early = due - now - (self.post_burst - 1) * self.post_seconds
        if early > 0:
            return early
        self._next_post[channel] = due + self.post_seconds
        return 0.0
