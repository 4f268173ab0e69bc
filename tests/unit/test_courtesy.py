"""Courtesy: who takes something in goes first, and nobody waits for ever."""

import asyncio

import pytest

from taskwire.ingress_priority import LINGER_SECONDS, IngressPriority

FAR_TOO_LONG_SECONDS = 20.0


async def test_nobody_waits_while_nothing_comes_in() -> None:
    """The usual case costs not even a turn of the loop."""
    with pytest.raises(StopIteration):
        IngressPriority().wait().send(None)


async def test_who_carries_out_waits_for_all_who_take_in() -> None:
    """Fifty commands at once are written down before the first of them is carried out."""
    ingress_priority = IngressPriority()
    with ingress_priority:
        with ingress_priority:
            waiting = asyncio.create_task(ingress_priority.wait())
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        waited = not waiting.done()
    await waiting

    assert waited


async def test_who_carries_out_waits_a_moment_longer_for_the_next() -> None:
    """What people do at the same time comes a few milliseconds apart."""
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


async def test_a_flood_keeps_nobody_for_ever() -> None:
    """However much comes in, what was taken is carried out too."""
    ingress_priority = IngressPriority()

    with ingress_priority:
        began = asyncio.create_task(ingress_priority.wait())
        await asyncio.sleep(0)
        waited = not began.done()
        async with asyncio.timeout(FAR_TOO_LONG_SECONDS):
            await began

    assert waited
