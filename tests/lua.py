"""Lua of a test's own, with the libraries that the product's scripts begin with."""

from taskwire.queue import batch, fence
from taskwire.queue.lua_files import load


def with_libraries(body: str) -> str:
    """Return a script that may use the operations of `lua/batch.lua`."""
    libraries = load("queue/fence", **fence.CONSTANTS), load("queue/batch", **batch.CONSTANTS)
    return "".join((*libraries, "\n", body))
