"""Statistics of the queues: how much work waits in which kind of queue, for how long, and how much was given
up.

It only reads. A look costs the same however many queues there are: it reads a thousand, those first that have
been due for longest.
"""

from collections.abc import Mapping
from typing import NamedTuple, cast

from taskwire.queue.scripts import Clock, Script, load_script
from taskwire.redis.connection import Connections
from taskwire.redis.keys import Keys

MOST_LISTS = 1_000
QUEUES = (
    "intake",
    "handed_over_answers",
    "direct_messages",
    "to_coder",
    "to_thread",
    "thread_answers",
    "receipts",
    "card",
    "duplicates",
    "lost_threads",
    "backfill",
)

_LOOK = load_script("queue/stats.look", MOST_LISTS=MOST_LISTS)


class QueueDepth(NamedTuple):
    """What waits in all lists of one kind, and for how long."""

    jobs: int
    due_seconds: float
    oldest_seconds: float


class QueuesWaiting(NamedTuple):
    """What waits, by kind of list, with nothing for kinds in which nothing does; and the dead letters."""

    lists: Mapping[str, QueueDepth]
    letters: int


NO_DEPTH = QueueDepth(0, 0.0, 0.0)


class QueueStats:
    """Looks at the lists of one workspace."""

    def __init__(self, connections: Connections, keys: Keys, clock: Clock) -> None:
        self._look = Script(connections.commands, keys, clock, _LOOK)

    async def look(self) -> QueuesWaiting:
        """What waits now."""
        letters, *found = cast("list[str]", await self._look())
        rows = zip(found[::4], found[1::4], found[2::4], found[3::4], strict=True)
        lists = {
            kind: QueueDepth(int(jobs), int(due) / 1000, int(oldest) / 1000)
            for kind, jobs, due, oldest in rows
        }
        return QueuesWaiting(lists, int(letters))
