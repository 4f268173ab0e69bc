"""The audit trail: a bounded stream of what people did. Without the key, nobody can change it unnoticed.

`queue/lua/audit.lua` writes an entry in the call that ends the act's job. So a crash neither loses an entry
nor writes it twice. Three things protect the trail:

- Each entry is signed with the key of this deployment, and has a word that occurs only in this entry. So
  nobody without the key can write, change or repeat an entry.
- Each entry has the hash of the previous entry. So no entry in the middle can be removed or moved.
- Every few seconds a process checks the new entries and writes a seal, which says where the chain begins and
  ends. So no sealed entry can be removed from the beginning or the end.

A person who can write to Redis can still remove the entries of the last seconds, or put back an older state
of the whole trail. The log reveals that, because it has the number and the hash of each entry too.
"""

import hashlib
import re
import secrets
import time
from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass, field
from typing import NamedTuple, cast

from pydantic import BaseModel, ConfigDict, ValidationError
from redis.exceptions import ResponseError

from taskwire import sealing
from taskwire.domain.audit import AuditEntry, AuditFilter, StoredEntry
from taskwire.domain.durations import DAY_MS
from taskwire.domain.ids import from_ms, to_ms
from taskwire.queue.batch import Batch
from taskwire.queue.scripts import Clock, Script, load_script
from taskwire.redis.connection import Connections
from taskwire.redis.decoding import CannotRead, read
from taskwire.redis.keys import Keys
from taskwire.telemetry import logger

# How many entries are read in one call.
ENTRIES_PER_CALL = 500
_FIRST, _LAST = "-", "+"
_KEY_MISSING = "the key of its seal is missing"
_SIGNED = re.compile(
    r'(?P<start>\{.*),"once":"(?P<once>[0-9a-f]{16})","signature":"(?P<signature>[0-9a-f.]+)"\}'
)
_Row = tuple[str, dict[str, str]]

_SEAL = load_script("state/audit.seal")
_log = logger("taskwire.state.audit")


@dataclass(frozen=True)
class AuditLimits:
    """How many audit entries are kept, and for how long."""

    most: int = 50_000
    days: int = 365


class BrokenChain(NamedTuple):
    """The place where the chain of entries breaks.

    It has the number of the first entry that does not follow the entry before, and what is wrong.
    """

    number: int
    why: str


class AuditSeal(BaseModel):
    """A record of which entries were checked: those with numbers above `trimmed`, up to `number`.

    `row` is the stream's id of entry `number`. `broken` says where the chain breaks; None if the chain is
    whole.
    """

    model_config = ConfigDict(frozen=True)

    number: int = 0
    hash: str = ""
    row: str = ""
    trimmed: int = 0
    trimmed_hash: str = ""
    broken: BrokenChain | None = None


class _Trimmed(NamedTuple):
    seal: AuditSeal
    ids: list[str]


class _Head(NamedTuple):
    number: int
    hash: str
    seal: str


@dataclass
class _Check:
    """Checks the chain entry by entry. `broken` is the first break that was found."""

    seal: AuditSeal
    number: int
    before: str
    row: str = ""
    broken: BrokenChain | None = None
    seen: set[str] = field(default_factory=set)

    def look(self, row: _Row) -> None:
        """Check the next row of the stream."""
        row_id, fields = row
        this, text = _read_id(row_id)[1], fields.get("entry", "")
        is_next = this == self.number + 1
        if not is_next:
            self._breaks(self.number + 1, "it is missing")
        elif _make_hash(self.before, row_id, text) != fields.get("hash"):
            self._breaks(this, "it or the one before was changed")
        else:
            self._look_at_signature(this, text)
        if this == self.seal.number and fields.get("hash") != self.seal.hash:
            self._breaks(this, "it is not the one that was sealed")
        self.number, self.before, self.row = this, fields.get("hash", ""), row_id

    def _look_at_signature(self, number: int, text: str) -> None:
        found = _SIGNED.fullmatch(text)
        if found is None:
            return self._breaks(number, "it is not signed")
        try:
            signed = f'{found["start"]},"once":"{found["once"]}"}}'
            if not sealing.key_ring().is_signed(signed, "audit", found["signature"]):
                self._breaks(number, "its signature is wrong")
        except sealing.KeyMissing:
            # If an entry is sealed, its signature is not checked again.
            if number > self.seal.number:
                self._breaks(number, "the key of its signature is missing")
        if found["once"] in self.seen:
            self._breaks(number, "it is a copy of another one")
        self.seen.add(found["once"])
        return None

    def ends(self, head: _Head) -> None:
        """Check that the chain ends neither before the newest entry nor before the last sealed entry.

        `head` has the number and the hash of the newest entry.
        """
        if self.number < max(head.number, self.seal.number) or (
            self.number == head.number and self.before != head.hash
        ):
            self._breaks(self.number + 1, "it and what follows is missing")

    def _breaks(self, number: int, why: str) -> None:
        self.broken = self.broken or BrokenChain(number, why)


