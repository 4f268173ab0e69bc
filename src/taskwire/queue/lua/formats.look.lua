-- List the queues whose next job no process here can read, the longest waiting first. A queue that does not
-- belong in this list any more is moved back: a pause was put before the job, or no newer version was seen
-- for too long.
-- requires: queue/fence, queue/batch, queue/formats

-- script: formats.look
-- ARGV: prefix, time, own_format, is_read_only
local mine, is_read_only, found = tonumber(ARGV[3]), ARGV[4] == '1', {}
local function waits(name, head, since, newest)
  for _, each in ipairs({name, head, whole(since), whole(newest)}) do found[#found + 1] = each end
end
for _, name in ipairs(redis.call('ZRANGE', unreadable, 0, const.MAX_STRANDED - 1)) do
  local _, jobs = queue_keys(name)
  local head = head_of(name) or ''
  local since = (redis.call('HGET', jobs, 'format|' .. head) or ''):match('^1 (%d+)$')
  if since then
    waits(name, head, tonumber(since), tonumber(since))
  elseif not is_read_only then
    redis.call('ZREM', unreadable, name)
  end
end
local known = redis.call('HGETALL', formats)
for i = 1, #known, 2 do
  local format, newest = tonumber(known[i]), 0
  for j = 1, #known, 2 do
    local seen = tonumber(known[j + 1]:match('^%d+'))
    if tonumber(known[j]) >= format then newest = math.max(newest, seen) end
  end
  local due = {}
  if format > mine then
    due = redis.call('ZRANGE', place_for(known[i]), 0, const.MAX_STRANDED - 1, 'WITHSCORES')
  end
  for k = 1, #due, 2 do
    local name = due[k]
    local _, jobs = queue_keys(name)
    local head = head_of(name) or ''
    local since = tonumber((redis.call('HGET', jobs, 'format|' .. head) or ''):match(' (%d+)$') or '0')
    if format_of(name) ~= known[i] then
      if not is_read_only and tonumber(due[k + 1]) <= now then settle(name) end
    elseif now - newest > NEWER_VERSION_WAIT_MS and not is_read_only then
      redis.call('HSET', jobs, 'format|' .. head, '1 ' .. whole(since))
      settle(name)
    else
      waits(name, head, since, newest)
    end
  end
end
return {whole(now), unpack(found)}
