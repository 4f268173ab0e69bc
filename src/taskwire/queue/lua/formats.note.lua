-- Record that this format is in use, or return the newer format that excludes it. That answer says more than
-- the refusal of `queue/fence`, so this script does not require it.
-- requires: queue/moved, queue/batch

-- script: formats.note
-- ARGV: prefix, time, own_format, oldest_compatible, notes
local key, mine, oldest_compatible = prefix .. 'formats', tonumber(ARGV[3]), ARGV[4]
local known = redis.call('HGETALL', key)
local noted = 0
for i = 1, #known, 2 do
  local format, seen, oldest = tonumber(known[i]), known[i + 1]:match('^(%d+) (%d+)$')
  if format > mine and tonumber(oldest) > mine then return format end
  if format == mine then noted = tonumber(seen) end
end
if ARGV[5] == '1' and now - noted > const.PRESENCE_INTERVAL_MS then
  redis.call('HSET', key, mine, whole(now) .. ' ' .. oldest_compatible)
end
return 0
