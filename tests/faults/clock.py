"""The one clock of the bots, the store and both stand-ins: real time plus the time that the test has skipped.

The bots run in other processes, so the skipped time is in a file that all processes map into memory.
"""

import math
import mmap
import struct
import time
from datetime import UTC, datetime
from pathlib import Path

_SECONDS = struct.Struct("d")
# The clock begins a day ahead of real time. Even after it goes back to a snapshot, it is never behind real
# time.
START_SECONDS = 24 * 3600.0


class SharedClock:
    """A clock that runs like real time and can be moved. The skipped time is in a file, and each process that
    maps this file can move the clock."""

    def __init__(self, path: Path) -> None:
        if not path.exists():
            path.write_bytes(_SECONDS.pack(START_SECONDS))
        with path.open("r+b") as file:
            self._passed = mmap.mmap(file.fileno(), _SECONDS.size)

    def time(self) -> float:
        """Return seconds since 1970, for Slack's stand-in."""
        return time.time() + self._ahead

    def now(self) -> datetime:
        """Return the present, for Coder's stand-in."""
        return datetime.fromtimestamp(self.time(), UTC)

    def stamp(self) -> str:
        """Return milliseconds since 1970, for the store's scripts."""
        return str(self.now_ms)

    @property
    def now_ms(self) -> int:
        """Return milliseconds since 1970."""
        return int(self.time() * 1000)

    def move_to(self, ms: float) -> None:
        """Move the clock to just after this time. If the clock is already later, change nothing."""
        ahead = math.ceil(ms + 1) / 1000 - time.time()
        _SECONDS.pack_into(self._passed, 0, max(ahead, self._ahead))

    def go_back_to(self, ms: int) -> None:
        """Set the clock back to this time. No bot may be running."""
        _SECONDS.pack_into(self._passed, 0, ms / 1000 - time.time())

    @property
    def _ahead(self) -> float:
        return float(_SECONDS.unpack_from(self._passed)[0])
