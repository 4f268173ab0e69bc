"""Where ids and timestamps come from.

People and places have ids that are the same in every run, so that a stored link still means something after
the demo restarts. What a bot remembers in order to recognise repetitions (events, triggers, views, files) is
random: a second run must never look like a repetition of the first.
"""

import secrets
import time
from collections import Counter
from collections.abc import Callable

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_MICROSECONDS = 1_000_000


class Ids:
    """Makes ids in Slack's shapes, and message timestamps that are unique and only ever rise."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.clock = clock
        self._counts: Counter[str] = Counter()
        self._last_microseconds = 0

    def stable(self, prefix: str) -> str:
        """Make the next id of this kind; the same sequence in every run."""
        self._counts[prefix] += 1
        return f"{prefix}0TW{self._counts[prefix]:06d}"

    def unique(self, prefix: str, length: int = 10) -> str:
        """Make an id that no other run will make."""
        return prefix + "".join(secrets.choice(_ALPHABET) for _ in range(length))

    def ts(self) -> str:
        """Make a message timestamp."""
        self._last_microseconds = max(int(self.clock() * _MICROSECONDS), self._last_microseconds + 1)
        return f"{self._last_microseconds // _MICROSECONDS}.{self._last_microseconds % _MICROSECONDS:06d}"
