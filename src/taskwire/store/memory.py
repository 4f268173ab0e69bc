"""Notes that may be lost without harm: what is known of people for some minutes, what was asked lately."""

from typing import cast

from taskwire.store.connection import Connections
from taskwire.store.keys import Keys
from taskwire.store.steps import Step

KNOWN_MS = 300_000


class Memory:
    """Short-lived notes of one workspace: each has a time to live and may be lost without harm."""

    def __init__(self, connections: Connections, keys: Keys) -> None:
        self._redis = connections.commands
        self._keys = keys

    async def find(self, *parts: str) -> str | None:
        """A note, if it is still there."""
        return cast("str | None", await self._redis.get(self._keys.named("memory", *parts)))

    async def keep(self, value: str, *parts: str, ttl_ms: int = KNOWN_MS) -> None:
        """Keep a note for a while."""
        await self._redis.set(self._keys.named("memory", *parts), value, px=ttl_ms)

    async def forget(self, *parts: str) -> None:
        """Drop a note."""
        await self._redis.delete(self._keys.named("memory", *parts))

    def keeping(self, step: Step, value: str, *parts: str, ttl_ms: int = KNOWN_MS) -> Step:
        """Keep a note with what the step writes, or not at all."""
        return step.write_expiring(ttl_ms, "SET", self._keys.named("memory", *parts), value)

    def forgetting(self, step: Step, *parts: str) -> Step:
        """Drop a note with what the step writes."""
        return step.write("DEL", self._keys.named("memory", *parts))

    async def is_first(self, *parts: str, value: str = "1", ttl_ms: int = KNOWN_MS) -> bool:
        """Whether this is the first time within the time to live; then `value` is kept."""
        key = self._keys.named("memory", *parts)
        return bool(await self._redis.set(key, value, nx=True, px=ttl_ms))
