"""A clock that runs and can be moved on: for the store, for Coder and for Slack at once."""

import math
import time
from datetime import UTC, datetime


class WorldClock:
    """Real time plus what a story has let pass."""

    def __init__(self) -> None:
        self._passed = 0.0

    def time(self) -> float:
        """Seconds since 1970, for Slack's look-alike."""
        return time.time() + self._passed

    def now(self) -> datetime:
        """The present, for Coder's look-alike."""
        return datetime.fromtimestamp(self.time(), UTC)

    def stamp(self) -> str:
        """Milliseconds since 1970, for the store's scripts."""
        return str(int(self.time() * 1000))

    @property
    def passed_ms(self) -> int:
        """How far it is ahead of real time, rounded up, so that nothing stamped here is later than that."""
        return math.ceil(self._passed * 1000) + 1

    def passes(self, seconds: float) -> None:
        """Move on."""
        self._passed += seconds
