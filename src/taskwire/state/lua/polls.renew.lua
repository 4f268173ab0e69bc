-- Keep the right to poll an account, or give it up with a lease of 0.
-- requires: queue/fence, queue/batch

-- script: polls.renew (serial)
-- ARGV: prefix, time, account, holder, lease
local account, holder, lease = ARGV[3], ARGV[4], tonumber(ARGV[5])
local key = prefix .. 'polling:' .. account
if (redis.call('GET', key) or ''):match('^%S+') == holder then
  redis.call('SET', key, holder .. ' ' .. whole(now + lease), 'PX', math.max(lease, 1))
end
return 1
