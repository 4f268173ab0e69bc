"""Makes Lua scripts for tests. The scripts can use the product's Lua libraries."""

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
# A script that returns the size of all text in the store, and the keys whose content has one of the given
# words.
FIND_IN_STORE = """
local found, looked = {}, 0
local function content(key)
  local kind = redis.call('TYPE', key).ok
  if kind == 'string' then return redis.call('GET', key) end
  if kind == 'hash' then return redis.call('HGETALL', key) end
  if kind == 'list' then return redis.call('LRANGE', key, 0, -1) end
  if kind == 'set' then return redis.call('SMEMBERS', key) end
  if kind == 'zset' then return redis.call('ZRANGE', key, 0, -1) end
  if kind == 'stream' then return redis.call('XRANGE', key, '-', '+') end
end
local function look(key, value)
  if type(value) == 'table' then
    for _, each in ipairs(value) do look(key, each) end
    return
  end
  local text = tostring(value)
  looked = looked + #text
  for _, word in ipairs(ARGV) do
    if string.find(text, word, 1, true) then found[#found + 1] = key end
  end
end
for _, key in ipairs(redis.call('KEYS', '*')) do
  look(key, key)
  look(key, content(key))
end
table.insert(found, 1, tostring(looked))
return found
"""


def with_libraries(body: str) -> str:
    """Return a script that consists of `body` and may use the operations of `lua/batch.lua`."""
    libraries = load("queue/fence", **fence.CONSTANTS), load("queue/batch", **batch.CONSTANTS)
    return "".join((*libraries, "\n", body))
