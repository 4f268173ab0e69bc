-- Refuse to use a store that is being moved or was moved (`queue/fence.py`). ARGV[1] is the prefix of all
-- keys.

if redis.call('EXISTS', ARGV[1] .. 'fence') == 1 then
  return redis.error_reply('ELSEWHERE this store is being moved, or has been; see `taskwire doctor`')
end
