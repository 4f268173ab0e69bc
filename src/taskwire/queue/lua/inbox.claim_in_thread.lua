-- Claim a message of a thread, and write its batch for the link of the thread. If the thread is ours and has
-- no link yet, park the batch. If only mentions are input in a thread, its other messages are not ours. That
-- holds for those that were written before every reply became input, too.
-- requires: queue/fence, queue/batch, queue/user_limits, queue/inbox

-- script: inbox.claim_in_thread (claims)
-- ARGV: prefix, time, claim, ttl, thread, parked, parked_ttl, is_ours, batch, when_parked, limit, token,
--   unaddressed_at, was_accepted_before?
local claim, ttl, thread, parked, parked_ttl, is_ours, batch =
  ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7], ARGV[8], ARGV[9]
local when_parked, token, unaddressed_at = checked(ARGV[10]), ARGV[12], tonumber(ARGV[13])
local was_accepted_before = ARGV[14] == '1'
local link = redis.call('GET', thread)
if not link and is_ours ~= '1' then return 'not_ours' end
if link and unaddressed_at then
  local fields = redis.call('HMGET', prefix .. 'link:' .. link, 'mention_only', 'every_reply_since')
  if fields[1] or unaddressed_at < (tonumber(fields[2]) or 0) then return 'not_ours' end
end
local limit, operations, outcome = limit_of(ARGV[11], link), checked(batch, link), 'claimed'
if not was_accepted_before and redis.call('EXISTS', claim) == 0 then
  if link and is_full(operations, limit) then return 'rejected' end
  local chosen
  outcome, chosen = apply_limit(limit, claim, link or thread, batch)
  if chosen ~= batch then batch, operations = chosen, checked(chosen, link) end
end
local before = seen_before(claim, ttl, token, was_accepted_before, link and outcome or 'parked')
if before then return before end
if link then
  run(operations)
  return outcome
end
redis.call('RPUSH', parked, batch)
redis.call('LTRIM', parked, -MAX_WAITING_REPLIES, -1)
redis.call('PEXPIRE', parked, parked_ttl)
run(when_parked)
return 'parked'
