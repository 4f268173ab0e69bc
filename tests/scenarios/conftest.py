"""A fresh world for each story."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from .world import World, new_world


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """A world with a running bot, checked at its end."""
    async with new_world(tmp_path) as made:
        yield made
