"""Notes: short-lived values that may be lost without harm, such as the names of people.

Every note is sealed (encrypted and signed) together with its Redis key, so it cannot be moved to another key.
Cached answers decide who a person is and what the person may do. So a cached answer is used only if this
deployment has sealed it a short time ago, for this person or group. The age of an answer is measured by
Redis's clock, because the clocks of the hosts may differ.
"""

import secrets
from collections.abc import Awaitable, Sequence
from typing import cast

from taskwire import sealing, transport
from taskwire.queue import fence
from taskwire.queue.batch import Batch, Word
from taskwire.queue.lua_files import load
from taskwire.redis.connection import Connections
from taskwire.redis.keys import Keys
from taskwire.telemetry import logger

# How long a note is stored unless its writer says otherwise.
DEFAULT_TTL_MS = 300_000
# How long a request to Slack or Coder may take. After this time, no request that began before the latest
# change is under way.
CHANGE_TTL_MS = 120_000
# Each answer expires before it is this old. So an older answer was put back by somebody else, and it is not
# used.
OLDEST_CACHED_SECONDS = 60
# How long the time of Redis is computed from this process's monotonic clock before Redis is asked again.
CLOCK_SECONDS = 60.0

_log = logger("taskwire.state.notes")

_WRITE = load("state/notes.write", **fence.CONSTANTS)


