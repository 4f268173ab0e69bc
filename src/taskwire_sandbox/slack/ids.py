"""Makes ids and timestamps.

People and conversations have the same ids in every run, so stored links stay valid after the demo restarts.
Ids of events, triggers, views and files are random. The bot stores these ids to recognise repetitions, and a
second run must not look like a repetition of the first run.
"""

import secrets
import time
from collections import Counter
from collections.abc import Callable

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_MICROSECONDS = 1_000_000


class Ids:
    """Makes ids in Slack's formats, and unique message timestamps. Each timestamp is later than the one
    before."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.clock = clock
        self._counts: Counter[str] = Counter()
        self._last_microseconds = 0

    def stable(self, prefix: str) -> str:
        """Return the next id with this prefix. Every run has the same sequence of ids."""
        self._counts[prefix] += 1
        return f"{prefix}0TW{self._counts[prefix]:06d}"

    def unique(self, prefix: str, length: int = 10) -> str:
        """Return an id that only this run makes."""
        return prefix + "".join(secrets.choice(_ALPHABET) for _ in range(length))

    def ts(self) -> str:
        """Return a new timestamp for a message."""
        self._last_microseconds = max(int(self.clock() * _MICROSECONDS), self._last_microseconds + 1)
        return f"{self._last_microseconds // _MICROSECONDS}.{self._last_microseconds % _MICROSECONDS:06d}"
