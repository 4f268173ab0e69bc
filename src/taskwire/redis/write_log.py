"""What this process has written: each call that writes leaves its number in the store.

A server that is another one, or was started anew, has lost nothing of a process's if it has the numbers of
all calls that it answered lately: what is lost is always what was written last. Ends at the numbers; who has
to find theirs is decided in `rewinds`.
"""

import secrets
import time
from collections import deque

# So many of the latest calls are remembered here, and more than that in the store.
REMEMBERED = 2_000
# A process looks this long after it has found another server, at the latest.
LOOKS_WITHIN_SECONDS = 15.0

LUA = f"""
local stamp, call = ARGV[2]:match('^(%d*) ?(%d*)$')
if call ~= '' then
  local kept = redis.call('LPUSH', KEYS[2], call)
  if kept == 1 then redis.call('PEXPIRE', KEYS[2], 86400000) end
  if kept > 3 * {REMEMBERED} then redis.call('LTRIM', KEYS[2], 0, 2 * {REMEMBERED}) end
end
"""


class WriteLog:
    """The calls of one process that write, and which of them were answered."""

    def __init__(self) -> None:
        self.id = secrets.token_hex(6)
        self._count = 0
        self._answered: deque[tuple[float, int]] = deque(maxlen=REMEMBERED)

    def begin(self) -> int:
        """The number of the next call."""
        self._count += 1
        return self._count

    def answered(self, number: int) -> None:
        """Remember that a call was carried out."""
        self._answered.append((time.monotonic(), number))

    def lately(self) -> tuple[int, ...] | None:
        """The calls that have to be in the store; None if they are too many to be known any more."""
        is_full = len(self._answered) == REMEMBERED
        if is_full and self._answered[0][0] > time.monotonic() - LOOKS_WITHIN_SECONDS:
            return None
        return tuple(number for _, number in self._answered)
