"""The audit trail: a bounded stream of what people did. Without the key, nobody can change it unnoticed.

`queue/lua/audit.lua` writes an entry in the call that ends the act's job. So a crash neither loses an entry
nor writes it twice. Three things protect the trail:

- Each entry is signed with the key of this deployment, and has a word that occurs only in this entry. So
  nobody without the key can write, change or repeat an entry.
- Each entry has the hash of the previous entry. So no entry in the middle can be removed or moved.
- Every few seconds a process checks the new entries and writes a seal, which says where the chain begins and
  ends. So no sealed entry can be removed from the beginning or the end.

A person who can write to Redis can still remove the entries of the last seconds, or put back an older state
of the whole trail. A running process notices an older state (`seal_memory.py`). The log reveals it too,
because it has the number and the hash of each entry and of each seal.

Such a person can also write anything into the trail, or make Redis refuse entries. Neither stops an act or a
seal: a row that is no entry is shown as one that is not readable, and an entry that Redis refuses has a
number, so that it is missed.

The names of tasks are not in the entries, because they are often made from prompts. Each is encrypted, under
a key of its own beside the trail. So it can be encrypted again with a new key, and removed with its owner.
"""

import secrets
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, cast

from pydantic import ValidationError
from redis.client import NEVER_DECODE
from redis.exceptions import ResponseError

from taskwire import sealing
from taskwire.domain.audit import (
    OPERATOR,
    UNREADABLE,
    AuditEntry,
    AuditFilter,
    StoredEntry,
    WrittenEntry,
)
from taskwire.domain.durations import DAY_MS
from taskwire.domain.ids import from_ms, to_ms
from taskwire.queue.batch import Batch
from taskwire.queue.data_loss_detector import DataLoss
from taskwire.queue.scripts import Clock, Script, load_script
from taskwire.redis.connection import Connections
from taskwire.redis.decoding import CannotRead, read
from taskwire.redis.keys import Keys
from taskwire.sealing import open_text, seal_text
from taskwire.state.audit_chain import (
    AuditHead,
    AuditRow,
    AuditSeal,
    BrokenChain,
    ChainCheck,
    LostEntries,
    check_signature,
    read_row,
)
from taskwire.state.entered_acts import EnteredActs
from taskwire.state.seal_memory import Comparison, SealMemory, compare
from taskwire.telemetry import logger

# How many entries are read in one call.
ENTRIES_PER_CALL = 500
# How many numbers of its own entries a process remembers.
REMEMBERED_NUMBERS = 1_000
# The beginning of the keys with the names of tasks.
TASK_NAMES: Final = "audit_task"
_FIRST, _LAST = "-", "+"
# In digits. Lua counts no farther.
_LONGEST_NUMBER = 16
_KEY_MISSING = "there is no key to check its seal"
_MISSING = "its seal is missing, although tasks have threads"
# The latest time that a date can show: the end of the year 9999.
_LATEST_MS = 253_402_300_799_000

_SEAL = load_script("state/audit.seal")
_log = logger("taskwire.state.audit")


@dataclass(frozen=True)
class AuditLimits:
    """How many audit entries are kept, and for how long."""

    most: int = 50_000
    days: int = 365


class _Trimmed(NamedTuple):
    seal: AuditSeal
    ids: list[str]


