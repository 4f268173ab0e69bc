-- Release a lease, and leave its queue to versions that can read the next job. If no such version was seen,
-- the queue stays where it is, because another process of this format may be able to read the job. After a
-- week the answer is that no version will.
-- requires: queue/fence, queue/batch, queue/formats

-- script: queue.defer
-- ARGV: prefix, time, queue, token, id, format, pause
local name, token, id, format, pause = ARGV[3], ARGV[4], ARGV[5], tonumber(ARGV[6]), tonumber(ARGV[7])
local order, jobs, state = queue_keys(name)
if redis.call('HGET', state, 'token') ~= token then return 'lost' end
local newer, mark = newer_than(format), 'format|' .. id
local since = tonumber((redis.call('HGET', jobs, mark) or ''):match('(%d+)$') or '')
if not newer and since and now - since > NEWER_VERSION_WAIT_MS then return 'no newer version' end
if redis.call('HEXISTS', jobs, 'body|' .. id) == 1 then
  redis.call('HSET', jobs, mark, (newer or '1') .. ' ' .. whole(since or now))
  if not newer then redis.call('ZADD', unreadable, whole(since or now), name) end
end
redis.call('HDEL', state, 'token', 'job')
if redis.call('HINCRBY', state, 'acquisitions', -1) <= 0 then
  redis.call('HDEL', state, 'acquisitions', 'first_acquired')
end
local arrives_by = tonumber(redis.call('HGET', state, 'attempt_until') or '0')
local due = math.max(newer and now or now + pause, arrives_by)
redis.call('HSET', state, 'held_until', whole(due))
due_at(name, due)
if due <= now then rouse() end
return since and 'deferred again' or 'deferred'
