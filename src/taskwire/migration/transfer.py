"""Moves all keys of one installation from one server to another, completely or not at all.

Both sides are fenced (`queue/fence`) before the first key is copied: no process of Taskwire can use them.
After the last key is compared, the target's fence is removed, and the source stays fenced. So no process can
work on both sides. If a move is killed, the next start continues it. Keys are copied by type. DUMP is not
used, because its format differs between servers.
"""

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple, cast

from redis.asyncio.client import Pipeline
from redis.exceptions import ResponseError

from taskwire.domain.errors import UserError
from taskwire.migration.bound_values import open_for_prefix, seal_for_prefix
from taskwire.migration.side import (
    FENCE,
    ITEMS_PER_CALL,
    PARKED,
    WORDS_OF_STREAM_ENTRY,
    WRITE_COMMANDS,
    KeyValue,
    Side,
)
from taskwire.queue import fence
from taskwire.queue.fence import Fence
from taskwire.queue.lua_files import load
from taskwire.queue.scripts import ServerClock
from taskwire.state import owner as owners
from taskwire.state.owner import Owner, Ownership

# A running process updates its record in the store more often than this, in ms.
IDLE_MS = 10_000
IDLE_CHECK_SECONDS = 0.5
# How many keys are read in one call. The value of a key may have a hundred kilobytes.
KEYS_PER_CALL = 100
# How many passes over all keys are made before a move is abandoned. Each pass copies the keys that differ.
# The last pass must find no difference. If no other process writes, that is the second pass.
MAX_PASSES = 4
SYNC_MS = 10_000
PROGRESS_SECONDS = 5.0

# The error if another run has taken the move over or ended it, or if the store was opened again.
_TAKEN_OVER = "another run of this move has taken over, or the store was opened again"
# The error reply of a script if another run has taken the move over or ended it.
_REFUSAL = f"ELSEWHERE {_TAKEN_OVER}"
_WRITE = load("migration/migration.write", TAKEN_OVER=_REFUSAL)
_LEAVE = load("migration/migration.leave", TAKEN_OVER=_REFUSAL)
_OPEN = load("migration/migration.open", TAKEN_OVER=_REFUSAL)
_ITEM_WORDS = {"hash": 2, "zset": 2}

Report = Callable[[str], None]
# A command, the name of its key, and its arguments.
Command = tuple[Any, ...]


class Moved(NamedTuple):
    """The number of moved keys and the number of open threads."""

    keys: int
    threads: int


def _commands(name: bytes, value: KeyValue) -> Iterator[Command]:
    """Yield the commands that write this content to a key."""
    yield ("DEL", name)
    # One XADD adds only one entry, so a command gets the words of one entry.
    each = ITEMS_PER_CALL * _ITEM_WORDS.get(value.kind, 1)
    each = WORDS_OF_STREAM_ENTRY if value.kind == "stream" else each
    for start in range(0, len(value.items), each):
        piece = value.items[start : start + each]
        if value.kind == "zset":
            piece = tuple(word for at in range(0, len(piece), 2) for word in (piece[at + 1], piece[at]))
        yield (WRITE_COMMANDS[value.kind], name, *piece)
    if value.ttl_ms >= 0:
        yield ("PEXPIRE", name, value.ttl_ms)


