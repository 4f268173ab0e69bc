"""Records the writing calls of this process: each one stores its number in Redis.

After a failover or a restart, Redis has lost nothing of a process if it has the numbers of all calls that it
recently answered, because a loss always removes the newest writes. This module only keeps the numbers;
`queue/data_loss_detector.py` decides when to compare them.
"""

import secrets
import time
from collections import deque

# Number of the latest calls that the process remembers. Redis keeps more of them.
MAX_REMEMBERED_CALLS = 2_000
# A process compares its numbers at most this many seconds after it has noticed another server.
COMPARED_WITHIN_SECONDS = 15.0


class WriteLog:
    """The writing calls of one process, and which of them were answered."""

    def __init__(self) -> None:
        self.id = secrets.token_hex(6)
        self._count = 0
        self._answered: deque[tuple[float, int]] = deque(maxlen=MAX_REMEMBERED_CALLS)

    def next_number(self) -> int:
        """Return the number of the next call."""
        self._count += 1
        return self._count

    def record_answered(self, number: int) -> None:
        """Record that a call was carried out."""
        self._answered.append((time.monotonic(), number))

    def find_recent(self) -> tuple[int, ...] | None:
        """Return the calls that must be in Redis; None if there were too many to remember them all."""
        is_full = len(self._answered) == MAX_REMEMBERED_CALLS
        if is_full and self._answered[0][0] > time.monotonic() - COMPARED_WITHIN_SECONDS:
            return None
        return tuple(number for _, number in self._answered)
