"""The store and the clock from the queue's tests, for tests of state."""

from tests.queue.conftest import connections, engine, real

__all__ = ["connections", "engine", "real"]
