"""One side of a move: an installation's keys on one server, either the source or the target.

This module reads the keys in a form that does not depend on the server. It also sets the fence, which keeps
all processes out of this side's store, but only if the store has not changed since `read_state`. `transfer`
decides what to copy.
"""

import secrets
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

from redis.asyncio import Redis

from taskwire.domain.errors import UserError
from taskwire.queue import fence
from taskwire.queue.fence import FenceState
from taskwire.queue.lua_files import load
from taskwire.redis.connection import Connections
from taskwire.redis.keys import Keys

# Names of keys. `UNMOVED_KEYS` are the keys that describe the server itself. These keys are not moved.
FENCE, PARKED = b"fence", b"parked:"
UNMOVED_KEYS = (FENCE, b"server")
# A key by which one side checks whether the other side is the same store. The key expires after PROBE_MS if
# the process dies.
PROBE, PROBE_MS = b"probe:", 10_000
# How many items of one key are read in one call.
ITEMS_PER_CALL = 200
# Times to live may differ by this much, in ms. The servers are read one after the other, and their clocks may
# differ.
TTL_TOLERANCE_MS = 10_000

_READ = load("migration/migration.read", ITEMS_PER_CALL=ITEMS_PER_CALL)
_LOOK = load("migration/migration.look")
_FENCE = load("migration/migration.fence")
_REOPEN = load("migration/migration.reopen")

WRITE_COMMANDS = {
    "hash": "HSET",
    "list": "RPUSH",
    "zset": "ZADD",
    "set": "SADD",
    "stream": "XADD",
    "string": "SET",
}
# An entry of a stream is an id and two fields with their values, because `state/audit.py` writes two fields.
WORDS_OF_STREAM_ENTRY = 5


class KeyValue(NamedTuple):
    """The content of a key.

    `ttl_ms` is the key's time to live in ms; -1 means no expiry. The items are in a fixed order.
    """

    kind: str
    ttl_ms: int
    items: tuple[bytes, ...]

    def with_prefix(self, old: bytes, new: bytes) -> "KeyValue":
        """Return this content with the prefix `new` in place of `old` in each key name that it contains."""
        return self._replace(items=tuple(item.replace(old, new) for item in self.items))

    def is_copied_in(self, other: "KeyValue | None") -> bool:
        """Return whether `other`, the same key on the other side, has the content of this key.

        None means that the other side lacks the key. The result is then true only if this key expires within
        ten seconds.
        """
        if other is None:
            return 0 <= self.ttl_ms < TTL_TOLERANCE_MS
        is_as_long = (self.ttl_ms < 0) == (other.ttl_ms < 0) and abs(
            self.ttl_ms - other.ttl_ms
        ) < TTL_TOLERANCE_MS
        return is_as_long and (self.kind, self.items) == (other.kind, other.items)


