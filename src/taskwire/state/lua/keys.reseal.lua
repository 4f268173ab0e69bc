-- Store a value that was encrypted anew, unless it has changed since it was read.
-- requires: queue/fence, queue/batch

-- script: keys.reseal
-- ARGV: prefix, time, key, field, old, new
-- Without a field, the key is a string. It keeps its time to live.
local key, field, old, new = ARGV[3], ARGV[4], ARGV[5], ARGV[6]
if field == '' then
  if redis.call('GET', key) ~= old then return 0 end
  redis.call('SET', key, new, 'KEEPTTL')
else
  if redis.call('HGET', key, field) ~= old then return 0 end
  redis.call('HSET', key, field, new)
end
return 1