class AuditTrail:
    """The audit trail of one workspace."""

    def __init__(
        self,
        connections: Connections,
        keys: Keys,
        clock: Clock,
        limits: AuditLimits,
        find_data_loss: Callable[[], DataLoss | None] = lambda: None,
    ) -> None:
        self._redis = connections.commands
        self._keys = keys
        self._key = keys.named("audit")
        self._limits = limits
        self._clock = clock
        self._seal = Script(connections.commands, keys, clock, _SEAL)
        self._memory = SealMemory(find_data_loss)
        # The numbers of the newest entries of this process.
        self._numbers: deque[int] = deque(maxlen=REMEMBERED_NUMBERS)
        self._entered_acts = EnteredActs()
        # Why Redis refused the newest entry of this process; empty if it was written.
        self.trouble = ""

    def takes(self, entry: AuditEntry) -> bool:
        """Return whether the trail gets this entry: not if it is one of too many that need no right."""
        return self._entered_acts.may_enter(entry, self._now_ms)

    def add_to(self, batch: Batch, entry: AuditEntry) -> Batch:
        """Add to a batch the operation that writes this entry into the trail."""
        if entry.task and entry.person != OPERATOR:
            key = self._key_of_name(entry)
            # `taskwire forget` finds the name by the person's id in it.
            name = seal_text(f"{entry.task_owner or entry.person} {entry.task}", key)
            batch.write_expiring(self._longest_ms, "SET", key, name)
            entry = entry.model_copy(update={"task": ""})
        text = sealing.masked(entry.model_dump_json(exclude_defaults=True))
        text = f'{text[:-1]},"once":"{secrets.token_hex(8)}"}}'
        signed = f'{text[:-1]},"signature":"{sealing.key_ring().sign(text, "audit")}"}}'
        return batch.add_audit_entry(self._key, signed, self._limits.most, self._longest_ms)

    def note_written(self, written: WrittenEntry) -> None:
        """Note what became of an entry of this process.

        If another entry had its number before, somebody has removed entries before they were sealed, or Redis
        has lost writes.
        """
        self.trouble = written.trouble
        if written.number in self._numbers:
            _log.warning(
                "entries of the audit trail are gone, their numbers are used again",
                number=written.number,
                hint="Compare the trail with this log.",
            )
        if written.number:
            self._numbers.append(written.number)

    @property
    def health(self) -> str:
        """Return "ok", or a sentence if Redis refused the newest entry of this process."""
        return f"Redis refuses entries of the audit trail: {self.trouble}." if self.trouble else "ok"

    @property
    def _longest_ms(self) -> int:
        return self._limits.days * DAY_MS

    async def read(self, wanted: AuditFilter) -> AsyncIterator[StoredEntry]:
        """Yield the entries that the filter matches, the oldest first.

        A row that cannot be read is an entry too. Nobody knows what it is about, so only `since` can exclude
        it.
        """
        start = str(to_ms(wanted.since)) if wanted.since is not None else _FIRST
        async for rows in self._read_pages(start):
            for stored in await self._parse(rows):
                if wanted.matches(stored):
                    yield stored

    async def list_newest(self, wanted: AuditFilter, most: int) -> list[StoredEntry]:
        """List the entries that the filter matches, the newest first, at most `most` entries."""
        found: list[StoredEntry] = []
        end = _LAST
        earliest_ms = to_ms(wanted.since) if wanted.since is not None else 0
        while len(found) < most:
            rows = await self._range("XREVRANGE", end, _FIRST, ENTRIES_PER_CALL)
            found += [each for each in await self._parse(rows) if wanted.matches(each)]
            if len(rows) < ENTRIES_PER_CALL or rows[-1].at_ms < earliest_ms:
                break
            end = f"({rows[-1].id}"
        return found[:most]

    async def find_trouble(self) -> str:
        """Return what is wrong with the trail, as far as its seal and its newest entry show it.

        Return an empty text if nothing is wrong. `find_break` checks every entry.
        """
        head = await self._read_head()
        seal, why = await self._open(head)
        newest = await self._range("XREVRANGE", _LAST, _FIRST, 1)
        if (newest[0].number if newest else seal.number) < head.number:
            return "Its newest entry is missing: Redis has refused it, or somebody has removed it."
        broken = BrokenChain(1, why) if why else seal.broken
        return f"It breaks at entry {broken.number}: {broken.why}." if broken is not None else ""

    async def list_losses(self) -> tuple[LostEntries, ...]:
        """List the data losses of Redis after which sealed entries were missing, as the seal has them."""
        return _open_seal((await self._read_head()).seal, self._key)[0].lost

    async def compare(self, number: int, chain_hash: str) -> Comparison:
        """Compare the trail with an entry, or a seal, that an operator has read in the log."""
        seal, _ = _open_seal((await self._read_head()).seal, self._key)
        async for rows in self._read_pages(_FIRST):
            for row in rows:
                if row.number == number:
                    return compare(number, chain_hash, seal, row)
        return compare(number, chain_hash, seal, None)

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
            seal, why = await self._open(head)
            if why:
                return BrokenChain(1, why)
            check = ChainCheck(
                seal, seal.trimmed, seal.trimmed_hash, self._now_ms + DAY_MS, broken=seal.broken
            )
            await self._look_from(_FIRST, check)
            check.ends(head)
            present, _ = _open_seal((await self._read_head()).seal, self._key)
            if check.broken is None or present.trimmed == seal.trimmed:
                return check.broken

    async def seal(self) -> None:
        """Check the entries since the last seal, remove the entries above the limits, and seal the rest.

        Every process of a deployment does this. Once the chain is broken, every later seal records the break.
        """
        head = await self._read_head()
        stored, why = await self._open(head)
        if why == _KEY_MISSING:
            # A process that has the key will seal the trail.
            return
        seal = await self._judge(head, stored, why)
        if seal is None:
            return
        check = ChainCheck(
            seal, seal.number, seal.hash, self._now_ms + DAY_MS, row=seal.row, broken=seal.broken
        )
        await self._look_from(f"({seal.row}" if seal.row else _FIRST, check)
        check.ends(head)
        if check.broken is not None and check.broken != stored.broken:
            _log.error(
                "the audit trail was changed, every later seal will record this change",
                number=check.broken.number,
                why=check.broken.why,
                hint="Run taskwire audit.",
            )
        new = await self._trim(seal, check)
        if new.seal == stored and head.seal and not why:
            await self._note(stored)
            return
        sealed = sealing.key_ring().seal(new.seal.model_dump_json(), purpose_of_seal(self._key))
        before = await self._get_comparable(head)
        if await self._seal(self._key, before, sealed, self._longest_ms, *new.ids):
            await self._note(new.seal)

    async def _note(self, seal: AuditSeal) -> None:
        """Remember a seal. Each time it is logged, let Redis keep it longer: a seal never ends by itself."""
        if self._memory.note(seal, self._now_ms):
            await cast("Awaitable[object]", self._redis.pexpire(self._head_key, self._longest_ms))

    async def _judge(self, head: AuditHead, stored: AuditSeal, why: str) -> AuditSeal | None:
        """Return the seal after which the chain goes on; None if this is not known yet.

        `why` says what is wrong with the `stored` seal.
        """
        last = self._memory.seal
        if why and not (why == _MISSING and self._memory.seen_ms):
            return last.model_copy(update={"broken": BrokenChain(last.number + 1, why)})
        rows = await self._range("XRANGE", last.row, last.row, 1) if last.row else []
        if self._memory.is_followed_by(stored if head.seal else None, rows[0] if rows else None):
            return stored
        return self._memory.judge(stored, self._now_ms)

    async def _open(self, head: AuditHead) -> tuple[AuditSeal, str]:
        """Return the trail's seal, and what is wrong with it.

        A process seals the trail before it stores the first link of a thread and a task. So if such a link
        exists without a seal, somebody has removed the seal.
        """
        if head.seal or not await self._redis.hlen(self._keys.named("links")):
            return _open_seal(head.seal, self._key)
        return AuditSeal(), _MISSING

    async def _get_comparable(self, head: AuditHead) -> str:
        """Return the seal with which the script compares. Remove a seal that is no text of ours."""
        if head.seal.isascii():
            return head.seal
        await cast("Awaitable[object]", self._redis.hdel(self._head_key, "seal"))
        return ""

    async def _trim(self, seal: AuditSeal, check: ChainCheck) -> "_Trimmed":
        """Return the new seal, and the ids of the entries that have to be removed.

        These are the entries that are too old, and the oldest entries if the trail has more entries than
        allowed. After a break, only entries that are too old are removed, because the numbers may be wrong.
        """
        trimmed, trimmed_hash, ids = seal.trimmed, seal.trimmed_hash, []
        oldest_ms = self._now_ms - self._longest_ms
        fewest = check.number - self._limits.most if check.broken is None else 0
        for row in await self._range("XRANGE", _FIRST, _LAST, ENTRIES_PER_CALL):
            if row.number > check.number or (row.at_ms > oldest_ms and row.number > fewest):
                break
            ids.append(row.id)
            trimmed, trimmed_hash = row.number, row.hash
        new = AuditSeal(
            number=check.number,
            hash=check.before,
            row=check.row,
            trimmed=trimmed,
            trimmed_hash=trimmed_hash,
            broken=check.broken,
            lost=seal.lost,
        )
        return _Trimmed(new, ids)

    @property
    def _now_ms(self) -> int:
        return int(self._clock.stamp() or time.time() * 1000)

    @property
    def _head_key(self) -> str:
        return f"{self._key}:head"

    async def _read_head(self) -> AuditHead:
        asking = self._redis.execute_command(  # type: ignore[no-untyped-call] # redis-py has no types here
            "HMGET", self._head_key, "number", "hash", "seal", **{NEVER_DECODE: True}
        )
        try:
            answer = await cast("Awaitable[list[bytes | None]]", asking)
        except ResponseError:
            return AuditHead(0, "", "")
        number, newest, seal = ((each or b"").decode(errors="replace") for each in answer)
        return AuditHead(
            int(number) if number.isdecimal() and len(number) <= _LONGEST_NUMBER else 0, newest, seal
        )

    async def _read_pages(self, start: str) -> AsyncIterator[list[AuditRow]]:
        while True:
            rows = await self._range("XRANGE", start, _LAST, ENTRIES_PER_CALL)
            yield rows
            if len(rows) < ENTRIES_PER_CALL:
                return
            start = f"({rows[-1].id}"

    async def _look_from(self, start: str, check: ChainCheck) -> None:
        async for rows in self._read_pages(start):
            for row in rows:
                check.look(row)

    async def _parse(self, rows: Sequence[AuditRow]) -> list[StoredEntry]:
        """Return the entries of these rows, with the names of their tasks."""
        found = [_parse_row(row) for row in rows]
        keys = list(dict.fromkeys(self._key_of_name(each.entry) for each in found if _lacks_name(each)))
        if not keys:
            return found
        asking = self._redis.execute_command("MGET", *keys, **{NEVER_DECODE: True})  # type: ignore[no-untyped-call] # redis-py has no types here
        answer = await cast("Awaitable[list[bytes | None]]", asking)
        names = {key: _open_name(sealed, key) for key, sealed in zip(keys, answer, strict=True)}
        return [
            each.with_task(names[self._key_of_name(each.entry)]) if _lacks_name(each) else each
            for each in found
        ]

    def _key_of_name(self, entry: AuditEntry) -> str:
        return self._keys.named(TASK_NAMES, entry.task_id or entry.reference)

    async def _range(self, command: str, start: str, end: str, most: int) -> list[AuditRow]:
        """Return some rows of the stream; none if the key is no stream, because somebody has replaced it."""
        asking = self._redis.execute_command(  # type: ignore[no-untyped-call] # redis-py has no types here
            command, self._key, start, end, "COUNT", most, **{NEVER_DECODE: True}
        )
        try:
            answer = await cast("Awaitable[list[tuple[bytes, Mapping[bytes, bytes] | None]]]", asking)
        except ResponseError as error:
            if not str(error).startswith("WRONGTYPE"):
                raise
            return []
        return [read_row(*each) for each in answer]


