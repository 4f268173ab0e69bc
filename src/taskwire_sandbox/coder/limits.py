"""The API's rate limit: a number of requests a minute for each user and path, in a sliding window."""

from datetime import datetime

WINDOW_SECONDS = 60
# The number of counted keys above which old keys are dropped.
PRUNE_ABOVE = 20_000


class RateLimit:
    """Counts requests by key (user and path) in a sliding window of one minute.

    The window is an estimate, as in Coder. For example, 15 seconds after the start of a minute, three
    quarters of the previous minute's requests still count.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._counts: dict[tuple[str, str], tuple[int, int, int]] = {}

    def take(self, key: tuple[str, str], now: datetime) -> tuple[bool, dict[str, str]]:
        """Return whether a request may pass, and the rate limit headers of its answer.

        Count the request only if it may pass.
        """
        if self.limit <= 0:
            return True, {}
        seconds = now.timestamp()
        minute, into = divmod(seconds, WINDOW_SECONDS)
        current, before = self._window(key, int(minute))
        rate = before * (WINDOW_SECONDS - into) / WINDOW_SECONDS + current
        may_pass = rate + 1 <= self.limit
        if may_pass:
            self._counts[key] = (int(minute), current + 1, before)
        left = max(0, int(self.limit - rate - 1)) if may_pass else 0
        headers = {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(left),
            "X-RateLimit-Reset": str(int((minute + 1) * WINDOW_SECONDS)),
        }
        if not may_pass:
            headers["Retry-After"] = str(WINDOW_SECONDS)
        return may_pass, headers

    def _window(self, key: tuple[str, str], minute: int) -> tuple[int, int]:
        if len(self._counts) > PRUNE_ABOVE:
            self._counts = {k: row for k, row in self._counts.items() if row[0] >= minute - 1}
        last, current, before = self._counts.get(key, (minute, 0, 0))
        if last == minute:
            return current, before
        return 0, current if last == minute - 1 else 0
