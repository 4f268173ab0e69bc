"""Calls of a script that are made at the same time share an exchange: one request to Redis and its answer. If
an exchange gets no answer, it delays no other exchange."""

import asyncio
from collections.abc import Sequence

import pytest

from taskwire.queue.coalescing import Coalescer
from taskwire.queue.scripts import Script, ScriptAnswer, ScriptArguments

from .engine import Engine

TRY_SECONDS = 10.0


class Counted(Script):
    """A script that notes how many calls each exchange has. The first exchange gets no answer until the test
    allows it."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine.connections.commands, engine.keys, engine.clock, "return ARGV[3]")
        self.exchanges: list[int] = []
        self.has_begun, self.may_end = asyncio.Event(), asyncio.Event()

    async def call_many(self, calls: Sequence[ScriptArguments]) -> list[ScriptAnswer | Exception]:
        """Note the number of calls, then make them in one exchange. Return the answer to each call."""
        self.exchanges.append(len(calls))
        self.has_begun.set()
        if len(self.exchanges) == 1:
            await self.may_end.wait()
        return await super().call_many(calls)


@pytest.fixture
def script(engine: Engine) -> Counted:
    return Counted(engine)


async def test_calls_during_an_exchange_share_the_next_one(script: Counted) -> None:
    """If calls begin while an exchange with Redis is under way, they share the next exchange."""
    together = Coalescer(script, TRY_SECONDS)
    first = asyncio.create_task(together.call("first"))
    await script.has_begun.wait()
    others = []
    for number in range(20):
        others.append(asyncio.create_task(together.call(str(number))))
        await asyncio.sleep(0)
    script.may_end.set()

    answers = [outcome.answer for outcome in await asyncio.gather(first, *others)]

    assert answers == ["first", *map(str, range(20))]
    assert script.exchanges[0] == 1
    assert len(script.exchanges) < 20


async def test_an_exchange_that_hangs_holds_up_no_other(script: Counted) -> None:
    """If an exchange with Redis gets no answer, the next exchange does not wait for it. Slack waits only
    three seconds for an ack."""
    together = Coalescer(script, TRY_SECONDS)
    hanging = asyncio.create_task(together.call("hangs"))
    await script.has_begun.wait()

    outcome = await together.call("goes on")
    was_hanging = not hanging.done()
    script.may_end.set()

    assert outcome.answer == "goes on"
    assert was_hanging
    assert (await hanging).answer == "hangs"
