"""Checks the audit trail: whether each entry is readable, signed, and follows the entry before.

This module reads and writes nothing in Redis. `state/audit.py` does, and says how the trail is protected.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict

from taskwire import sealing

_SIGNED = re.compile(
    r'(?P<start>\{.*),"once":"(?P<once>[0-9a-f]{16})","signature":"(?P<signature>[0-9a-f.]+)"\}'
)
Signature = Literal["right", "wrong", "missing", "key missing"]


class AuditRow(NamedTuple):
    """A row of the stream. `text` and `hash` are empty if the row has none, or if they are no text at all.

    Taskwire makes the id of a row of the time in milliseconds and the number of the entry.
    """

    id: str
    text: str
    hash: str

    @property
    def at_ms(self) -> int:
        """When the entry was written, in milliseconds since 1970."""
        return int(self.id.partition("-")[0])

    @property
    def number(self) -> int:
        """The number of the entry."""
        return int(self.id.partition("-")[2])


class BrokenChain(NamedTuple):
    """The place where the chain of entries breaks.

    It has the number of the first entry that does not follow the entry before, and what is wrong.
    """

    number: int
    why: str


class LostEntries(NamedTuple):
    """A data loss of Redis, noticed at `at_ms`. Before it, the trail was sealed up to this entry."""

    at_ms: int
    number: int
    hash: str


class AuditSeal(BaseModel):
    """A record of which entries were checked: those with numbers above `trimmed`, up to `number`.

    `row` is the stream's id of entry `number`. `broken` says where the chain breaks; None if the chain is
    whole. `lost` are the data losses after which sealed entries were missing.
    """

    model_config = ConfigDict(frozen=True)

    number: int = 0
    hash: str = ""
    row: str = ""
    trimmed: int = 0
    trimmed_hash: str = ""
    broken: BrokenChain | None = None
    lost: tuple[LostEntries, ...] = ()


class AuditHead(NamedTuple):
    """The number and the hash of the newest entry, and the seal."""

    number: int
    hash: str
    seal: str


def read_row(row_id: bytes, fields: Mapping[bytes, bytes] | None) -> AuditRow:
    """Return a row of the stream. Redis gives any bytes, because a person may have written the row."""
    try:
        text, chain_hash = ((fields or {}).get(name, b"").decode() for name in (b"entry", b"hash"))
    except UnicodeDecodeError:
        text = chain_hash = ""
    return AuditRow(row_id.decode(), text, chain_hash)


def check_signature(text: str) -> Signature:
    """Return whether an entry has the signature of this deployment."""
    found = _SIGNED.fullmatch(text)
    if found is None:
        return "missing"
    signed = f'{found["start"]},"once":"{found["once"]}"}}'
    try:
        is_right = sealing.key_ring().is_signed(signed, "audit", found["signature"])
    except sealing.KeyMissing:
        return "key missing"
    return "right" if is_right else "wrong"


@dataclass
class ChainCheck:
    """Checks the chain entry by entry. `broken` is the first break that was found.

    `number`, `before` and `row` are of the last entry that was looked at. No entry can have been written
    after `latest_ms`.
    """

    seal: AuditSeal
    number: int
    before: str
    latest_ms: int
    row: str = ""
    broken: BrokenChain | None = None
    _seen: set[str] = field(default_factory=set)

    def look(self, row: AuditRow) -> None:
        """Check the next row of the stream."""
        this = row.number
        if this != self.number + 1:
            self._breaks(self.number + 1, "it is missing")
        elif make_hash(self.before, row.id, row.text) != row.hash:
            self._breaks(this, "it or the one before was changed")
        else:
            self._look_at_signature(this, row.text)
        if this > self.seal.number and row.at_ms > self.latest_ms:
            self._breaks(this, "its time is in the future")
        if this == self.seal.number and row.hash != self.seal.hash:
            self._breaks(this, "it is not the one that was sealed")
        self.number, self.before, self.row = this, row.hash, row.id

    def _look_at_signature(self, number: int, text: str) -> None:
        found, signature = _SIGNED.fullmatch(text), check_signature(text)
        if found is None:
            return self._breaks(number, "it is not signed")
        if signature == "wrong":
            self._breaks(number, "its signature is wrong")
        elif signature == "key missing" and number > self.seal.number:
            # If an entry is sealed, its signature is not checked again.
            self._breaks(number, "there is no key to check its signature")
        if found["once"] in self._seen:
            self._breaks(number, "it is a copy of another one")
        self._seen.add(found["once"])
        return None

    def ends(self, head: AuditHead) -> None:
        """Check that the chain ends neither before the newest entry nor before the last sealed entry."""
        if self.number < max(head.number, self.seal.number) or (
            self.number == head.number and self.before != head.hash
        ):
            self._breaks(self.number + 1, "it and what follows is missing")

    def _breaks(self, number: int, why: str) -> None:
        self.broken = self.broken or BrokenChain(number, why)


def make_hash(before: str, row_id: str, text: str) -> str:
    """Return the hash of an entry, made in the same way as in `queue/lua/audit.lua`."""
    return hashlib.sha1(f"{before} {row_id} {text}".encode(), usedforsecurity=False).hexdigest()
