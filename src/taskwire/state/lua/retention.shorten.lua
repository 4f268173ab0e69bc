-- Let keys that have a time to live expire within this time. A link's list of received messages goes with it.
-- requires: queue/fence, queue/batch

-- script: retention.shorten (serial)
-- ARGV: prefix, time, most, keys...
local most, count = tonumber(ARGV[3]), 0
local function shorten(key)
  if redis.call('PTTL', key) <= most then return end
  redis.call('PEXPIRE', key, most)
  count = count + 1
end
for i = 4, #ARGV do
  local key = ARGV[i]
  if not key:find(':taken$') and redis.call('PTTL', key) >= 0 then
    shorten(key)
    shorten(key .. ':taken')
  end
end
return count
