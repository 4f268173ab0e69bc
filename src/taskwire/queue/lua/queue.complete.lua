-- End a lease: remove or delay its job, and write what follows.
-- requires: queue/fence, queue/batch

-- script: queue.complete (ends)
-- ARGV: prefix, time, queue, token, id, version, kind, delay, job, batch, compensation, trouble
local name, token, id, version, kind = ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7]
local delay, body, operations, compensation = tonumber(ARGV[8]), ARGV[9], checked(ARGV[10]), checked(ARGV[11])
local trouble = ARGV[12]
local order, jobs, state = queue_keys(name)
if redis.call('HGET', state, 'token') ~= token then
  run(compensation)
  return 'lost'
end
local is_same = redis.call('HGET', jobs, 'version|' .. id) == version
if trouble == 'none' then
  redis.call('HDEL', state, 'trouble')
elseif trouble ~= 'unchanged' and (redis.call('HGET', state, 'trouble') or ''):match('^%a*') ~= trouble then
  redis.call('HSET', state, 'trouble', trouble .. ' ' .. whole(now))
end
if kind == 'unknown' then
  -- The attempt's intent record stays. The next lease reconciles the attempt when it can no longer arrive.
  local ends = tonumber(redis.call('HGET', state, 'attempt_until') or '0')
  ends = whole(math.max(ends, now + delay))
  redis.call('HSET', state, 'held_until', ends)
  redis.call('HDEL', state, 'token', 'job', 'acquisitions', 'first_acquired')
  if is_same and body ~= '' then redis.call('HSET', jobs, 'body|' .. id, body) end
  due_at(name, tonumber(ends))
  return 'ended'
end
redis.call('HDEL', state, 'token', 'job', 'held_until', 'acquisitions', 'first_acquired', 'attempt',
           'attempt_job', 'attempt_until')
if kind == 'done' and is_same then
  drop(name, id)
elseif kind == 'retry' and is_same then
  local not_before = whole(now + delay)
  redis.call('HSET', jobs, 'not_before|' .. id, not_before)
  if body ~= '' then redis.call('HSET', jobs, 'body|' .. id, body) end
  if name:sub(1, 9) == 'receipts:' then redis.call('ZADD', order, 'XX', not_before, id) end
end
run(operations)
settle(name)
-- After the word come the number and the hash of the newest audit entry, if the batch had one, and why Redis
-- refused an entry.
return newest_entry == '' and 'ended' or 'ended ' .. newest_entry
