-- Write a batch while the lease is held, and only if some keys still hold what the worker has read.
-- `unchanged` is a key, its value, and so on.
-- requires: queue/fence, queue/batch

-- script: queue.write_under_lease
-- ARGV: prefix, time, queue, token, batch, unchanged...
local name, token, operations = ARGV[3], ARGV[4], checked(ARGV[5])
local order, jobs, state = queue_keys(name)
if redis.call('HGET', state, 'token') ~= token then return 'lost' end
for i = 6, #ARGV, 2 do
  if (redis.call('GET', ARGV[i]) or '') ~= ARGV[i + 1] then return 'changed' end
end
run(operations)
return 'written'
