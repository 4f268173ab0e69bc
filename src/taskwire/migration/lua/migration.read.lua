-- Read keys. Return the type and the time to live of each, and its items unless one answer cannot hold them.
-- KEYS: keys...

local sizes = {hash = 'HLEN', list = 'LLEN', zset = 'ZCARD', set = 'SCARD', stream = 'XLEN'}
local found = {}
for i, key in ipairs(KEYS) do
  local kind, items = redis.call('TYPE', key).ok, false
  if kind == 'string' then
    items = {redis.call('GET', key)}
  elseif sizes[kind] and redis.call(sizes[kind], key) <= const.ITEMS_PER_CALL then
    if kind == 'hash' then items = redis.call('HGETALL', key)
    elseif kind == 'list' then items = redis.call('LRANGE', key, 0, -1)
    elseif kind == 'zset' then items = redis.call('ZRANGE', key, 0, -1, 'WITHSCORES')
    elseif kind == 'set' then items = redis.call('SMEMBERS', key)
    else
      items = {}
      for _, entry in ipairs(redis.call('XRANGE', key, '-', '+')) do
        items[#items + 1] = entry[1]
        for _, word in ipairs(entry[2]) do items[#items + 1] = word end
      end
    end
  end
  found[i] = {kind, redis.call('PTTL', key), items}
end
return found
