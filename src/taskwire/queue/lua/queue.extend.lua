-- Let a lease go on for longer, because its holder lives and still reads something.
-- requires: queue/fence, queue/batch

-- script: queue.extend
-- ARGV: prefix, time, queue, token, longer
local name, token, longer = ARGV[3], ARGV[4], tonumber(ARGV[5])
local order, jobs, state = queue_keys(name)
if redis.call('HGET', state, 'token') ~= token then return 'lost' end
local held = math.max(tonumber(redis.call('HGET', state, 'held_until') or '0'), now + longer)
redis.call('HSET', state, 'held_until', whole(held))
due_at(name, held)
return 'extended'
