-- Block a method, because Slack has counted more calls than this limiter. After the block, places are given
-- one at a time.
-- requires: queue/fence, queue/batch

-- script: rate_limiter.block (paces)
-- ARGV: prefix, time, method, rest, interval?, burst?
local what, ms = ARGV[3], tonumber(ARGV[4])
local key, ends = prefix .. 'rate:blocked:' .. what, now + ms
if tonumber(redis.call('GET', key) or '0') < ends then
  redis.call('SET', key, whole(ends), 'PX', whole(ms))
end
if ARGV[5] then
  local bucket, due = prefix .. 'rate:' .. what, ends + tonumber(ARGV[5]) * (tonumber(ARGV[6]) - 1)
  if tonumber(redis.call('HGET', bucket, 'due') or '0') < due then
    redis.call('HSET', bucket, 'due', whole(due))
    if redis.call('PTTL', bucket) < due - now then redis.call('PEXPIRE', bucket, whole(due - now)) end
  end
end
return '0'
