-- Dead letters: jobs that were given up (`queue/dead_letters.py`). Each has an id of its own, so that one
-- can be sent again.
-- requires: queue/queues

local letters, letters_order = prefix .. 'dead_letters', prefix .. 'dead_letters:order'
local function forget_letters(ids)
  for _, id in ipairs(ids) do
    redis.call('HDEL', letters, id)
    redis.call('ZREM', letters_order, id)
  end
end
local function bury(id, letter)
  redis.call('HSET', letters, id, letter)
  redis.call('ZADD', letters_order, whole(now), id)
  forget_letters(redis.call('ZRANGEBYSCORE', letters_order, '-inf', whole(now - const.LETTERS_MS)))
  forget_letters(redis.call('ZRANGE', letters_order, 0, -const.MOST_LETTERS - 1))
  redis.call('PEXPIRE', letters, const.LETTERS_MS)
  redis.call('PEXPIRE', letters_order, const.LETTERS_MS)
end
