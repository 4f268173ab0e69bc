"""Notes that may be lost without harm, such as what is known of people and what was asked lately."""

import secrets
from collections.abc import Awaitable
from typing import cast

from taskwire.queue import fence
from taskwire.queue.batch import Batch, Word
from taskwire.queue.lua_files import load
from taskwire.redis.connection import Connections
from taskwire.redis.keys import Keys

# How long a note is kept unless its writer says otherwise.
DEFAULT_TTL_MS = 300_000
# How long a question to the outside may take. A question asked before a change is answered by then.
CHANGE_TTL_MS = 120_000

_WRITE = load("state/notes.write", **fence.CONSTANTS)


class Notes:
    """Short-lived notes of one workspace. Each expires, and may be lost without harm."""

    def __init__(self, connections: Connections, keys: Keys) -> None:
        self._redis = connections.commands
        self._keys = keys

    async def find(self, *parts: str) -> str | None:
        """Find a note, if it has not expired."""
        return cast("str | None", await self._redis.get(self._keys.named("notes", *parts)))

    async def keep(self, value: str, *parts: str, ttl_ms: int = DEFAULT_TTL_MS) -> None:
        """Keep a note until it expires."""
        await self._write("SET", self._keys.named("notes", *parts), value, "PX", ttl_ms)

    async def forget(self, *parts: str) -> None:
        """Remove a note."""
        await self._write("DEL", self._keys.named("notes", *parts))

    async def find_cached(self, *parts: str) -> tuple[str | None, str]:
        """Find an answer that no later change has overtaken; also returns the id of the last change.

        A caller that asks again stores its new answer with this id. A change that happens meanwhile then
        overtakes that answer.
        """
        answer, change = self._keys.named("cached", *parts), self._keys.named("cache_change", *parts)
        kept, last = cast("list[str | None]", await self._redis.mget(answer, change))
        asked_after, _, value = (kept or "").partition("\n")
        is_current = kept is not None and asked_after == (last or "")
        return value if is_current else None, last or ""

    async def keep_cached(self, value: str, change: str, *parts: str, ttl_ms: int) -> None:
        """Store an answer to a question that was asked after this change."""
        await self._write("SET", self._keys.named("cached", *parts), f"{change}\n{value}", "PX", ttl_ms)

    async def invalidate(self, *parts: str) -> None:
        """Overtake all answers to questions that were asked before now."""
        await self._write(
            "SET", self._keys.named("cache_change", *parts), secrets.token_hex(8), "PX", CHANGE_TTL_MS
        )

    def keep_in(self, batch: Batch, value: str, *parts: str, ttl_ms: int = DEFAULT_TTL_MS) -> Batch:
        """Keep a note when the batch is written."""
        return batch.write_expiring(ttl_ms, "SET", self._keys.named("notes", *parts), value)

    def forget_in(self, batch: Batch, *parts: str) -> Batch:
        """Remove a note when the batch is written."""
        return batch.write("DEL", self._keys.named("notes", *parts))

    async def list_since(self, since_ms: int, *parts: str) -> list[int]:
        """Return the times of counted events, from a moment on, in order."""
        key = self._keys.named("notes", *parts)
        found = await self._redis.zrangebyscore(key, since_ms, "+inf", withscores=True)
        return [int(at_ms) for _, at_ms in cast("list[tuple[str, float]]", found)]

    def count_in(self, batch: Batch, name: str, at_ms: int, most: int, *parts: str, ttl_ms: int) -> Batch:
        """Count an event once by its name when the batch is written; the newest `most` events are kept."""
        key = self._keys.named("notes", *parts)
        batch.write_expiring(ttl_ms, "ZADD", key, at_ms, name)
        return batch.write("ZREMRANGEBYRANK", key, 0, -most - 1)

    def uncount_in(self, batch: Batch, name: str, *parts: str) -> Batch:
        """Remove a counted event when the batch is written."""
        return batch.write("ZREM", self._keys.named("notes", *parts), name)

    async def keep_if_new(self, *parts: str, value: str = "1", ttl_ms: int = DEFAULT_TTL_MS) -> bool:
        """Keep `value` unless one is kept already; returns whether this was the first time."""
        key = self._keys.named("notes", *parts)
        return bool(await self._write("SET", key, value, "PX", ttl_ms, "NX"))

    async def _write(self, command: str, key: str, *words: Word) -> object:
        return await self._run(_WRITE, key, command, *words)

    async def _run(self, script: str, key: str, *words: Word) -> object:
        """Run a write by itself. Like every script, it writes nothing if the store is fenced."""
        ran = self._redis.eval(script, 1, key, self._keys.prefix, *map(str, words))
        return await cast("Awaitable[object]", ran)
