"""Remembers how Coder answered a job's last call that changes something, for the audit trail."""

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar


class LastChange:
    """How Coder answered the last call that changes something.

    `status` is the HTTP status; 0 if there was no such call, or no answer.
    """

    def __init__(self) -> None:
        self.status = 0


_current: ContextVar[LastChange | None] = ContextVar("taskwire_last_change", default=None)


@contextlib.contextmanager
def recording() -> Iterator[LastChange]:
    """Record the answers of this block's calls."""
    last = LastChange()
    token = _current.set(last)
    try:
        yield last
    finally:
        _current.reset(token)


def record(status: int) -> None:
    """Record the status of an answer, if a block of `recording` is open."""
    last = _current.get()
    if last is not None:
        last.status = status
