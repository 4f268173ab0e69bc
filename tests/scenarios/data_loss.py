"""Data loss in stories: copy the store, and later connect the bot to a Redis server that has only the
copy."""

import contextlib
import shutil
from collections.abc import Awaitable
from pathlib import Path
from typing import cast

import pytest

from taskwire import worker
from taskwire.app import bot
from taskwire.polling.task_list import POLL_LEASE_MS
from taskwire.redis import connection, embedded

from .world import World

# The bot checks for data loss only from time to time. Here it checks almost continuously.
MONITOR_SECONDS = 0.05


def look_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the bot check for data loss all the time, not only now and then."""
    monkeypatch.setattr(bot, "MONITOR_SECONDS", MONITOR_SECONDS)
    monkeypatch.setattr(worker, "DATA_LOSS_CHECK_SECONDS", 0.0)


class StoreCopy:
    """A copy of a world's store, made at one moment."""

    def __init__(self, world: World, directory: Path, stack: contextlib.AsyncExitStack) -> None:
        self._world = world
        self._store = directory / "store"
        self._copy = directory / "copy"
        self._stack = stack
        # If true, the new server also keeps the numbers of the polls, so that only observations are lost.
        self.keeps_numbers = False

    async def take(self) -> None:
        """Make the copy. The store writes to disk before it answers, so the copy is complete."""
        key = self._world.keys.named("server")
        await self._world.until(
            lambda: self._world.connections.commands.exists(key), "the bot uses the store"
        )
        leave_out = shutil.ignore_patterns("*.sock", "lock*")
        shutil.copytree(self._store, self._copy, ignore=leave_out, dirs_exist_ok=True)

    async def wait_until_outdated(self) -> None:
        """Wait until the bot has used the store again after the copy was made."""
        key = self._world.keys.named("server")
        now_ms = int(self._world.clock.stamp()) - 10_000

        async def is_used() -> bool:
            return int(await self._world.connections.commands.hget(key, "at") or 0) > now_ms

        await self._world.until(is_used, "the bot uses the store")

    async def replace_running_store(self) -> None:
        """Replace the store by a server that has the copy, while the bot runs. Wait until the bot has
        recovered."""
        world = self._world
        await self._replace()
        await world.until(lambda: world.bot.recovered_data_loss is not None, "the bot has noticed")
        await self._catch_up()

    async def replace_stopped_store(self) -> None:
        """Stop the bot, replace the store by a server that has the copy, and start the bot. The new process
        does not know what was written after the copy."""
        await self._world.stops()
        await self._replace()
        await self.start_bot()

    async def replace_store_and_stop_bot(self) -> None:
        """Replace the store while the bot runs, and stop the bot at once."""
        await self._replace()
        await self._world.stops()

    async def start_bot(self) -> None:
        """Start the bot again, and wait until it has recovered from the data loss."""
        await self._world.starts()
        await self._world.until(
            lambda: self._world.bot.recovered_data_loss is not None, "the bot has noticed"
        )
        await self._catch_up()

    async def _replace(self) -> None:
        assert self._world.store is not None, "this world's store has no faults"
        number = self._world.keys.named("poll:number")
        present = self._world.connections.commands.hgetall(number)
        numbers = await cast("Awaitable[dict[str, str]]", present)
        store = await self._stack.enter_async_context(embedded.store(self._copy))
        self._world.connections = await self._stack.enter_async_context(connection.open(store.url))
        if self.keeps_numbers:
            for account, count in numbers.items():
                await self._world.connections.commands.hset(number, account, count)
        self._world.store.leads_to(store.url)

    async def _catch_up(self) -> None:
        await self._world.until(lambda: self._world.bot.has_recorded_gap, "the threads are to be read")
        await self._world.settles()
        # The copy may contain the lease of a running poll. Let it lapse.
        self._world.clock.passes(POLL_LEASE_MS / 1000)
        await self._world.polls()
        await self.let_limits_pass()

    async def let_limits_pass(self) -> None:
        """Let twelve seconds pass, so that Slack's limits let the bot read a thread before it posts there."""
        for _ in range(3):
            await self._world.passes(seconds=4)
