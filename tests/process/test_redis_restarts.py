"""Redis restarts while a bot runs. Jobs are suspect only if Redis has lost data."""

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

from redis.asyncio import Redis

from taskwire.redis.keys import Keys
from tests.ports import free_port

from .conftest import redis_on
from .processes import Place, Taskwire, until

BACK = "redis may have lost writes, effects checked first"


class Server:
    """A Redis that a test can stop and start again, with its own data or with an older copy."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._port = free_port()
        self._stack = contextlib.AsyncExitStack()
        self.url = ""

    async def start(self) -> None:
        """Start the server. It writes each write to disk before it answers."""
        self.url = await self._stack.enter_async_context(redis_on(self._port, self.directory))
        async with Redis.from_url(self.url) as redis:
            await redis.config_set("appendfsync", "always")

    async def end(self) -> None:
        """Stop the server."""
        await self._stack.aclose()


@contextlib.asynccontextmanager
async def _server(directory: Path) -> AsyncIterator[Server]:
    directory.mkdir()  # noqa: ASYNC240 - once, while nothing else runs
    server = Server(directory)
    await server.start()
    try:
        yield server
    finally:
        await server.end()


async def _bot_with_a_task(place: Place, server: Server) -> Taskwire:
    bot = await place.run_ready(REDIS_URL=server.url)
    await place.slack.command("alice", "general", "/task", "create fix the login redirect")
    await until(lambda: place.coder.tasks and place.cards(), "the task and its card")
    return bot


async def _is_sure(place: Place, server: Server) -> bool:
    """Return whether the bots know this server and all of them have found their latest writes on it."""
    async with Redis.from_url(server.url, decode_responses=True) as redis:
        told = await redis.info("server")
        key = Keys(place.slack.workspace.team_id).named("server")
        run_id, doubted = await redis.hmget(key, ["id", "doubted"])
        return bool(run_id == told["run_id"] and doubted is None)


async def test_a_restart_that_lost_nothing_makes_nothing_suspect(place: Place, tmp_path: Path) -> None:
    """If Redis restarts without a loss, both bots find their latest writes. They then look for no earlier
    effects in Slack or Coder."""
    async with _server(tmp_path / "redis") as server:
        bots = [await _bot_with_a_task(place, server), await place.run_ready(REDIS_URL=server.url)]

        await server.end()
        await asyncio.gather(*(bot.says("redis is away") for bot in bots))
        await server.start()
        await asyncio.gather(*(bot.says("redis answers again") for bot in bots))
        await until(lambda: _is_sure(place, server), "that both have looked")

        async with Redis.from_url(server.url) as redis:
            data_loss = await redis.exists(Keys(place.slack.workspace.team_id).named("data_loss"))
        assert data_loss == 0
        assert [BACK in bot.output for bot in bots] == [False, False]


async def test_a_restart_that_lost_the_last_words_is_noticed(place: Place, tmp_path: Path) -> None:
    """If Redis restarts from a copy without the latest writes, the bots notice the loss. They create no task
    a second time."""
    async with _server(tmp_path / "redis") as server:
        bot = await _bot_with_a_task(place, server)
        copy = shutil.copytree(server.directory, tmp_path / "copy")
        await place.slack.command("alice", "general", "/task", "create sort the shelf")
        await until(lambda: len(place.coder.tasks) == 2 and len(place.cards()) == 2, "the second task")

        await server.end()
        server.directory = copy
        await server.start()
        await bot.says(BACK)
        await bot.says("claims that Redis had lost were written again")
        await place.slack.command("alice", "general", "/task", "create mend the footer")
        await until(lambda: len(place.coder.tasks) >= 3 and len(place.cards()) >= 3, "the third task")

    prompts = sorted(task.prompt for task in place.coder.tasks)
    assert prompts == ["fix the login redirect", "mend the footer", "sort the shelf"]
