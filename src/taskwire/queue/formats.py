"""The format of what Redis holds: which versions write there, and what only newer ones can read.

Two versions work on one Redis while one replaces the other, and a rollback brings the older one back for
days. Each process notes its format and when it was last there. What an older process cannot read it leaves
where only newer ones look, for as long as one of them may come. Who is told of it is in
`recovery/newer_versions`.
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

# A newer version that has not been seen for so long will not come any more.
WAITED_FOR_MS = 7 * 24 * 3_600_000
NOTED_EACH_MS = 5_000
# A version that is being replaced, or replaces another, is back by then.
ABSENT_MS = 300_000
# So many are told of at a time.
MOST_LEFT = 200

# What `lua/formats.lua` takes from here.
CONSTANTS = {"WAITED_FOR_MS": WAITED_FOR_MS}

_NOTE = load("queue/formats.note", **batch.CONSTANTS, NOTED_EACH_MS=NOTED_EACH_MS)
_LOOK = load_script("queue/formats.look", **CONSTANTS, MOST_LEFT=MOST_LEFT)


class Stranded(NamedTuple):
    """A list whose next job this version cannot read.

    `absent_ms`: so long no process of a version that may read it has been seen; it waits until `until_ms` for
    one. Where no such version is known at all, it has been absent since the job was first met.
    """

    name: str
    job_id: str
    absent_ms: int
    until_ms: int


class Formats:
    """What is known of the versions that work on this Redis."""

    def __init__(self, connections: Connections, keys: Keys, clock: Clock, reads: int = FORMAT) -> None:
        self.reads = reads
        self._note = Script(connections.commands, keys, clock, _NOTE)
        self._look = Script(connections.commands, keys, clock, _LOOK)

    async def note(self) -> None:
        """Note that this format is here; UserError if what is there must not be touched by it.

        The store has to be known to be ours: what is noted may keep older versions from it.
        """
        if refused := self._refusal(cast("int", await self._note(self.reads, GOES_WITH, 1))):
            raise refused

    async def find_refusal(self) -> UserError | None:
        """Why this format must not touch what is there, if it must not; nothing is written."""
        return self._refusal(cast("int", await self._note(self.reads, GOES_WITH, 0)))

    async def refuse(self) -> None:
        """Raise the UserError if this format must not touch what is there; nothing is written."""
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
        """The lists whose next job only a newer version can read; what does not belong there goes back."""
        now, *found = cast("list[str]", await self._look(self.reads, int(only_looks)))
        rows = zip(found[::4], found[1::4], found[2::4], found[3::4], strict=True)
        return [
            Stranded(name, job, int(now) - int(seen), max(int(since), int(seen)) + WAITED_FOR_MS)
            for name, job, since, seen in rows
        ]
