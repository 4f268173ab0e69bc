"""A clock that runs and can be moved forward. The store, Coder and Slack all use it."""

import math
import time
from datetime import UTC, datetime


class WorldClock:
    """Real time plus the time that a story has skipped. The bot's clock can be wrong by `bot_is_off`
    seconds."""

    def __init__(self, bot_is_off: float = 0.0) -> None:
        self._passed = 0.0
        self.bot_is_off = bot_is_off

    def time(self) -> float:
        """Return seconds since 1970, for Slack's stand-in."""
        return time.time() + self._passed

    def now(self) -> datetime:
        """Return the present time, for Coder's stand-in."""
        return datetime.fromtimestamp(self.time(), UTC)

    def stamp(self) -> str:
        """Return milliseconds since 1970, for the bot and its store."""
        return str(int((self.time() + self.bot_is_off) * 1000))

    @property
    def passed_ms(self) -> int:
        """Return by how many milliseconds the bot's clock is ahead of real time, rounded up. No time that the
        bot has written is later than real time plus this number."""
        return math.ceil((self._passed + self.bot_is_off) * 1000) + 1

    def passes(self, seconds: float) -> None:
        """Move the clock forward."""
        self._passed += seconds
