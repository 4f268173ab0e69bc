"""Where the processes of these tests run."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from taskwire.sandbox.slack import SlackSandbox
from taskwire.slack import manifest

from .processes import Place, new_place


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    async with new_place(tmp_path, SlackSandbox(manifest=manifest.make())) as made:
        yield made
