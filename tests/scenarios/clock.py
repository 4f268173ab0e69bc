"""A clock that runs and can be moved on: for the store, for Coder and for Slack at once."""

import math
import time
from datetime import UTC, datetime


class WorldClock:
    """Real time plus what a story has let pass; the bot's own clock may be off by some seconds."""

    def __init__(self, bot_is_off: float = 0.0) -> None:
        self._passed = 0.0
        self.bot_is_off = bot_is_off

    def time(self) -> float:
        """Seconds since 1970, for Slack's stand-in."""
        return time.time() + self._passed

    def now(self) -> datetime:
        """The present, for Coder's stand-in."""
        return datetime.fromtimestamp(self.time(), UTC)

    def stamp(self) -> str:
        """Milliseconds since 1970, for the bot and its store."""
        return str(int((self.time() + self.bot_is_off) * 1000))

    @property
    def passed_ms(self) -> int:
        """How far the bot is ahead of real time, rounded up: nothing it stamps is later than that."""
        return math.ceil((self._passed + self.bot_is_off) * 1000) + 1

    def passes(self, seconds: float) -> None:
        """Move on."""
        self._passed += seconds
