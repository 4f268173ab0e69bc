-- Write the intent record of an attempt. A job that an earlier attempt has pinned may be overtaken too,
-- because the outcome of that attempt is known by now.
-- requires: queue/fence, queue/batch

-- script: queue.begin (begins)
-- ARGV: prefix, time, queue, token, id, version, arrives_within, attempt, is_again
local name, token, id, version, arrives_within, attempt = ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7], ARGV[8]
local order, jobs, state = queue_keys(name)
if redis.call('HGET', state, 'token') ~= token then return 'lost' end
local is_first = redis.call('ZRANGE', order, 0, 0)[1] == id
local is_passed = not is_first or redis.call('HGET', jobs, 'version|' .. id) ~= version
if is_passed and ARGV[9] ~= '1' then return 'passed' end
local ends = now + tonumber(arrives_within)
local held = math.max(tonumber(redis.call('HGET', state, 'held_until') or '0'), ends)
redis.call('HSET', state, 'attempt_job', id, 'attempt', attempt, 'attempt_until', whole(ends),
           'held_until', whole(held))
due_at(name, held)
return 'begun'
