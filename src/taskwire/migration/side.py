"""One side of a move: what one installation keeps on one server, read as any other server would hold it.

And the fence there, which is put up only where nothing has happened since somebody looked. What becomes of it
all is `transfer`'s.
"""

import secrets
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

from redis.asyncio import Redis

from taskwire.domain.errors import UserError
from taskwire.queue import fence
from taskwire.queue.fence import FenceState
from taskwire.redis.connection import Connections
from taskwire.redis.keys import Keys

# What is said of the server itself, and not of what it keeps.
FENCE, KEPT = b"fence", b"parked:"
STAYS = (FENCE, b"server")
# What shows that two addresses lead to one store. A run that dies leaves it behind for so long.
PROBE, PROBE_MS = b"probe:", 10_000
# Items of one key that are read at once.
ITEMS_EACH = 200
# The two servers are asked one after the other, and their clocks need not agree.
ABOUT_MS = 10_000

# Of each key its type, its time to live, and what is in it unless that is too much for one answer.
_READ = f"""
local sizes = {{hash = 'HLEN', list = 'LLEN', zset = 'ZCARD', set = 'SCARD'}}
local found = {{}}
for i, key in ipairs(KEYS) do
  local kind, items = redis.call('TYPE', key).ok, false
  if kind == 'string' then
    items = {{redis.call('GET', key)}}
  elseif sizes[kind] and redis.call(sizes[kind], key) <= {ITEMS_EACH} then
    if kind == 'hash' then items = redis.call('HGETALL', key)
    elseif kind == 'list' then items = redis.call('LRANGE', key, 0, -1)
    elseif kind == 'zset' then items = redis.call('ZRANGE', key, 0, -1, 'WITHSCORES')
    else items = redis.call('SMEMBERS', key) end
  end
  found[i] = {{kind, redis.call('PTTL', key), items}}
end
return found
"""

# What is known of a side: the fence around it, when a Taskwire last worked on it, and which move ended there.
# A fence is put up only where that is still what was looked at: a run that stood still meanwhile, however
# long, fences neither what was opened since nor what somebody works on.
_SEEN = """
local seen = {}
for i, each in ipairs({'state', 'move', 'run', 'at'}) do
  seen[i] = redis.call('HGET', KEYS[1], each) or ''
end
for _, each in ipairs({'at', 'arrived'}) do seen[#seen + 1] = redis.call('HGET', KEYS[2], each) or '' end
seen = table.concat(seen, ' ')
"""
_LOOK = _SEEN + "\nreturn seen\n"
_FENCE = (
    _SEEN
    + """
if seen ~= ARGV[1] then return '' end
redis.call('HSET', KEYS[1], 'state', ARGV[2], 'move', ARGV[3], 'other', ARGV[4], 'app', ARGV[5],
           'run', ARGV[6], 'at', redis.call('TIME')[1] .. '000')
return 'fenced'
"""
)

# What was left is another server for whoever goes on with it. A part of a store stays closed.
_REOPEN = """
local state = redis.call('HGET', KEYS[1], 'state')
if state == 'arriving' then return 0 end
if state == 'left' then redis.call('HSET', KEYS[2], 'id', 'left') end
return redis.call('DEL', KEYS[1])
"""

PUSH = {"hash": "HSET", "list": "RPUSH", "zset": "ZADD", "set": "SADD", "string": "SET"}


class KeyValue(NamedTuple):
    """What a key holds: its type, how long it has to live in ms (-1: for ever), its items in one order."""

    kind: str
    life_ms: int
    items: tuple[bytes, ...]

    def told_of(self, old: bytes, new: bytes) -> "KeyValue":
        """The same where keys that it names begin otherwise."""
        return self._replace(items=tuple(item.replace(old, new) for item in self.items))

    def is_copied_in(self, other: "KeyValue | None") -> bool:
        """Whether the other is as good as this one; what is about to end need not be there any more."""
        if other is None:
            return 0 <= self.life_ms < ABOUT_MS
        is_as_long = (self.life_ms < 0) == (other.life_ms < 0) and abs(
            self.life_ms - other.life_ms
        ) < ABOUT_MS
        return is_as_long and (self.kind, self.items) == (other.kind, other.items)


