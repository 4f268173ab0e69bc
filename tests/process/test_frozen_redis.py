"""A frozen Redis closes no connection and answers nothing. The bot still keeps its time limits."""

from collections.abc import AsyncIterator

import pytest

from taskwire.messages import answers
from tests.faults.proxy import FaultProxy, proxy

from .processes import Place, until


@pytest.fixture
async def network(redis_url: str) -> AsyncIterator[FaultProxy]:
    async with proxy(redis_url) as between:
        yield between


def _through(network: FaultProxy, redis_url: str) -> str:
    return redis_url.replace(redis_url.rpartition(":")[2], f"{network.port}/0")


async def test_a_command_is_answered_while_redis_stands_still_and_all_goes_on_afterwards(
    place: Place, redis_url: str, network: FaultProxy
) -> None:
    """While Redis is frozen, a command is answered within Slack's three seconds: the bot says that it does
    not know the outcome or cannot reach its store. When Redis continues, the bot executes the next command.
    """
    bot = await place.run_ready(REDIS_URL=_through(network, redis_url))
    network.freeze()

    answer = await place.slack.command("alice", "general", "/task", "create fix the login")
    network.thaw()
    await bot.wait_until_ready()
    await place.slack.command("bob", "general", "/task", "create tidy the cellar")

    assert (answer.reply or {}).get("text") in (
        answers.command_outcome_unknown(),
        answers.store_unreachable(),
    )
    await until(lambda: [t for t in place.coder.tasks if t.prompt == "tidy the cellar"], "the next task")
    assert len([task for task in place.coder.tasks if task.prompt == "fix the login"]) <= 1
    assert await bot.stop() == 0


async def test_it_ends_within_its_time_though_redis_stands_still(
    place: Place, redis_url: str, network: FaultProxy
) -> None:
    """While Redis is frozen, the bot ends within twenty seconds after SIGTERM."""
    bot = await place.run_ready(REDIS_URL=_through(network, redis_url))
    network.freeze()

    assert await bot.stop() == 0
    network.thaw()
