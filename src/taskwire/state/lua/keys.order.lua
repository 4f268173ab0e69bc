-- Note which key a process seals with, and return the one that all processes shall seal with: of the keys
-- that processes seal with now, the one that came last.
-- requires: queue/fence, queue/batch

-- script: keys.order
-- ARGV: prefix, time, process, newest_key, in_use_ms, ttl_ms
local key, process, newest, in_use_ms = prefix .. 'key_order', 'p:' .. ARGV[3], ARGV[4], tonumber(ARGV[5])
local known = redis.call('HGETALL', key)
local since, count, used = {}, 0, {[newest] = true}
for i = 1, #known, 2 do
  local kind, name = known[i]:match('^(.):(.*)$')
  if kind == 'k' then
    since[name] = tonumber(known[i + 1])
  elseif known[i] ~= process then
    local id, at = known[i + 1]:match('^(%S+) (%d+)$')
    if now - tonumber(at) > in_use_ms then
      redis.call('HDEL', key, known[i])
    else
      used[id] = true
    end
  end
end
for id in pairs(since) do
  if not used[id] then redis.call('HDEL', key, 'k:' .. id) end
end
if not since[newest] then
  since[newest] = now
  redis.call('HSET', key, 'k:' .. newest, whole(now))
end
redis.call('HSET', key, process, newest .. ' ' .. whole(now))
redis.call('PEXPIRE', key, ARGV[6])
local last = newest
for id in pairs(used) do
  count = count + 1
  local at, best = since[id] or 0, since[last]
  if at > best or at == best and id > last then last = id end
end
return {last, whole(count)}