@dataclass(frozen=True)
class Side:
    """One installation's keys on one server. `where` is the server's address for people to read.

    `raw` is a client that returns bytes. `is_exclusive` means that no other process can use the store.
    """

    where: str
    connections: Connections
    raw: Redis
    keys: Keys
    is_exclusive: bool

    @property
    def prefix(self) -> bytes:
        """The beginning of all keys on this side."""
        return self.keys.prefix.encode()

    async def list_keys(self) -> set[bytes]:
        """Return the names of all keys to move, without the prefix."""
        found = self.raw.scan_iter(match=f"{self.keys.prefix}*", count=1_000)
        names = {key.removeprefix(self.prefix) async for key in found} - set(UNMOVED_KEYS)
        return {name for name in names if not name.startswith(PROBE)}

    async def count_threads(self) -> int:
        """Return the number of open threads."""
        return await self.connections.commands.hlen(self.keys.named("links"))

    async def read(self, names: Sequence[bytes]) -> dict[bytes, KeyValue]:
        """Return the content of keys. Missing keys are left out."""
        keys = [self.prefix + each for each in names]
        answered = await cast("Awaitable[list[Any]]", self.raw.eval(_READ, len(keys), *keys))
        found = {}
        for key, (kind, ttl_ms, items) in zip(keys, answered, strict=True):
            name = kind.decode()
            if name == "none":
                continue
            if name not in WRITE_COMMANDS:
                said = f"{key.decode(errors='replace')} in the store at {self.where} is of the kind {name}."
                raise UserError(said, "Use a version of Taskwire that knows it.")
            value = KeyValue(name, ttl_ms, _ordered(name, items or await self._read_long(name, key)))
            found[key.removeprefix(self.prefix)] = value
        return found

    async def _read_long(self, kind: str, key: bytes) -> list[bytes]:
        """Return the items of a key that needs several calls to read.

        The key does not change between the calls.
        """
        if kind == "hash":
            pairs = self.raw.hscan_iter(key, count=ITEMS_PER_CALL)
            return [word async for pair in pairs for word in pair]
        if kind == "set":
            return [word async for word in self.raw.sscan_iter(key, count=ITEMS_PER_CALL)]
        if kind == "stream":
            return await self._read_stream(key)
        command, more = ("ZRANGE", ("WITHSCORES",)) if kind == "zset" else ("LRANGE", ())
        found: list[bytes] = []
        start = 0
        while True:
            words = (command, key, start, start + ITEMS_PER_CALL - 1, *more)
            piece = await self.raw.execute_command(*words)  # type: ignore[no-untyped-call] # untyped
            if not piece:
                return found
            found += piece
            start += ITEMS_PER_CALL

    async def _read_stream(self, key: bytes) -> list[bytes]:
        """Return the entries of a stream. Each entry is its id, then its fields and their values."""
        found: list[bytes] = []
        start = b"-"
        while entries := cast(
            "list[tuple[bytes, dict[bytes, bytes]]]", await self.raw.xrange(key, start, count=ITEMS_PER_CALL)
        ):
            for entry_id, fields in entries:
                found += [entry_id, *(word for pair in fields.items() for word in pair)]
            start = b"(" + entries[-1][0]
        return found

    async def is_same_as(self, other: "Side") -> bool:
        """Return whether both sides are the same store.

        To find out, set a key on the other side, and look for this key on this side.
        """
        if self.prefix != other.prefix:
            return False
        key = self.prefix + PROBE + secrets.token_hex(8).encode()
        await other.raw.set(key, 1, px=PROBE_MS)
        is_there = bool(await self.raw.exists(key))
        await other.raw.delete(key)
        return is_there

    async def find_finished_move(self) -> str | None:
        """Return the id of the latest finished move into this side; None if there was none."""
        found = self.connections.commands.hget(self.keys.named("server"), "arrived")
        return await cast("Awaitable[str | None]", found)

    async def read_state(self) -> str:
        """Return one text that changes whenever the fence or the use of the store changes.

        `set_fence` takes this text as `seen`.
        """
        return cast("str", await self.run(_LOOK))

    async def remove_fence(self) -> bool:
        """Remove the fence unless the store is an incomplete copy. Return whether there was a fence."""
        return bool(await self.run(_REOPEN))

    async def set_fence(
        self, seen: str, state: FenceState, move: str, other: str, app: str, run: str
    ) -> None:
        """Set or update the fence.

        `seen` is an earlier result of `read_state`. Raises `UserError` if the store has changed since then.
        `state`, `move`, `other` and `app` are the fields of `Fence`. `run` is the id of this run.
        """
        if not await self.run(_FENCE, seen, state, move, other, app, run):
            raise UserError(
                f"Somebody has used or moved the store at {self.where} in this moment.",
                "Stop every Taskwire and every other move, then run this again.",
            )

    async def run(self, script: str, *words: str) -> object:
        """Run a Lua script on two keys: the fence, and the record about the server.

        `words` are the script's arguments. Return its answer.
        """
        keys = fence.key(self.keys), self.keys.named("server")
        return await cast("Awaitable[object]", self.connections.commands.eval(script, 2, *keys, *words))


def _ordered(kind: str, items: Sequence[bytes]) -> tuple[bytes, ...]:
    """Return the items in a fixed order, with all scores in one notation, so that two sides can be compared.

    Two Redis servers may list a set in different orders, and may write equal scores with different digits.
    """
    match kind:
        case "hash":
            pairs = sorted(zip(items[::2], items[1::2], strict=True))
            return tuple(word for pair in pairs for word in pair)
        case "set":
            return tuple(sorted(items))
        case "zset":
            scored = zip(items[::2], items[1::2], strict=True)
            return tuple(word for member, score in scored for word in (member, repr(float(score)).encode()))
        case _:
            return tuple(items)
