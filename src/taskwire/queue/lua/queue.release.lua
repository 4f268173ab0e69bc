-- Release a lease as if it had not been acquired. A call that its attempt has begun may still arrive.
-- requires: queue/fence, queue/batch

-- script: queue.release
-- ARGV: prefix, time, queue, token, pause
local name, token, pause = ARGV[3], ARGV[4], tonumber(ARGV[5])
local order, jobs, state = queue_keys(name)
if redis.call('HGET', state, 'token') ~= token then return 'lost' end
redis.call('HDEL', state, 'token', 'job')
if redis.call('HINCRBY', state, 'acquisitions', -1) <= 0 then
  redis.call('HDEL', state, 'acquisitions', 'first_acquired')
end
local arrives_by = tonumber(redis.call('HGET', state, 'attempt_until') or '0')
local due = whole(math.max(now + pause, arrives_by))
redis.call('HSET', state, 'held_until', due)
due_at(name, tonumber(due))
return 'put back'
