"""Statistics: how many jobs wait in each kind of queue and for how long, and how many jobs were given up.

This module only reads. It reads at most a thousand queues: those that have been due for longest.
"""

from collections.abc import Mapping
from typing import NamedTuple, cast

from taskwire.queue.scripts import Clock, Script, load_script
from taskwire.redis.connection import Connections
from taskwire.redis.keys import Keys

# The most queues that one call of the script reads, so that it does not block Redis for long.
MAX_QUEUES_READ = 1_000
QUEUE_KINDS = (
    "intake",
    "account",
    "handed_over_answers",
    "direct_messages",
    "home",
    "quiet_hours",
    "channel_messages",
    "waiting_requests",
    "to_coder",
    "to_thread",
    "thread_answers",
    "picked_files",
    "receipts",
    "card",
    "live",
    "session",
    "duplicates",
    "lost_threads",
    "backfill",
)

_READ = load_script("queue/stats.read", MAX_QUEUES_READ=MAX_QUEUES_READ)


class QueueDepth(NamedTuple):
    """How many jobs wait in all queues of one kind, and for how long."""

    jobs: int
    due_seconds: float
    oldest_seconds: float


class QueueDepths(NamedTuple):
    """The waiting jobs by kind of queue, and the number of dead letters. Empty kinds are left out."""

    by_kind: Mapping[str, QueueDepth]
    dead_letters: int


NO_DEPTH = QueueDepth(0, 0.0, 0.0)


class QueueStats:
    """Reads the statistics of one workspace."""

    def __init__(self, connections: Connections, keys: Keys, clock: Clock) -> None:
        self._read = Script(connections.commands, keys, clock, _READ)

    async def read(self) -> QueueDepths:
        """Return the present statistics."""
        letters, *found = cast("list[str]", await self._read())
        rows = zip(found[::4], found[1::4], found[2::4], found[3::4], strict=True)
        lists = {
            kind: QueueDepth(int(jobs), int(due) / 1000, int(oldest) / 1000)
            for kind, jobs, due, oldest in rows
        }
        return QueueDepths(lists, int(letters))
