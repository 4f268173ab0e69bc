"""The ground that all lives of a session stand on."""

from collections.abc import Iterator

import pytest

from .ground import Ground, new_ground


@pytest.fixture(scope="session")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """One parent of bots, and one store."""
    with new_ground(tmp_path_factory.mktemp("ground")) as made:
        yield made
