"""One clock for the bots, the store and both stand-ins: real time and what the proof has let pass.

The bots are processes of their own, so what has passed stands in a file that all of them map.
"""

import math
import mmap
import struct
import time
from datetime import UTC, datetime
from pathlib import Path

_SECONDS = struct.Struct("d")


class SharedClock:
    """Runs as real time does, and can be moved on by whoever holds its file."""

    def __init__(self, path: Path) -> None:
        if not path.exists():
            path.write_bytes(_SECONDS.pack(0.0))
        with path.open("r+b") as file:
            self._passed = mmap.mmap(file.fileno(), _SECONDS.size)

    def time(self) -> float:
        """Seconds since 1970, for Slack's stand-in."""
        return time.time() + self._ahead

    def now(self) -> datetime:
        """The present, for Coder's stand-in."""
        return datetime.fromtimestamp(self.time(), UTC)

    def stamp(self) -> str:
        """Milliseconds since 1970, for the store's scripts."""
        return str(self.now_ms)

    @property
    def now_ms(self) -> int:
        """Milliseconds since 1970."""
        return int(self.time() * 1000)

    def move_to(self, ms: float) -> None:
        """Move on until it is (just) later than this; what has passed already changes nothing."""
        ahead = math.ceil(ms + 1) / 1000 - time.time()
        _SECONDS.pack_into(self._passed, 0, max(ahead, self._ahead))

    @property
    def _ahead(self) -> float:
        return float(_SECONDS.unpack_from(self._passed)[0])
