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
    """Yield a value to which `record` writes the status of Coder's answers while the block runs."""
    last = LastChange()
    token = _current.set(last)
    try:
        yield last
    finally:
        _current.reset(token)


def record(status: int) -> None:
    """Write the status of an answer to the value that `recording` has yielded, if its block still runs."""
    last = _current.get()
    if last is not None:
        last.status = status
