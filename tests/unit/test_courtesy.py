"""Courtesy: who takes something in goes first, and nobody waits for ever."""

import asyncio

import pytest

from taskwire.bridge.courtesy import Courtesy


async def test_nobody_waits_while_nothing_comes_in() -> None:
    """The usual case costs not even a turn of the loop."""
    with pytest.raises(StopIteration):
        Courtesy().wait().send(None)


async def test_who_carries_out_waits_for_all_who_take_in() -> None:
    """Fifty commands at once are written down before the first of them is carried out."""
    courtesy = Courtesy()
    with courtesy:
        with courtesy:
            waiting = asyncio.create_task(courtesy.wait())
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        waited = not waiting.done()
    await waiting

    assert waited


async def test_a_flood_keeps_nobody_for_ever() -> None:
    """However much comes in, what was taken is carried out too."""
    courtesy = Courtesy()

    with courtesy:
        await courtesy.wait()
