-- Acquire a lease on the first queue that is due.
-- requires: queue/fence, queue/batch, queue/data_loss

-- script: queue.acquire (takes)
-- ARGV: prefix, time, token, lease, longest_lease, risky_acquisitions, many_acquisitions, quarantine,
--   may_be_risky, is_embedded, ignores_priority, own_format
-- answer: time, queue, id, job, ...
local token, lease, longest = ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])
local risky, many, quarantine = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])
local may_be_risky, ignores_priority = ARGV[9] == '1', ARGV[11] == '1'
check_server(ARGV[10])
local places = {ready}
for format = 2, tonumber(ARGV[12]) do places[#places + 1] = place_for(format) end
local function first_of(place, index)
  for _ = 1, 100 do
    local first = redis.call('ZRANGE', place .. index, 0, 0, 'WITHSCORES')
    if not first[1] or tonumber(first[2]) > now then return end
    local at = redis.call('ZSCORE', place, first[1])
    if at == first[2] then return first end
    -- A version that does not know the index has moved the queue, or holds its lease.
    if at then
      redis.call('ZADD', place .. index, at, first[1])
    else
      redis.call('ZREM', place .. index, first[1])
    end
  end
end
local function next_queue()
  for _, index in ipairs(ignores_priority and {} or ahead) do
    for _, place in ipairs(places) do
      local first = first_of(place, index)
      if first then return first end
    end
  end
  local longest = {}
  for _, place in ipairs(places) do
    local first = redis.call('ZRANGE', place, 0, 0, 'WITHSCORES')
    if first[1] and (not longest[1] or tonumber(first[2]) < tonumber(longest[2])) then longest = first end
  end
  return longest
end
for _ = 1, 100 do
  local first = next_queue()
  if not first[1] then return {whole(now), ''} end
  if tonumber(first[2]) > now then return {whole(now), first[2]} end
  local name = first[1]
  local order, jobs, state = queue_keys(name)
  local head = head_of(name)
  local body = head and redis.call('HGET', jobs, 'body|' .. head)
  local pinned = redis.call('HGET', state, 'attempt_job')
  local not_before = head and tonumber(redis.call('HGET', jobs, 'not_before|' .. head) or '0') or 0
  if not body then
    -- No process can run a job without a body; the queue goes on without it.
    if head then drop(name, head) end
    redis.call('HDEL', state, 'attempt', 'attempt_job', 'attempt_until', 'held_until', 'token',
               'acquisitions', 'first_acquired')
    not_due(name)
    settle(name)
  elseif not may_be_risky and tonumber(redis.call('HGET', state, 'acquisitions') or '0') >= risky then
    due_at(name, now + 1000)
  elseif not_before > now and not pinned then
    due_at(name, not_before)
  else
    local acquisitions = redis.call('HINCRBY', state, 'acquisitions', 1)
    local term = math.min(lease * 2 ^ math.min(acquisitions - 1, 10), longest)
    if acquisitions > many then term = quarantine end
    redis.call('HSET', state, 'token', token, 'job', head, 'held_until', whole(now + term))
    redis.call('HSETNX', state, 'first_acquired', whole(now))
    local trouble, since = (redis.call('HGET', state, 'trouble') or ' 0'):match('^(%a*) (%d+)$')
    due_at(name, now + term)
    local written = redis.call('HGET', jobs, 'since|' .. head) or whole(now)
    return {whole(now), name, head, body, redis.call('HGET', jobs, 'version|' .. head) or '0',
            whole(acquisitions), written, pinned and '1' or '',
            redis.call('HGET', state, 'attempt') or '', data_loss_of(name, tonumber(written)),
            redis.call('ZSCORE', order, head) or '0', redis.call('HGET', state, 'first_acquired'),
            trouble, since}
  end
end
return {whole(now), whole(now)}
