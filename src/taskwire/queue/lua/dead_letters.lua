-- Dead letters: jobs that were given up (`queue/dead_letters.py`). Each has an id of its own, so that one
-- can be sent again.
-- requires: queue/queues

local dead_letters, dead_letters_order = prefix .. 'dead_letters', prefix .. 'dead_letters:order'
local function forget_dead_letters(ids)
  for _, id in ipairs(ids) do
    redis.call('HDEL', dead_letters, id)
    redis.call('ZREM', dead_letters_order, id)
  end
end
local function add_dead_letter(id, letter)
  redis.call('HSET', dead_letters, id, letter)
  redis.call('ZADD', dead_letters_order, whole(now), id)
  local oldest = whole(now - const.DEAD_LETTER_TTL_MS)
  forget_dead_letters(redis.call('ZRANGEBYSCORE', dead_letters_order, '-inf', oldest))
  forget_dead_letters(redis.call('ZRANGE', dead_letters_order, 0, -const.MAX_DEAD_LETTERS - 1))
  redis.call('PEXPIRE', dead_letters, const.DEAD_LETTER_TTL_MS)
  redis.call('PEXPIRE', dead_letters_order, const.DEAD_LETTER_TTL_MS)
end
