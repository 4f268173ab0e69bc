"""Lua of a test's own, with the libraries that the product's scripts begin with."""

from taskwire.queue import batch, fence
from taskwire.queue.lua_files import load

# Lists the keys that have no time to live.
KEYS_WITHOUT_TTL = """
local found = {}
for _, key in ipairs(redis.call('KEYS', '*')) do
  if redis.call('TTL', key) == -1 then found[#found + 1] = key end
end
return found
"""


def with_libraries(body: str) -> str:
    """Return a script that may use the operations of `lua/batch.lua`."""
    libraries = load("queue/fence", **fence.CONSTANTS), load("queue/batch", **batch.CONSTANTS)
    return "".join((*libraries, "\n", body))