@dataclass(frozen=True)
class Side:
    """One installation's keys on one server, whose place for people is `where`.

    `raw` gives bytes; `is_held`: nobody else can work on it.
    """

    where: str
    connections: Connections
    raw: Redis
    keys: Keys
    is_held: bool

    @property
    def prefix(self) -> bytes:
        """What all keys here begin with."""
        return self.keys.prefix.encode()

    async def list_names(self) -> set[bytes]:
        """The keys of all that is to be moved, without what each begins with."""
        found = self.raw.scan_iter(match=f"{self.keys.prefix}*", count=1_000)
        names = {key.removeprefix(self.prefix) async for key in found} - set(STAYS)
        return {name for name in names if not name.startswith(PROBE)}

    async def count_threads(self) -> int:
        """How many threads are open."""
        return await self.connections.commands.hlen(self.keys.named("links"))

    async def read(self, names: Sequence[bytes]) -> dict[bytes, KeyValue]:
        """What is in these; what is not there is left out."""
        keys = [self.prefix + each for each in names]
        answered = await cast("Awaitable[list[Any]]", self.raw.eval(_READ, len(keys), *keys))
        found = {}
        for key, (kind, life_ms, items) in zip(keys, answered, strict=True):
            name = kind.decode()
            if name == "none":
                continue
            if name not in PUSH:
                said = f"{key.decode(errors='replace')} in the store at {self.where} is of the kind {name}."
                raise UserError(said, "Use a version of Taskwire that knows it.")
            value = KeyValue(name, life_ms, _ordered(name, items or await self._long(name, key)))
            found[key.removeprefix(self.prefix)] = value
        return found

    async def _long(self, kind: str, key: bytes) -> list[bytes]:
        """What is in a key that is read in pieces; nobody changes it meanwhile."""
        if kind == "hash":
            pairs = self.raw.hscan_iter(key, count=ITEMS_EACH)
            return [word async for pair in pairs for word in pair]
        if kind == "set":
            return [word async for word in self.raw.sscan_iter(key, count=ITEMS_EACH)]
        command, more = ("ZRANGE", ("WITHSCORES",)) if kind == "zset" else ("LRANGE", ())
        found: list[bytes] = []
        start = 0
        while True:
            words = (command, key, start, start + ITEMS_EACH - 1, *more)
            piece = await self.raw.execute_command(*words)  # type: ignore[no-untyped-call] # as redis-py has it
            if not piece:
                return found
            found += piece
            start += ITEMS_EACH

    async def is_same_as(self, other: "Side") -> bool:
        """Whether both are one store, however spelt: what is put into the other one shows here."""
        if self.prefix != other.prefix:
            return False
        key = self.prefix + PROBE + secrets.token_hex(8).encode()
        await other.raw.set(key, 1, px=PROBE_MS)
        is_there = bool(await self.raw.exists(key))
        await other.raw.delete(key)
        return is_there

    async def find_arrived(self) -> str | None:
        """The move that ended here last, if one ever did."""
        found = self.connections.commands.hget(self.keys.named("server"), "arrived")
        return await cast("Awaitable[str | None]", found)

    async def look(self) -> str:
        """What a fence that is put up here has to find."""
        return cast("str", await self.run(_LOOK))

    async def reopened(self) -> bool:
        """Take the fence away, if there is one around what is whole."""
        return bool(await self.run(_REOPEN))

    async def fenced(self, seen: str, state: FenceState, move: str, other: str, app: str, run: str) -> None:
        """Put the fence up, or say anew what it stands for; UserError if this is not what was seen."""
        if not await self.run(_FENCE, seen, state, move, other, app, run):
            raise UserError(
                f"Somebody has used or moved the store at {self.where} in this moment.",
                "Stop every Taskwire and every other move, then run this again.",
            )

    async def run(self, script: str, *words: str) -> object:
        """Carry out a script on the fence and what is known of the server."""
        keys = fence.key(self.keys), self.keys.named("server")
        return await cast("Awaitable[object]", self.connections.commands.eval(script, 2, *keys, *words))


def _ordered(kind: str, items: Sequence[bytes]) -> tuple[bytes, ...]:
    """Items as any server would give them: hashes and sets have no order, and scores several spellings."""
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
