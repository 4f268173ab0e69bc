"""A site whose log is read, and which has to be free of stack traces at the end."""

import io
import logging
from collections.abc import AsyncIterator, Iterator

import pytest

from taskwire.telemetry import configure_logs

from .site import Site, new_site


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """All that is written, at the lowest level; what somebody sent is never in it, nor a stack trace."""
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
    """A site that all of Slack may come to."""
    async with new_site(log) as made:
        yield made
