"""The store and the clock of the queue's tests, for the tests of state."""

from tests.queue.conftest import connections, engine, real

__all__ = ["connections", "engine", "real"]
