"""How long ended links and excerpts are kept, and a sweep that shortens their times to live in Redis.

A link or an excerpt gets a time to live when it ends, and Redis removes it without this sweep. But an
operator may shorten the settings later. Then the sweep shortens the times to live that are longer than the
new setting. A longer setting applies only to links and excerpts that end after the change. Every process of a
deployment sweeps, one part of the store in each `look`. The entries of the audit trail are trimmed by
`audit.py`; the names of tasks beside it are keys that this sweep shortens.
"""

import time
from dataclasses import dataclass
from typing import Final, Self, cast

from taskwire.domain.durations import DAY_MS
from taskwire.queue.scripts import Clock, Script, load_script
from taskwire.redis.connection import Connections
from taskwire.redis.keys import Keys
from taskwire.settings import Settings
from taskwire.state.audit import TASK_NAMES
from taskwire.telemetry import logger

# The note with the steps of an agent before its answer. `Show steps` reads it.
STEPS: Final = "steps"
# The note that leads from a detached task to its former link.
DETACHED_LINK: Final = "detached_link"
# How many keys of Redis one `look` covers, and how many keys one SCAN lists.
KEYS_PER_LOOK, KEYS_PER_CALL = 2_000, 500
# The time from the end of one round through the store to the start of the next round, in seconds.
ROUND_SECONDS = 3_600.0

_SHORTEN = load_script("state/retention.shorten")
_log = logger("taskwire.state.retention")


@dataclass(frozen=True)
class KeptTimes:
    """How long an ended link, excerpts of logs, and the audit trail's names are kept, in milliseconds."""

    ended_ms: int = 30 * DAY_MS
    excerpt_ms: int = 7 * DAY_MS
    audit_ms: int = 365 * DAY_MS

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return the times that the operator has set."""
        return cls(settings.ended_days * DAY_MS, settings.excerpt_days * DAY_MS, settings.audit_days * DAY_MS)


class Retention:
    """Shortens the times to live of one workspace's ended links and excerpts."""

    def __init__(self, connections: Connections, keys: Keys, clock: Clock, kept: KeptTimes) -> None:
        self._redis = connections.commands
        self._keys = keys
        self._shorten = Script(connections.commands, keys, clock, _SHORTEN)
        self._most_by_beginning = {
            keys.named("link", ""): kept.ended_ms,
            keys.named("thread", ""): kept.ended_ms,
            keys.named("gone_task", ""): kept.ended_ms,
            keys.named("notes", DETACHED_LINK, ""): kept.ended_ms,
            keys.named("notes", STEPS, ""): kept.excerpt_ms,
            keys.named(TASK_NAMES, ""): kept.audit_ms,
        }
        self._cursor = 0
        self._next_round = 0.0
        self._shortened = 0

    async def look(self) -> None:
        """Sweep one part of the store, unless a round through the store has ended within the last hour."""
        if not self._cursor and time.monotonic() < self._next_round:
            return
        for _ in range(KEYS_PER_LOOK // KEYS_PER_CALL):
            found = await self._redis.scan(self._cursor, match=f"{self._keys.prefix}*", count=KEYS_PER_CALL)
            self._cursor, names = cast("tuple[int, list[str]]", found)
            await self._shorten_all(names)
            if not self._cursor:
                self._end_round()
                return

    async def _shorten_all(self, names: list[str]) -> None:
        for beginning, most_ms in self._most_by_beginning.items():
            wanted = [name for name in names if name.startswith(beginning)]
            if wanted:
                self._shortened += cast("int", await self._shorten(most_ms, *wanted))

    def _end_round(self) -> None:
        self._next_round = time.monotonic() + ROUND_SECONDS
        if self._shortened:
            _log.info(
                "retention settings were shortened, stored data now expires earlier", keys=self._shortened
            )
        self._shortened = 0
