"""The store and the clock of the queue's tests."""

from tests.queue.conftest import connections, engine

__all__ = ["connections", "engine"]
