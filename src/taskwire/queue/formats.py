"""The format of the data in Redis: which versions write there, and what only newer ones can read.

During an upgrade two versions work on one Redis, and a rollback brings the older one back for days. Each
process notes its format and when it was last there. An older process leaves what it cannot read where
only newer ones look, as long as one of them may come. `recovery/newer_versions` decides who is told.
"""

from collections.abc import Sequence
from typing import NamedTuple, cast

from taskwire.domain.errors import UserError
from taskwire.queue import batch
from taskwire.queue.fence import FORMAT, GOES_WITH
from taskwire.queue.lua_files import load
from taskwire.queue.scripts import Clock, Script, load_script
from taskwire.redis.connection import Connections
from taskwire.redis.keys import Keys

# A newer version that has not been seen for this long is not expected any more.
WAITED_FOR_MS = 7 * 24 * 3_600_000
# A process notes its format at most this often.
NOTED_EACH_MS = 5_000
# How long a version may be absent before people are told. An upgrade takes less.
ABSENT_MS = 300_000
# The most queues that one look lists.
MOST_LEFT = 200

# The constants of `lua/formats.lua`.
CONSTANTS = {"WAITED_FOR_MS": WAITED_FOR_MS}

_NOTE = load("queue/formats.note", **batch.CONSTANTS, NOTED_EACH_MS=NOTED_EACH_MS)
_LOOK = load_script("queue/formats.look", **CONSTANTS, MOST_LEFT=MOST_LEFT)


class Stranded(NamedTuple):
    """A queue whose next job this version cannot read.

    `absent_ms` is how long no process of a version that may read the job was seen; if no such version is
    known, how long ago the job was first met. The job waits for such a version until `until_ms`.
    """

    name: str
    job_id: str
    absent_ms: int
    until_ms: int


class Formats:
    """The versions that work on this Redis."""

    def __init__(self, connections: Connections, keys: Keys, clock: Clock, reads: int = FORMAT) -> None:
        self.reads = reads
        self._note = Script(connections.commands, keys, clock, _NOTE)
        self._look = Script(connections.commands, keys, clock, _LOOK)

    async def note(self) -> None:
        """Note that this format is here; raises UserError if it must not touch this store.

        Call it only when the store is known to be ours: the note may keep older versions out of it.
        """
        if refused := self._refusal(cast("int", await self._note(self.reads, GOES_WITH, 1))):
            raise refused

    async def find_refusal(self) -> UserError | None:
        """Find the reason why this format must not touch this store, if there is one. Writes nothing."""
        return self._refusal(cast("int", await self._note(self.reads, GOES_WITH, 0)))

    async def refuse(self) -> None:
        """Raise a UserError if this format must not touch this store. Writes nothing."""
        if refused := await self.find_refusal():
            raise refused

    def _refusal(self, newer: int) -> UserError | None:
        if not newer:
            return None
        return UserError(
            f"This Redis is used by a newer Taskwire (its data has format {newer}, this one's {self.reads}).",
            "Start that one, or let this one have a Redis of its own.",
        )

    async def list_stranded(self, *, only_looks: bool = False) -> Sequence[Stranded]:
        """List the queues whose next job only a newer version can read.

        Unless it `only_looks`, it also moves queues back that do not belong there any more.
        """
        now, *found = cast("list[str]", await self._look(self.reads, int(only_looks)))
        rows = zip(found[::4], found[1::4], found[2::4], found[3::4], strict=True)
        return [
            Stranded(name, job, int(now) - int(seen), max(int(since), int(seen)) + WAITED_FOR_MS)
            for name, job, since, seen in rows
        ]
