"""A store that goes back: a copy is kept of how it was, and the bot is led to another server that has it."""

import contextlib
import shutil
from pathlib import Path

import pytest

from taskwire import running
from taskwire.bridge import work
from taskwire.store import connection, embedded

from .world import World

# The bot looks now and then whether it has happened; here it does so all the time.
LOOK_SECONDS = 0.05


def look_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the bot notice at once."""
    monkeypatch.setattr(running, "LOOK_SECONDS", LOOK_SECONDS)
    monkeypatch.setattr(work, "LOOK_BACK_SECONDS", LOOK_SECONDS)


class Past:
    """How a world's store was at one moment."""

    def __init__(self, world: World, directory: Path, stack: contextlib.AsyncExitStack) -> None:
        self._world = world
        self._store = directory / "store"
        self._copy = directory / "copy"
        self._stack = stack

    async def is_now(self) -> None:
        """Keep a copy. The store writes everything down before it answers, so the copy is whole."""
        key = self._world.keys.named("server")
        await self._world.until(
            lambda: self._world.connections.commands.exists(key), "the bot uses the store"
        )
        leave_out = shutil.ignore_patterns("*.sock", "lock*")
        shutil.copytree(self._store, self._copy, ignore=leave_out, dirs_exist_ok=True)

    async def comes_back(self) -> None:
        """Put another server in the store's place that has what the copy has, and let the bot catch up."""
        world = self._world
        await self._replace()
        await world.until(lambda: world.bot.caught_up is not None, "the bot has noticed")
        await self._caught_up()

    async def is_restored(self) -> None:
        """Do the same while the bot is off: it remembers nothing itself."""
        await self._world.stops()
        await self._replace()
        await self._world.starts()
        await self._caught_up()

    async def _replace(self) -> None:
        assert self._world.store is not None, "this world's store has no faults"
        store = await self._stack.enter_async_context(embedded.store(self._copy))
        self._world.connections = await self._stack.enter_async_context(connection.open(store.url))
        self._world.store.leads_to(store.url)

    async def _caught_up(self) -> None:
        await self._world.until(lambda: self._world.bot.has_noted_gap, "the threads are to be read")
        await self._world.settles()
