"""The write log: numbers the writing calls of this process. Each call stores its number in Redis.

A data loss always removes the newest writes. So if Redis has the numbers of all recent calls of a process, it
has lost none of that process's writes. `queue/data_loss_detector.py` compares the numbers.
"""

import secrets
import time
from collections import deque

# How many calls the process remembers. Redis stores the numbers of more calls.
MAX_REMEMBERED_CALLS = 2_000
# A process compares its numbers at most this many seconds after it has noticed another server.
COMPARED_WITHIN_SECONDS = 15.0


class WriteLog:
    """The numbers of one process's writing calls, and which of them Redis has answered."""

    def __init__(self) -> None:
        self.id = secrets.token_hex(6)
        self._count = 0
        self._answered: deque[tuple[float, int]] = deque(maxlen=MAX_REMEMBERED_CALLS)

    def next_number(self) -> int:
        """Return a number for a new call."""
        self._count += 1
        return self._count

    def record_answered(self, number: int) -> None:
        """Record that Redis has answered the call with this number."""
        self._answered.append((time.monotonic(), number))

    def find_recent(self) -> tuple[int, ...] | None:
        """Return the call numbers that Redis must have.

        Return None if there were too many calls to remember.
        """
        is_full = len(self._answered) == MAX_REMEMBERED_CALLS
        if is_full and self._answered[0][0] > time.monotonic() - COMPARED_WITHIN_SECONDS:
            return None
        return tuple(number for _, number in self._answered)
