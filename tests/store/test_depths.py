"""Depths: what waits in which kind of list, and for how long."""

import pytest

from taskwire.model import jobs
from taskwire.model.jobs import ListName, steer, tell
from taskwire.store.depths import LISTS, MOST_LISTS, Depth, Depths
from taskwire.store.steps import Step

from .engine import Engine, job


@pytest.fixture
def depths(engine: Engine) -> Depths:
    """A look at the engine's lists."""
    return Depths(engine.connections, engine.keys, engine.clock)


async def test_what_waits_is_told_by_kind_of_list(engine: Engine, depths: Depths) -> None:
    """How much, how long it has been due, and how old it is, which a delay does not change."""
    await engine.append("a", "b", name=tell("L1"))
    engine.passes(2)
    await engine.append("c", name=tell("L2"))
    await engine.append("d", name=steer("L1"), delay_ms=60_000)
    engine.passes(1)

    found = (await depths.look()).lists

    assert found == {"tell": Depth(3, 3.0, 3.0), "steer": Depth(1, 0.0, 1.0)}


async def test_nothing_waits(engine: Engine, depths: Depths) -> None:
    """What is done is not counted any more."""
    await engine.append("a")
    await engine.ends(await engine.takes())

    assert await depths.look() == ({}, 0)


async def test_a_look_has_its_bound(engine: Engine, depths: Depths) -> None:
    """Those that are due for longest are looked at."""
    step = Step()
    for number in range(MOST_LISTS + 100):
        step.append(ListName(f"show:{number}"), job("a"), score="due", delay_ms=number)
    await engine.queue.write(step)

    assert (await depths.look()).lists["show"].jobs == MOST_LISTS


def test_no_kind_of_list_is_out_of_sight() -> None:
    """What names a list is called as the lists that it names."""
    makers = {name for name, made in vars(jobs).items() if _returns(made) is ListName}

    assert {*makers, jobs.READING.partition(":")[0]} == set(LISTS)


def _returns(made: object) -> object:
    return getattr(made, "__annotations__", {}).get("return")
