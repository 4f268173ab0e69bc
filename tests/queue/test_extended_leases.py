"""A worker that reads something for long extends its lease."""

import pytest

from taskwire.queue.leases import LeaseLost

from .engine import LIST, Engine


async def test_an_extended_lease_is_held_from_now_on(engine: Engine) -> None:
    """If a worker extends its lease, nobody else acquires the queue until the new end. A lease is never made
    shorter, and another worker's lease is not extended."""
    await engine.append("a")
    turn = await engine.takes()
    engine.passes(7)

    await engine.queues.extend(turn)

    assert await engine.due() == {LIST: 10}
    engine.passes(10)
    again = await engine.takes()
    await engine.queues.extend(again)
    assert await engine.due() == {LIST: 20}
    with pytest.raises(LeaseLost):
        await engine.queues.extend(turn)
