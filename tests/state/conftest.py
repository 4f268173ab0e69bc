"""Tests of state use the store and the clock of the queue's tests."""

from tests.queue.conftest import connections, engine, real

__all__ = ["connections", "engine", "real"]
