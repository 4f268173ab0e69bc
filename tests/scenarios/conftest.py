"""The fixtures that make a new world for each story."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from .test_waiting_for_account import connects
from .world import World, new_world


@pytest.fixture
async def world(tmp_path: Path, empty_store_url: str) -> AsyncIterator[World]:
    """Provide a world with a running bot. When the test ends, check that the story has left nothing wrong or
    unread."""
    async with new_world(tmp_path, store_url=empty_store_url) as made:
        yield made


@pytest.fixture
async def personal(world: World) -> World:
    """Provide a deployment in which Alice and Bob have connected their accounts."""
    await world.restarts(accounts="personal", coder_session_token=None)
    for person in (world.alice, world.bob):
        await person.types("/task connect")
        await connects(world, person, person.name)
    return world
