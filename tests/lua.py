"""Makes Lua scripts for tests, with the libraries of the product's scripts."""

from taskwire.queue import batch, fence
from taskwire.queue.lua_files import load

# A script that lists the keys without a time to live.
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