class Notes:
    """The notes of one workspace. Each note expires. `parts` are the words of a note's key."""

    def __init__(self, connections: Connections, keys: Keys) -> None:
        self._redis = connections.commands
        self._keys = keys
        # How far Redis's clock is ahead of our monotonic clock, and when Redis was last asked.
        self._ahead_seconds, self._clock_read_at = 0.0, float("-inf")

    async def find(self, *parts: str) -> str | None:
        """Return the value of a note; None if the note has expired, or if this process cannot decrypt it."""
        key = self._keys.named("notes", *parts)
        kept = cast("str | None", await self._redis.get(key))
        try:
            return sealing.open_text(kept, key) if kept is not None else None
        except sealing.CannotOpen as error:
            _log.warning("note cannot be decrypted, treated as missing", key=key, why=str(error))
            return None

    async def find_signed(self, *parts: str) -> str | None:
        """Return the stored text of a note whose value has a signature of its own, such as a stored reply."""
        return cast("str | None", await self._redis.get(self._keys.named("notes", *parts)))

    async def keep(self, value: str, *parts: str, ttl_ms: int = DEFAULT_TTL_MS) -> None:
        """Store a note. It expires after `ttl_ms`."""
        key = self._keys.named("notes", *parts)
        await self._write("SET", key, sealing.seal_text(value, key), "PX", ttl_ms)

    async def forget(self, *parts: str) -> None:
        """Delete a note."""
        await self._write("DEL", self._keys.named("notes", *parts))

    async def find_cached(self, *parts: str) -> tuple[str | None, str]:
        """Return the cached answer, or None if it is outdated or missing.

        Also return the id of the last change. If there is no answer, the caller asks Slack or Coder, and
        stores the new answer with this id. If another change comes before the new answer is stored, the new
        answer is outdated at once.
        """
        answer, change = self._keys.named("cached", *parts), self._keys.named("cache_change", *parts)
        kept, last = cast("list[str | None]", await self._redis.mget(answer, change))
        asked_after, _, value = (await self._open(kept, answer) if kept else "").partition("\n")
        is_current = bool(kept) and asked_after == (last or "")
        return value if is_current else None, last or ""

    async def _open(self, kept: str, key: str) -> str:
        """Return the text of an answer that was sealed for this key.

        For any other value, return a text that counts as an outdated answer.
        """
        max_age = sealing.MaxAge(OLDEST_CACHED_SECONDS, await self._read_clock())
        try:
            return sealing.key_ring().open(kept, key, max_age)
        except sealing.CannotOpen as error:
            _log.warning("cached answer not trusted, asked for again", key=key, why=str(error))
            return "not ours\n"

    async def keep_cached(self, value: str, change: str, *parts: str, ttl_ms: int) -> None:
        """Cache an answer. `change` is the id of the last change before the answer was requested."""
        key = self._keys.named("cached", *parts)
        sealed = sealing.key_ring().seal(f"{change}\n{value}", key, await self._read_clock())
        await self._write("SET", key, sealed, "PX", ttl_ms)

    async def invalidate(self, *parts: str) -> None:
        """Mark the cached answer as outdated. Answers to requests that are under way are outdated too."""
        await self._write(
            "SET", self._keys.named("cache_change", *parts), secrets.token_hex(8), "PX", CHANGE_TTL_MS
        )

    def keep_in(self, batch: Batch, value: str, *parts: str, ttl_ms: int = DEFAULT_TTL_MS) -> Batch:
        """Add to a batch the write that stores a note for `ttl_ms`."""
        key = self._keys.named("notes", *parts)
        return batch.write_expiring(ttl_ms, "SET", key, sealing.seal_text(value, key))

    def forget_in(self, batch: Batch, *parts: str) -> Batch:
        """Add to a batch the write that deletes a note."""
        return batch.write("DEL", self._keys.named("notes", *parts))

    async def list_since(self, since_ms: int, *parts: str) -> list[int]:
        """Return the times of the counted events since `since_ms`, in order, in ms since 1970."""
        key = self._keys.named("notes", *parts)
        found = await self._redis.zrangebyscore(key, since_ms, "+inf", withscores=True)
        return [int(at_ms) for _, at_ms in cast("list[tuple[str, float]]", found)]

    async def list_counted(self, *parts: str) -> list[str]:
        """Return the names of counted events, the oldest first."""
        return cast("list[str]", await self._redis.zrange(self._keys.named("notes", *parts), 0, -1))

    def count_in(self, batch: Batch, name: str, at_ms: int, most: int, *parts: str, ttl_ms: int) -> Batch:
        """Add to a batch the write that counts an event.

        Several events with one `name` count once. Only the newest `most` events are stored.
        """
        key = self._keys.named("notes", *parts)
        batch.write_expiring(ttl_ms, "ZADD", key, at_ms, name)
        return batch.write("ZREMRANGEBYRANK", key, 0, -most - 1)

    async def keep_newest_in(
        self,
        batch: Batch,
        value: str,
        *parts: str,
        group: Sequence[str],
        at_ms: int,
        most: int,
        ttl_ms: int = DEFAULT_TTL_MS,
    ) -> Batch:
        """Add to a batch the writes that store a note, and forget the oldest ones of its group.

        Of each group, only the newest `most` notes are stored. The notes of a group differ in the last of
        `parts`. Raises RedisError.
        """
        *kind, name = parts
        earlier = [other for other in await self.list_counted(*group) if other != name]
        for old in earlier[: max(0, len(earlier) - most + 1)]:
            self.forget_in(batch, *kind, old)
        self.count_in(batch, name, at_ms, most, *group, ttl_ms=ttl_ms)
        return self.keep_in(batch, value, *parts, ttl_ms=ttl_ms)

    def uncount_in(self, batch: Batch, name: str, *parts: str) -> Batch:
        """Add to a batch the write that removes a counted event."""
        return batch.write("ZREM", self._keys.named("notes", *parts), name)

    async def keep_if_new(self, *parts: str, value: str = "1", ttl_ms: int = DEFAULT_TTL_MS) -> bool:
        """Store `value` unless the note exists. Return whether the value was stored."""
        key = self._keys.named("notes", *parts)
        return bool(await self._write("SET", key, sealing.seal_text(value, key), "PX", ttl_ms, "NX"))

    async def _read_clock(self) -> float:
        """Return the time by Redis's clock, in seconds since 1970."""
        now = transport.boottime()
        if now - self._clock_read_at > CLOCK_SECONDS:
            seconds, microseconds = await self._redis.time()
            self._ahead_seconds, self._clock_read_at = seconds + microseconds / 1_000_000 - now, now
        return transport.boottime() + self._ahead_seconds

    async def _write(self, command: str, key: str, *words: Word) -> object:
        return await self._run(_WRITE, key, command, *words)

    async def _run(self, script: str, key: str, *words: Word) -> object:
        """Run one write. Like every script, this one writes nothing if the store is fenced."""
        ran = self._redis.eval(script, 1, key, self._keys.prefix, *map(str, words))
        return await cast("Awaitable[object]", ran)