class AuditTrail:
    """The audit trail of one workspace."""

    def __init__(self, connections: Connections, keys: Keys, clock: Clock, limits: AuditLimits) -> None:
        self._redis = connections.commands
        self._key = keys.named("audit")
        self._limits = limits
        self._clock = clock
        self._seal = Script(connections.commands, keys, clock, _SEAL)
        # The latest seal that this process has written or read. If Redis has an older seal than this,
        # somebody has put an older trail back.
        self._last = AuditSeal()

    def add_to(self, batch: Batch, entry: AuditEntry) -> Batch:
        """Add to a batch the operation that writes this entry into the trail."""
        text = sealing.masked(entry.model_dump_json(exclude_defaults=True))
        text = f'{text[:-1]},"once":"{secrets.token_hex(8)}"}}'
        signed = f'{text[:-1]},"signature":"{sealing.key_ring().sign(text, "audit")}"}}'
        return batch.add_audit_entry(self._key, signed, self._limits.most, self._longest_ms)

    @property
    def _longest_ms(self) -> int:
        return self._limits.days * DAY_MS

    async def read(self, wanted: AuditFilter) -> AsyncIterator[StoredEntry]:
        """Yield the entries that the filter matches, the oldest first.

        An entry that cannot be read is left out.
        """
        start = str(to_ms(wanted.since)) if wanted.since is not None else _FIRST
        async for row in self._read_rows(start):
            stored = _parse_row(row)
            if stored is not None and wanted.matches(stored):
                yield stored

    async def list_newest(self, wanted: AuditFilter, most: int) -> list[StoredEntry]:
        """List the entries that the filter matches, the newest first, at most `most` entries."""
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
        """Return the number and the hash of the newest audit entry.

        An operator compares both with Taskwire's log.
        """
        head = await self._read_head()
        return f"{head.number} ({head.hash})"

    async def find_break(self) -> BrokenChain | None:
        """Find where the chain breaks. Return None if nobody without the key has changed the trail.

        If a break is found but old entries were trimmed during the check, check again.
        """
        while True:
            head = await self._read_head()
            seal, why = _open_seal(head.seal, self._key)
            if why:
                return BrokenChain(1, why)
            check = _Check(seal, seal.trimmed, seal.trimmed_hash, broken=seal.broken)
            async for row in self._read_rows(_FIRST):
                check.look(row)
            check.ends(head)
            present, _ = _open_seal((await self._read_head()).seal, self._key)
            if check.broken is None or present.trimmed == seal.trimmed:
                return check.broken

    async def seal(self) -> None:
        """Check the entries since the last seal, remove the entries above the limits, and seal the rest.

        Every process of a deployment does this. Once the chain is broken, every later seal records the break.
        """
        head = await self._read_head()
        seal, why = _open_seal(head.seal, self._key)
        if why == _KEY_MISSING:
            # A process that has the key will seal the trail.
            return
        if why:
            _log.error(
                "the seal of the audit trail was changed, every later seal will record this change",
                why=why,
                hint="Run taskwire audit.",
            )
            seal = self._last.model_copy(update={"broken": BrokenChain(self._last.number + 1, why)})
        elif seal.number < self._last.number:
            _log.warning(
                "newest entries of the audit trail lost, the others checked and sealed again",
                to=seal.number,
                was=self._last.number,
            )
        check = _Check(seal, seal.number, seal.hash, seal.row, seal.broken)
        async for row in self._read_rows(f"({seal.row}" if seal.row else _FIRST):
            check.look(row)
        if check.broken is not None and check.broken != seal.broken:
            _log.error(
                "the audit trail was changed, every later seal will record this change",
                number=check.broken.number,
                why=check.broken.why,
                hint="Run taskwire audit.",
            )
        new = await self._trim(seal, check)
        if new.seal == seal and head.seal and not why:
            self._last = seal
        elif new.seal != AuditSeal():
            sealed = sealing.key_ring().seal(new.seal.model_dump_json(), _purpose(self._key))
            if await self._seal(self._key, head.seal, sealed, self._longest_ms, *new.ids):
                self._last = new.seal

    async def _trim(self, seal: AuditSeal, check: _Check) -> "_Trimmed":
        """Return the new seal, and the ids of the entries that have to be removed.

        These are the entries that are too old, and the oldest entries if the trail has more entries than
        allowed.
        """
        trimmed, trimmed_hash, ids = seal.trimmed, seal.trimmed_hash, []
        oldest_ms = int(self._clock.stamp() or time.time() * 1000) - self._longest_ms
        for row_id, fields in await self._read_oldest():
            at_ms, this = _read_id(row_id)
            if this > check.number or (at_ms > oldest_ms and this > check.number - self._limits.most):
                break
            ids.append(row_id)
            trimmed, trimmed_hash = this, fields.get("hash", "")
        new = AuditSeal(
            number=check.number,
            hash=check.before,
            row=check.row,
            trimmed=trimmed,
            trimmed_hash=trimmed_hash,
            broken=check.broken,
        )
        return _Trimmed(new, ids)

    async def _read_oldest(self) -> list[_Row]:
        return cast("list[_Row]", await self._redis.xrange(self._key, _FIRST, count=ENTRIES_PER_CALL))

    async def _read_head(self) -> _Head:
        try:
            answer = self._redis.hmget(f"{self._key}:head", ["number", "hash", "seal"])
            number, newest, seal = await cast("Awaitable[list[str | None]]", answer)
        except ResponseError:
            return _Head(0, "", "")
        is_number = number is not None and number.isdecimal()
        return _Head(int(number or 0) if is_number else 0, newest or "", seal or "")

    async def _read_rows(self, start: str) -> AsyncIterator[_Row]:
        while True:
            rows = cast("list[_Row]", await self._redis.xrange(self._key, start, count=ENTRIES_PER_CALL))
            for row in rows:
                yield row
            if len(rows) < ENTRIES_PER_CALL:
                return
            start = f"({rows[-1][0]}"


def _open_seal(sealed: str, key: str) -> tuple[AuditSeal, str]:
    """Return a seal, and what is wrong with it; the text is empty if nothing is wrong.

    If the trail was never sealed, or the seal cannot be opened, return an empty seal.
    """
    if not sealed:
        return AuditSeal(), ""
    try:
        return AuditSeal.model_validate_json(sealing.key_ring().open(sealed, _purpose(key))), ""
    except sealing.KeyMissing:
        return AuditSeal(), _KEY_MISSING
    except (sealing.CannotOpen, ValidationError):
        return AuditSeal(), "its seal was changed"


def _purpose(key: str) -> str:
    return f"{key} seal"


def _make_hash(before: str, row_id: str, text: str) -> str:
    """Return the hash of an entry, made in the same way as in `queue/lua/audit.lua`."""
    return hashlib.sha1(f"{before} {row_id} {text}".encode(), usedforsecurity=False).hexdigest()


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
