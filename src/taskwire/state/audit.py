"""The audit trail: a bounded stream of what people did. Each entry has the hash of the one before.

`queue/lua/audit.lua` writes an entry in the call that ends the act's job. So a crash neither loses an entry
nor writes it twice. The oldest entries are removed; the trail then stores the hash with which the remaining
ones begin. A person who can write to Redis could replace the whole chain. The log shows that, because the
number and the hash of each entry are in the log too.
"""

import hashlib
from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass
from typing import NamedTuple, cast

from redis.exceptions import ResponseError

from taskwire.domain.audit import AuditEntry, AuditFilter, StoredEntry
from taskwire.domain.durations import DAY_MS
from taskwire.domain.ids import from_ms, to_ms
from taskwire.queue.batch import Batch
from taskwire.redis.connection import Connections
from taskwire.redis.decoding import CannotRead, read
from taskwire.redis.keys import Keys

# Entries that are read in one call.
ENTRIES_PER_CALL = 500
_FIRST, _LAST = "-", "+"
_Row = tuple[str, dict[str, str]]


@dataclass(frozen=True)
class AuditLimits:
    """How many entries are kept, and for how long."""

    most: int = 50_000
    days: int = 365


class BrokenChain(NamedTuple):
    """Where the chain breaks: the number of the first entry that does not follow, and what is wrong."""

    number: int
    why: str


class _Head(NamedTuple):
    number: int
    hash: str
    trimmed: int
    trimmed_hash: str


class AuditTrail:
    """The audit trail of one workspace."""

    def __init__(self, connections: Connections, keys: Keys, limits: AuditLimits) -> None:
        self._redis = connections.commands
        self._key = keys.named("audit")
        self._limits = limits

    def add_to(self, batch: Batch, entry: AuditEntry) -> Batch:
        """Add to a batch the operation that writes this entry into the trail."""
        text = entry.model_dump_json(exclude_defaults=True)
        return batch.add_audit_entry(self._key, text, self._limits.most, self._limits.days * DAY_MS)

    async def read(self, wanted: AuditFilter) -> AsyncIterator[StoredEntry]:
        """Yield the wanted entries, the oldest first. An entry that cannot be read is left out."""
        start = str(to_ms(wanted.since)) if wanted.since is not None else _FIRST
        async for row in self._read_rows(start):
            stored = _parse_row(row)
            if stored is not None and wanted.matches(stored):
                yield stored

    async def list_newest(self, wanted: AuditFilter, most: int) -> list[StoredEntry]:
        """List the wanted entries, the newest first, `most` of them at most."""
        found: list[StoredEntry] = []
        end = _LAST
        earliest_ms = to_ms(wanted.since) if wanted.since is not None else 0
        while len(found) < most:
            rows = cast("list[_Row]", await self._redis.xrevrange(self._key, end, count=ENTRIES_PER_CALL))
            found += [each for row in rows if (each := _parse_row(row)) is not None and wanted.matches(each)]
            if len(rows) < ENTRIES_PER_CALL or _read_id(rows[-1][0])[0] < earliest_ms:
                break
            end = f"({rows[-1][0]}"
        return found[:most]

    async def find_head(self) -> str:
        """Return the number and the hash of the newest entry. An operator compares them with the log."""
        head = await self._read_head()
        return f"{head.number} ({head.hash})"

    async def find_break(self) -> BrokenChain | None:
        """Find where the chain breaks; None if every entry follows the one before.

        Entries may be added and trimmed meanwhile.
        """
        head = await self._read_head()
        number, before = head.trimmed, head.trimmed_hash
        async for row_id, fields in self._read_rows(_FIRST):
            this = _read_id(row_id)[1]
            if this != number + 1:
                present = await self._read_head()
                if number != head.trimmed or present.trimmed != this - 1:
                    return BrokenChain(number + 1, "it is missing")
                before = present.trimmed_hash
            if _make_hash(before, row_id, fields.get("entry", "")) != fields.get("hash"):
                return BrokenChain(this, "it or the one before was changed")
            number, before = this, fields["hash"]
        if number < head.number or (number == head.number and before != head.hash):
            return BrokenChain(number + 1, "it and what follows is missing")
        return None

    async def _read_head(self) -> _Head:
        names = ["number", "hash", "trimmed", "trimmed_hash"]
        try:
            found = await cast("Awaitable[list[str | None]]", self._redis.hmget(f"{self._key}:head", names))
        except ResponseError:
            found = [None] * 4
        number, newest, trimmed, trimmed_hash = found
        return _Head(_to_number(number), newest or "", _to_number(trimmed), trimmed_hash or "")

    async def _read_rows(self, start: str) -> AsyncIterator[_Row]:
        while True:
            rows = cast("list[_Row]", await self._redis.xrange(self._key, start, count=ENTRIES_PER_CALL))
            for row in rows:
                yield row
            if len(rows) < ENTRIES_PER_CALL:
                return
            start = f"({rows[-1][0]}"


def _make_hash(before: str, row_id: str, text: str) -> str:
    """Return the hash as `queue/lua/audit.lua` makes it."""
    return hashlib.sha1(f"{before} {row_id} {text}".encode(), usedforsecurity=False).hexdigest()


def _to_number(text: str | None) -> int:
    return int(text) if text is not None and text.isdecimal() else 0


def _read_id(row_id: str) -> tuple[int, int]:
    at_ms, _, number = row_id.partition("-")
    return int(at_ms), int(number)


def _parse_row(row: _Row) -> StoredEntry | None:
    row_id, fields = row
    at_ms, number = _read_id(row_id)
    try:
        entry = read(AuditEntry.model_validate_json, fields.get("entry", ""))
    except CannotRead:
        return None
    return StoredEntry(number=number, at=from_ms(at_ms), hash=fields.get("hash", ""), entry=entry)
