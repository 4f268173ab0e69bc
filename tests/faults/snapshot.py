"""Snapshots: the state at the start of a flow, kept once and restored before each run.

The preparation of all actors' tasks takes longer than most flows, so it is done once. Before each run, the
contents of the store, both stand-ins, the actors and the clock are restored. The objects themselves stay,
because servers and tests refer to them.
"""

import asyncio
import random
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from enum import Enum
from functools import partial
from typing import Any

from redis.asyncio import Redis

# Only objects of these modules are restored. The contents of others do not change during a run, or belong to
# the running process and not to a state.
_RESTORED = ("taskwire_sandbox.", "tests.faults.actors", "tests.faults.flows")
_OF_THE_PROCESS = frozenset({"CoderSandbox", "Ledger", "SlackSandbox"})
# Objects on which something waits in the running process cannot be restored.
_WAITING = (asyncio.Event, asyncio.Future, asyncio.Queue)

Restore = Callable[[], None]


class ObjectSnapshot:
    """The contents of all objects that can be reached from some root objects."""

    def __init__(self, *roots: object) -> None:
        self._restores: list[Restore] = []
        # Keeps a reference to every visited object, so that no new object gets the id of a visited one.
        self._seen: dict[int, object] = {}
        waiting = list(roots)
        while waiting:
            found = waiting.pop()
            if id(found) not in self._seen:
                self._seen[id(found)] = found
                waiting += self._keep(found)

    def restore(self) -> None:
        """Give every object the contents that it had at the snapshot."""
        for restore in self._restores:
            restore()

    def _keep(self, found: object) -> Iterable[object]:
        """Keep the contents of one object, and return the objects in it."""
        match found:
            case dict():
                items = list(found.items())
                self._restores.append(partial(_refill, found, found.update, items))
                return [part for item in items for part in item]
            case list() | deque():
                members = list(found)
                self._restores.append(partial(_refill, found, found.extend, members))
                return members
            case set():
                kept = set(found)
                self._restores.append(partial(_refill, found, found.update, kept))
                return kept
            case tuple() | frozenset():
                return found
            case random.Random():
                self._restores.append(partial(found.setstate, found.getstate()))
                return ()
        return self._keep_object(found) if _is_restored(found) else ()

    def _keep_object(self, found: object) -> Iterable[object]:
        fields = {name: getattr(found, name) for name in _names_of_fields(found)}
        waits = [name for name, value in fields.items() if isinstance(value, _WAITING)]
        assert not waits, f"{type(found).__name__} belongs to the process, because of {waits}"

        def restore() -> None:
            for name in [name for name in _names_of_fields(found) if name not in fields]:
                object.__delattr__(found, name)
            for name, value in fields.items():
                object.__setattr__(found, name, value)

        self._restores.append(restore)
        return fields.values()


def _refill(
    container: dict[object, object] | list[object] | deque[object] | set[object],
    fill: Callable[[Iterable[Any]], None],
    contents: Iterable[object],
) -> None:
    container.clear()
    fill(contents)


def _is_restored(found: object) -> bool:
    kind = type(found)
    if isinstance(found, (type, Enum)):
        return False
    return kind.__module__.startswith(_RESTORED) and kind.__name__ not in _OF_THE_PROCESS


def _names_of_fields(found: object) -> Iterator[str]:
    yield from getattr(found, "__dict__", ())
    for kind in type(found).__mro__:
        for name in getattr(kind, "__slots__", ()):
            if hasattr(found, name):
                yield name


class StoreSnapshot:
    """All keys of one Redis database, each with its remaining time to live."""

    def __init__(self, store: "Redis") -> None:
        """Prepare a snapshot of `store`. This client must return bytes."""
        self._store = store
        self._rows: list[tuple[bytes, bytes, int]] = []

    async def take(self) -> None:
        """Read all keys."""
        keys = [key async for key in self._store.scan_iter(count=1000)]
        async with self._store.pipeline(transaction=True) as all_at_once:
            for key in keys:
                all_at_once.dump(key)
                all_at_once.pttl(key)
            answers = await all_at_once.execute()
        rows = zip(keys, answers[::2], answers[1::2], strict=True)
        self._rows = [(key, value, max(int(left_ms), 0)) for key, value, left_ms in rows if value is not None]

    async def restore(self) -> None:
        """Replace all keys of the database by those of the snapshot."""
        async with self._store.pipeline(transaction=True) as all_at_once:
            all_at_once.flushdb()
            for key, value, left_ms in self._rows:
                all_at_once.restore(key, left_ms, value)
            await all_at_once.execute()
