"""The fixtures that make a new world for each story."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from .data_loss import StoreCopy
from .many_tasks import LONGEST_LIST_BYTES
from .test_waiting_for_account import connects
from .world import World, new_world


@pytest.fixture
async def world(tmp_path: Path, empty_store_url: str) -> AsyncIterator[World]:
    """Provide a world with a running bot. When the test ends, check that the story has left nothing wrong or
    unread."""
    async with new_world(tmp_path, store_url=empty_store_url) as made:
        yield made


@pytest.fixture
async def stores() -> AsyncIterator[contextlib.AsyncExitStack]:
    """Provide a stack for additional Redis servers. They run until the world has been checked."""
    async with contextlib.AsyncExitStack() as stack:
        yield stack


@pytest.fixture
def store_copy(world: World, tmp_path: Path, stores: contextlib.AsyncExitStack) -> StoreCopy:
    """Provide copies of the store. The world must depend on `stores` and have a store with faults."""
    return StoreCopy(world, tmp_path, stores)


@pytest.fixture
async def personal(world: World) -> World:
    """Provide a deployment in which Alice and Bob have connected their accounts."""
    await world.restarts(accounts="personal", coder_session_token=None)
    for person in (world.alice, world.bob):
        await person.types("/task connect")
        await connects(world, person, person.name)
    return world


@pytest.fixture
def short_limit_of_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make Coder's lists too long at `LONGEST_LIST_BYTES`."""
    monkeypatch.setattr("taskwire.coder.client.LARGEST_LIST_BYTES", LONGEST_LIST_BYTES)
