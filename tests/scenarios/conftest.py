"""The fixture that makes a new world for each story."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from .world import World, new_world


@pytest.fixture
async def world(tmp_path: Path, empty_store_url: str) -> AsyncIterator[World]:
    """Provide a world with a running bot. When the test ends, check that the story has left nothing wrong or
    unread."""
    async with new_world(tmp_path, store_url=empty_store_url) as made:
        yield made
