-- Begin a poll of one account, unless another process polls it.
-- requires: queue/fence, queue/batch

-- script: polls.claim (serial)
-- ARGV: prefix, time, account, holder, lease, takes_over
local account, holder, lease, takes_over = ARGV[3], ARGV[4], tonumber(ARGV[5]), ARGV[6] == '1'
local key = prefix .. 'polling:' .. account
local who, till = (redis.call('GET', key) or ''):match('^(%S+) (%d+)$')
if who and who ~= holder and tonumber(till) > now and not takes_over then
  return {whole(tonumber(till) - now)}
end
redis.call('SET', key, holder .. ' ' .. whole(now + lease), 'PX', lease)
return {whole(redis.call('HINCRBY', prefix .. 'poll:number', account, 1)), whole(now)}
