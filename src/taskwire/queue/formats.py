"""Records which versions of Taskwire use a store, and finds queues that only newer versions can read.

During an upgrade, two versions use one Redis. After a rollback, the older version may run for days. Each
process records its format and the time. The format is a number that grows when an older version cannot read
the data. If a process cannot read the next job of a queue, it moves the queue to a place where only newer
versions look. The queue stays there if a newer version was seen in the last week. `recovery/newer_versions`
decides whom to tell.
"""

from collections.abc import Sequence
from typing import NamedTuple, cast

from taskwire.domain.durations import DAY_MS
from taskwire.domain.errors import UserError
from taskwire.queue import batch
from taskwire.queue.fence import FORMAT, OLDEST_COMPATIBLE_FORMAT
from taskwire.queue.lua_files import load
from taskwire.queue.scripts import Clock, Script, load_script
from taskwire.redis.connection import Connections
from taskwire.redis.keys import Keys

# If a newer version has not been seen for this long, it is not expected any more.
NEWER_VERSION_WAIT_MS = 7 * DAY_MS
# A process records its format at most this often.
PRESENCE_INTERVAL_MS = 5_000
# How long a version may be absent before people are told. An upgrade takes less.
ABSENCE_ALERT_MS = 300_000
# The most queues that one call lists.
MAX_STRANDED = 200

# The constants of `lua/formats.lua`.
CONSTANTS = {"NEWER_VERSION_WAIT_MS": NEWER_VERSION_WAIT_MS}

_NOTE = load("queue/formats.note", **batch.CONSTANTS, PRESENCE_INTERVAL_MS=PRESENCE_INTERVAL_MS)
_LOOK = load_script("queue/formats.look", **CONSTANTS, MAX_STRANDED=MAX_STRANDED)


class StrandedQueue(NamedTuple):
    """A queue whose next job this version cannot read.

    `absent_ms` is the time since a process that can read the job was last seen. If there never was such a
    process, it is the time since the job was first acquired. The job is given up at `until_ms`, in ms since
    1970.
    """

    name: str
    job_id: str
    absent_ms: int
    until_ms: int


class Formats:
    """The formats of the versions of Taskwire that use this Redis."""

    def __init__(self, connections: Connections, keys: Keys, clock: Clock, own_format: int = FORMAT) -> None:
        self.own_format = own_format
        self._note = Script(connections.commands, keys, clock, _NOTE)
        self._look = Script(connections.commands, keys, clock, _LOOK)

    async def record_presence(self) -> None:
        """Record that this process's format is in use. Raises UserError if the format may not use the store.

        The record may stop processes of older versions. So call this only after the process knows that the
        store is its own.
        """
        if refused := await self._check(is_noted=True):
            raise refused

    async def find_refusal(self) -> UserError | None:
        """Return why this process's format may not use the store; None if the format may use it.

        Writes nothing.
        """
        return await self._check(is_noted=False)

    async def require_compatible(self) -> None:
        """Raise UserError if this process's format may not use the store. Writes nothing."""
        if refused := await self.find_refusal():
            raise refused

    async def _check(self, *, is_noted: bool) -> UserError | None:
        newer = await self._note(self.own_format, OLDEST_COMPATIBLE_FORMAT, int(is_noted))
        if not newer:
            return None
        return UserError(
            f"This Redis is used by a newer Taskwire (its data has format {newer}, this one's "
            f"{self.own_format}).",
            "Start that one, or let this one have a Redis of its own.",
        )

    async def list_stranded(self, *, is_read_only: bool = False) -> Sequence[StrandedQueue]:
        """List the queues whose next job only a newer version can read.

        Unless `is_read_only`, also move back the queues whose next job this version can read now.
        """
        now, *found = cast("list[str]", await self._look(self.own_format, int(is_read_only)))
        rows = zip(found[::4], found[1::4], found[2::4], found[3::4], strict=True)
        return [
            StrandedQueue(name, job, int(now) - int(seen), max(int(since), int(seen)) + NEWER_VERSION_WAIT_MS)
            for name, job, since, seen in rows
        ]
