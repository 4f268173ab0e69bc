"""A running HTTP server with a log that is checked. The log must have no stack trace and none of the text
that clients sent."""

import io
import logging
from collections.abc import AsyncIterator, Iterator

import pytest

from taskwire.telemetry import configure_logs

from .site import Site, new_site


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """Return the log at the lowest level. At the end, check that it has no text that clients sent and no
    stack trace."""
    root, stream = logging.getLogger(), io.StringIO()
    before = root.handlers[:], root.level
    configure_logs("debug", "json", str, stream)
    yield stream
    logging.captureWarnings(capture=False)
    root.handlers, level = before
    root.setLevel(level)
    assert "SENT" not in stream.getvalue()
    assert "Traceback" not in stream.getvalue()


@pytest.fixture
async def site(log: io.StringIO) -> AsyncIterator[Site]:
    """Run a server with the default limits of these tests."""
    async with new_site(log) as made:
        yield made
