"""The environment that all deployments of a test session share."""

import os
from collections.abc import Iterator

import pytest

from .environment import Environment, new_environment
from .situations import Tried


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Environment]:
    """Start the parent process of all bots, and one store."""
    with new_environment(tmp_path_factory.mktemp("environment")) as made:
        yield made


@pytest.fixture(scope="session")
def tried(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Tried:
    """Return the record of the faults that the flows of this test run have tried. All worker processes share
    it."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    return Tried(shared / "tried", is_shared=not request.config.getoption("every_way"))