class Transfer:
    """One run of a move. `owner` is the installation that moves; `report` gets lines about the progress."""

    def __init__(self, source: Side, target: Side, owner: Owner, report: Report) -> None:
        self._source = source
        self._target = target
        self._owner = owner
        self._report = report
        self._run = secrets.token_hex(8)
        self._reported_at = 0.0

    async def move(self, *, replaces: bool = False) -> Moved | None:
        """Copy all keys and switch over to the target. Return None if an earlier run has finished this move.

        Raise `UserError` if the move is not allowed; then nothing was changed. Raise `UserError` too if
        another run takes over, or if a process still writes to the source. If the target already has data
        under its prefix, this data is deleted, but only if `replaces` is true.
        """
        try:
            return await self._move(replaces=replaces)
        except ResponseError as error:
            if _TAKEN_OVER not in str(error):
                raise
            raise UserError(
                f"{_TAKEN_OVER[0].upper()}{_TAKEN_OVER[1:]}.",
                "Wait for the other run to end, or look with `taskwire doctor`.",
            ) from error

    async def _move(self, *, replaces: bool) -> Moved | None:
        if not await self._begin(replaces=replaces):
            return None
        for _ in range(MAX_PASSES):
            keys, different = await self._copy_differences()
            if not different:
                await self._switch_over()
                return Moved(keys, await self._target.count_threads())
        raise UserError(
            f"The store at {self._source.where} changes while it is copied.",
            "Something still writes there: stop every Taskwire that uses it, then run this again.",
        )

    async def _begin(self, *, replaces: bool) -> bool:
        """Check that the move is allowed, and fence both sides. Return True.

        If an earlier run has finished this move, change nothing and return False.
        """
        source, target, run = self._source, self._target, self._run
        if await source.is_same_as(target):
            raise same_store()
        seen = await source.read_state(), await target.read_state()
        left, there = await fence.find(source.connections, source.keys), await self._find_target_fence()
        if left is None and not await source.list_keys():
            raise UserError(
                f"There is nothing at {source.where} under the key prefix {source.keys.installation}.",
                "Look at --from and --from-prefix.",
            )
        await self._require_same_owner(there)
        if left is not None and there is None and left.move == await target.find_finished_move():
            return False
        move = self._find_interrupted_move(left, there)
        if move is None:
            await self._require_replaceable(there, replaces=replaces)
            await self._require_idle(source)
            move = secrets.token_hex(8)
        else:
            self._report("It goes on where it was.")
        await target.set_fence(seen[1], "arriving", move, source.where, self._owner.app, run)
        await source.set_fence(seen[0], "leaving", move, target.where, self._owner.app, run)
        return True

    async def _find_target_fence(self) -> Fence | None:
        return await fence.find(self._target.connections, self._target.keys)

    async def _require_same_owner(self, there: Fence | None) -> None:
        """Raise `UserError` if the source or the target belongs to another installation.

        `there` is the target's fence; None if the target has none.
        """
        noted = []
        for side in (self._source, self._target):
            found = await Ownership(side.connections, side.keys, ServerClock()).find()
            if found is not None:
                noted.append(found)
                if refused := owners.refusal(
                    found, Owner(self._owner.app, found.coder, found.url), side.where
                ):
                    raise refused
        if len(noted) == 2 and (refused := owners.refusal(noted[1], noted[0], self._target.where)):
            raise refused
        if there is not None and there.app != self._owner.app:
            raise fence.refusal(there, self._target.where)

    def _find_interrupted_move(self, left: Fence | None, there: Fence | None) -> str | None:
        """Return the id of the interrupted move that this run continues; None if this run begins a new move.

        `left` is the source's fence, and `there` the target's; None means no fence. Raise `UserError` if the
        source's data was moved or is being moved to another store, or if the source is an incomplete copy.
        """
        if left is None:
            return None
        is_same = there is not None and there.state == "arriving" and there.move == left.move
        if left.state != "arriving" and is_same:
            return left.move
        if left.state == "leaving" and left.other == self._target.where:
            return None
        raise fence.refusal(left, self._source.where)

    async def _require_replaceable(self, there: Fence | None, *, replaces: bool) -> None:
        """Raise `UserError` if the target has data, has no fence, and `replaces` is false.

        `there` is the target's fence; None if there is none. A target with a fence may be replaced even if
        `replaces` is false, because its data was moved away or is an incomplete copy. There is one exception:
        if the fence says `leaving`, a move out of the target was interrupted. Then raise `UserError`, even if
        `replaces` is true.

        If `replaces` is true and the target has data and no fence, raise `UserError` if a process uses the
        target.
        """
        target = self._target
        if there is not None and there.state == "leaving":
            raise fence.refusal(there, target.where)
        if there is not None or not await target.list_keys():
            return
        if not replaces:
            count = open_threads(await target.count_threads())
            raise UserError(
                f"The store at {target.where} is not empty: it has {count}.",
                "Nothing is merged. Take another database or TASKWIRE_KEY_PREFIX, or add --replace to drop "
                "what is there.",
            )
        await self._require_idle(target)

    async def _require_idle(self, side: Side) -> None:
        if side.is_exclusive:
            return
        first = None
        while True:
            seconds, microseconds = await side.connections.commands.time()
            noted = side.connections.commands.hget(side.keys.named("server"), "at")
            at = int(await cast("Awaitable[str | None]", noted) or "0")
            if seconds * 1000 + microseconds // 1000 - at > IDLE_MS:
                return
            if first is None:
                self._report(f"Looking for {IDLE_MS // 1000} s whether a Taskwire works at {side.where} ...")
            if at != (first := first or at):
                raise UserError(
                    f"A Taskwire works on the store at {side.where}.",
                    "Stop all that use it, then run this again.",
                )
            await asyncio.sleep(IDLE_CHECK_SECONDS)

    async def _copy_differences(self) -> tuple[int, int]:
        """Copy the keys that differ. Return the number of all keys, and the number of keys that differed."""
        names = sorted(await self._source.list_keys())
        surplus = await self._target.list_keys() - set(names)
        await self._drop(surplus)
        different = len(surplus)
        for start in range(0, len(names), KEYS_PER_CALL):
            piece = names[start : start + KEYS_PER_CALL]
            wanted, there = await self._read_wanted(piece), await self._target.read(piece)
            wrong = [name for name, value in wanted.items() if not self._is_there(name, value, there)]
            await self._write(each for name in wrong for each in self._list_commands(name, wanted[name]))
            await self._drop(name for name in there if name not in wanted)
            different += len(wrong)
            self._report_progress(start + len(piece), len(names))
        return len(names), different

    async def _read_wanted(self, names: Sequence[bytes]) -> dict[bytes, KeyValue]:
        """Return these keys with the content that the target must have.

        A parked batch is a stored write that contains key names. These names get the target's prefix.
        """
        old, new = self._source.prefix, self._target.prefix
        found = await self._source.read(names)
        return {n: v.with_prefix(old, new) if n.startswith(PARKED) else v for n, v in found.items()}

    def _is_there(self, name: bytes, wanted: KeyValue, there: dict[bytes, KeyValue]) -> bool:
        """Return whether the target has the wanted content of a key."""
        found, old, new = there.get(name), self._source.prefix, self._target.prefix
        if found is None or old == new:
            return wanted.is_copied_in(found)
        return open_for_prefix(name, wanted, old).is_copied_in(open_for_prefix(name, found, new))

    def _list_commands(self, name: bytes, wanted: KeyValue) -> Iterator[Command]:
        """Return the commands that write the wanted content of a key to the target."""
        old, new = self._source.prefix, self._target.prefix
        return _commands(name, wanted if old == new else seal_for_prefix(name, wanted, old, new))

    def _report_progress(self, done: int, count: int) -> None:
        if time.monotonic() - self._reported_at >= PROGRESS_SECONDS:
            self._reported_at = time.monotonic()
            self._report(f"{done} of {count} keys are compared and copied ...")

    async def _drop(self, names: Iterable[bytes]) -> None:
        await self._write(("DEL", name) for name in names)

    async def _write(self, commands: Iterable[Command]) -> None:
        """Write to the target. The write fails if another run has taken over the move."""
        waiting = list(commands)
        for start in range(0, len(waiting), KEYS_PER_CALL):
            async with self._target.raw.pipeline(transaction=False) as pipe:
                for command in waiting[start : start + KEYS_PER_CALL]:
                    self._add(pipe, command)
                await pipe.execute()

    def _add(self, pipe: Pipeline, command: Command) -> None:
        word, name, *words = command
        keys = fence.key(self._target.keys), self._target.prefix + name
        pipe.eval(_WRITE, 2, *keys, self._run, word, *words)

    async def _switch_over(self) -> None:
        """Wait until the target has the data on its disk and on its replicas.

        Then switch over to the target.
        """
        source, target = self._source, self._target
        copies = target.connections.required_replicas
        async with target.raw.pipeline(transaction=False) as pipe:
            self._add(pipe, ("HSET", FENCE, "run", self._run))
            pipe.execute_command("WAITAOF", 1, 0, SYNC_MS)
            pipe.execute_command("WAIT", copies, SYNC_MS)
            written, synced, kept = await pipe.execute(raise_on_error=False)
        for answer in (written, kept):
            if isinstance(answer, Exception):
                raise answer
        # A server without WAITAOF, or without an append-only file, returns an error. `taskwire doctor`
        # reports such a server.
        if (not isinstance(synced, ResponseError) and synced[0] < 1) or kept < copies:
            raise UserError(
                f"The server at {target.where} has not written down within {SYNC_MS // 1000} s what it got.",
                "Look at its disk and its replicas, then run this again.",
            )
        await source.run(_LEAVE, self._run)
        await target.run(_OPEN, self._run)


def same_store() -> UserError:
    """Return the error for a move from a store to itself."""
    return UserError(
        "--from names the store that the settings name too.",
        "Set REDIS_URL (or take it away, for the embedded store) to say where it is to go, and --from to "
        "where it is now.",
    )


async def reopen(side: Side) -> Fence | None:
    """Remove the fence from the source of a move, so that processes can use this store again.

    Return the removed fence; None if there was none. Raises `UserError` if the store is an incomplete copy.
    This store lacks all writes that the target got after the move. So the next process acts as after data
    loss: before it makes a call for the first time, it checks whether the call was already made.
    """
    found = await fence.find(side.connections, side.keys)
    if found is not None and not await side.remove_fence():
        found = await fence.find(side.connections, side.keys)
        if found is not None:
            raise fence.refusal(found, side.where)
    return found


def open_threads(count: int) -> str:
    """Return a number of open threads as a text, for example `1 open thread`."""
    return "1 open thread" if count == 1 else f"{count} open threads"
