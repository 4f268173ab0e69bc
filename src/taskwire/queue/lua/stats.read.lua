-- Count what waits in the queues, by kind. It only reads.
-- requires: queue/fence, queue/batch

-- script: stats.read
-- ARGV: prefix, time
local kinds, found = {}, {whole(redis.call('ZCARD', dead_letters_order))}
local due = redis.call('ZRANGE', ready, 0, const.MAX_QUEUES_READ - 1, 'WITHSCORES')
-- Queues that wait for a newer version are counted too.
for _, format in ipairs(redis.call('HKEYS', prefix .. 'formats')) do
  local there = redis.call('ZRANGE', prefix .. 'newer:' .. format, 0, const.MAX_QUEUES_READ - 1, 'WITHSCORES')
  for _, each in ipairs(there) do due[#due + 1] = each end
end
for i = 1, #due, 2 do
  local name, kind = due[i], due[i]:match('^[%a_]+') or ''
  local order, jobs = queue_keys(name)
  local depth = kinds[kind] or {0, 0, 0}
  local since = tonumber(redis.call('HGET', jobs, 'since|' .. (head_of(name) or '')) or '') or now
  depth[1] = depth[1] + redis.call('ZCARD', order)
  depth[2] = math.max(depth[2], now - tonumber(due[i + 1]))
  depth[3] = math.max(depth[3], now - since)
  kinds[kind] = depth
end
for kind, depth in pairs(kinds) do
  for _, each in ipairs({kind, whole(depth[1]), whole(depth[2]), whole(depth[3])}) do
    found[#found + 1] = each
  end
end
return found
