"""The environment that all deployments of a test session share."""

from collections.abc import Iterator

import pytest

from .environment import Environment, new_environment


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Environment]:
    """Start one parent of bots and one store."""
    with new_environment(tmp_path_factory.mktemp("environment")) as made:
        yield made
