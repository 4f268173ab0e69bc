"""Deliveries from Slack are claimed before jobs run. But jobs do not wait forever."""

import asyncio

import pytest

from taskwire.ingress_priority import LINGER_SECONDS, IngressPriority

FAR_TOO_LONG_SECONDS = 20.0


async def test_jobs_do_not_wait_without_deliveries() -> None:
    """If there are no deliveries, a job starts at once, without even a yield to the event loop."""
    with pytest.raises(StopIteration):
        IngressPriority().wait().send(None)


async def test_jobs_wait_until_every_delivery_is_claimed() -> None:
    """Fifty people send commands at the same time. All commands are written to Redis before the first command
    runs."""
    ingress_priority = IngressPriority()
    with ingress_priority:
        with ingress_priority:
            waiting = asyncio.create_task(ingress_priority.wait())
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        waited = not waiting.done()
    await waiting

    assert waited


async def test_jobs_wait_a_moment_longer_for_the_next_delivery() -> None:
    """After a delivery was claimed, jobs wait a few milliseconds more, because deliveries of the same moment
    arrive one after the other. If another delivery arrives in this time, jobs wait for it too."""
    ingress_priority = IngressPriority()
    with ingress_priority:
        pass
    waiting = asyncio.create_task(ingress_priority.wait())
    await asyncio.sleep(0)
    with ingress_priority:
        await asyncio.sleep(2 * LINGER_SECONDS)
        waited = not waiting.done()
    await waiting

    assert waited


async def test_a_flood_of_deliveries_does_not_stop_jobs() -> None:
    """Deliveries never stop. Jobs still run."""
    ingress_priority = IngressPriority()

    with ingress_priority:
        began = asyncio.create_task(ingress_priority.wait())
        await asyncio.sleep(0)
        waited = not began.done()
        async with asyncio.timeout(FAR_TOO_LONG_SECONDS):
            await began

    assert waited