def _open_seal(sealed: str, key: str) -> tuple[AuditSeal, str]:
    """Return a seal, and what is wrong with it; the text is empty if nothing is wrong.

    If the trail was never sealed, or the seal cannot be opened, return an empty seal.
    """
    if not sealed:
        return AuditSeal(), ""
    try:
        return AuditSeal.model_validate_json(sealing.key_ring().open(sealed, purpose_of_seal(key))), ""
    except sealing.KeyMissing:
        return AuditSeal(), _KEY_MISSING
    except (sealing.CannotOpen, ValidationError):
        return AuditSeal(), "its seal was changed"


def purpose_of_seal(key: str) -> str:
    """Return the purpose for which the seal of the audit trail under this key is encrypted."""
    return f"{key} seal"


def _lacks_name(stored: StoredEntry) -> bool:
    return not stored.trouble and not stored.entry.task and stored.entry.person != OPERATOR


def _open_name(sealed: bytes | None, key: str) -> str:
    """Return the name of a task; empty if it is gone, or cannot be opened."""
    try:
        return open_text((sealed or b"").decode(), key).partition(" ")[2]
    except (UnicodeDecodeError, sealing.CannotOpen):
        return ""


def _parse_row(row: AuditRow) -> StoredEntry:
    at = from_ms(min(row.at_ms, _LATEST_MS))
    try:
        entry = read(AuditEntry.model_validate_json, row.text)
    except CannotRead:
        by = "a newer version" if check_signature(row.text) == "right" else "somebody"
        why = f"not readable, written by {by}"
        return StoredEntry(number=row.number, at=at, hash=row.hash, entry=UNREADABLE, trouble=why)
    return StoredEntry(number=row.number, at=at, hash=row.hash, entry=entry)
