"""Remembers, for the audit trail, how Coder answered the latest call of a job that changes something."""

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar


class LastChange:
    """How Coder answered the latest call that changes something.

    `status` is the HTTP status of the answer. It is 0 if there was no such call, or no answer.
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
