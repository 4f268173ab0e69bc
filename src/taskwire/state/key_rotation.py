"""Encrypts stored values with the newest key after the operator has added a key.

It encrypts a few values at a time.

When no stored value needs an older key, a log line says that the older keys may be removed.

During a rotation, processes may have their keys in different orders. Each process records in Redis with which
key it seals. Only the processes with the most recently recorded key encrypt values again, so that no process
undoes the work of another process. The rotation ends only when all processes seal with this key.

If a value changes while it is encrypted, the changed value stays: either it has the newest key already, or
the next round finds it. Messages that are parked for a thread are left out, because they expire within ten
minutes.
"""

import secrets
from collections import Counter
from collections.abc import AsyncIterator, Awaitable
from typing import NamedTuple, cast

from taskwire import sealing
from taskwire.domain.durations import DAY_MS
from taskwire.queue.scripts import Clock, Script, load_script
from taskwire.redis.connection import Connections
from taskwire.redis.keys import Keys
from taskwire.telemetry import logger

# How many keys of Redis one `look` covers, and how many keys one SCAN lists.
KEYS_PER_LOOK, KEYS_PER_CALL = 2_000, 500
# If a process has not recorded its key for this time, it is gone. Redis stores the records for ORDER_TTL_MS.
IN_USE_MS, ORDER_TTL_MS = 60_000, DAY_MS

_RESEAL = load_script("state/keys.reseal")
_ORDER = load_script("state/keys.order")
_log = logger("taskwire.state.key_rotation")


class StoredValue(NamedTuple):
    """A value in Redis that contains sealed text.

    `field` is the name of the field if the key is a hash; empty if the key is a string.
    """

    key: str
    field: str
    text: str


class StoredKeys:
    """Finds which keys the stored values of one workspace need. Encrypts the values with the newest key."""

    def __init__(self, connections: Connections, keys: Keys, clock: Clock) -> None:
        self._redis = connections.commands
        self._keys = keys
        self._reseal = Script(connections.commands, keys, clock, _RESEAL)
        self._order = Script(connections.commands, keys, clock, _ORDER)
        self._process = secrets.token_hex(8)
        # Whether the last `look` has found that another process seals with a key that was recorded later.
        self._is_behind = False
        # The SCAN cursor at which the next `look` begins; None if no further round is needed.
        self._cursor: int | None = 0
        self._changed = self._left = 0

    def start_again(self) -> None:
        """Go through all stored values again, because there is a new key."""
        self._cursor, self._changed, self._left = 0, 0, 0

    async def count(self) -> Counter[str]:
        """Count the stored values of each encryption key, by the key's id. This reads all of Redis."""
        found: Counter[str] = Counter()
        cursor = -1
        while cursor != 0:
            cursor, names = await self._list_keys(max(cursor, 0))
            async for value in self._list_values(names):
                found.update(set(sealing.list_key_ids(value.text)))
        return found

    async def look(self) -> None:
        """Record this process's key. In one part of the store, encrypt the values with an older key again.

        Encrypt nothing if there is only one key, or if another process seals with a key that was recorded
        later.
        """
        ring = sealing.key_ring()
        order = self._order(self._process, ring.newest_id, IN_USE_MS, ORDER_TTL_MS)
        last, count = cast("list[str]", await order)
        if last != ring.newest_id:
            self._step_behind(last, ring)
            return None
        self._is_behind = False
        is_agreed = count == "1"
        if not is_agreed and self._cursor is None:
            self._cursor = 0
        if self._cursor is None or len(ring.ids) == 1:
            return None
        for _ in range(KEYS_PER_LOOK // KEYS_PER_CALL):
            cursor, names = await self._list_keys(self._cursor)
            async for value in self._list_values(names):
                await self._encrypt_anew(value, ring)
            if not cursor:
                return self._end_round(ring, is_agreed=is_agreed)
            self._cursor = cursor
        _log.info("encrypting stored values with the newest key", changed=self._changed)
        return None

    def _step_behind(self, last: str, ring: sealing.KeyRing) -> None:
        """Leave the store to the processes whose key was recorded later.

        When there are no such processes any more, begin a new round.
        """
        if not self._is_behind:
            _log.info(
                "another process has a newer key, encryption left to that process",
                hint="Give all processes the same TASKWIRE_SECRET_KEYS.",
                key=last,
                own_key=ring.newest_id,
            )
        self._is_behind = True
        self.start_again()

    def _end_round(self, ring: sealing.KeyRing, *, is_agreed: bool) -> None:
        is_over = not self._changed and not self._left
        if is_over and not is_agreed:
            # The processes that seal with an older key still store values that need that key.
            self._cursor = 0
            return
        if is_over:
            _log.info(
                "every stored value is encrypted with the newest key",
                hint="The other keys may be removed from TASKWIRE_SECRET_KEYS.",
                key=ring.newest_id,
            )
        elif not self._changed:
            _log.warning(
                "stored values are encrypted with a key that is not configured, left unchanged",
                hint="Add the missing key at the end of TASKWIRE_SECRET_KEYS.",
                values=self._left,
            )
        # If a round has changed something, another round checks that no value with an older key is left.
        self._cursor = 0 if self._changed else None
        self._changed = self._left = 0

    async def _encrypt_anew(self, value: StoredValue, ring: sealing.KeyRing) -> None:
        if set(sealing.list_key_ids(value.text)) <= {ring.newest_id}:
            return
        anew = ring.reseal(value.text)
        if anew == value.text:
            self._left += 1
        else:
            self._changed += 1
            await self._reseal(*value, anew)

    async def _list_keys(self, cursor: int) -> tuple[int, list[str]]:
        pattern = f"{self._keys.prefix}*"
        found = await self._redis.scan(cursor, match=pattern, count=KEYS_PER_CALL)
        return cast("tuple[int, list[str]]", found)

    async def _list_values(self, names: list[str]) -> AsyncIterator[StoredValue]:
        async with self._redis.pipeline(transaction=False) as pipe:
            for name in names:
                pipe.type(name)
            kinds = await pipe.execute()
        for name, kind in zip(names, kinds, strict=True):
            if kind == "string":
                text = cast("str | None", await self._redis.get(name))
                if text is not None and sealing.MARK in text:
                    yield StoredValue(name, "", text)
            elif kind == "hash":
                async for field, text in self._list_fields(name):
                    if sealing.MARK in text:
                        yield StoredValue(name, field, text)

    async def _list_fields(self, name: str) -> AsyncIterator[tuple[str, str]]:
        found = await cast("Awaitable[dict[str, str]]", self._redis.hgetall(name))
        for each in found.items():
            yield each
