-- Write a batch while the lease is held.
-- requires: queue/fence, queue/batch

-- script: queue.write_under_lease
-- ARGV: prefix, time, queue, token, batch
local name, token, operations = ARGV[3], ARGV[4], checked(ARGV[5])
local order, jobs, state = queue_keys(name)
if redis.call('HGET', state, 'token') ~= token then return 'lost' end
run(operations)
return 'written'
