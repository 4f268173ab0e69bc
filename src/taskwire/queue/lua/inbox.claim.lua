-- Claim a delivery, and write its batch.
-- requires: queue/fence, queue/batch, queue/user_limits, queue/inbox

-- script: inbox.claim (claims)
-- ARGV: prefix, time, claim, ttl, batch, limit, token, was_accepted_before?
local claim, ttl, batch, token, was_accepted_before = ARGV[3], ARGV[4], ARGV[5], ARGV[7], ARGV[8] == '1'
local limit, operations, outcome = limit_of(ARGV[6]), checked(batch), 'claimed'
if not was_accepted_before and redis.call('EXISTS', claim) == 0 then
  if is_full(operations, limit) then return 'rejected' end
  local chosen
  outcome, chosen = apply_limit(limit, claim, nil, batch)
  if chosen ~= batch then operations = checked(chosen) end
end
local before = seen_before(claim, ttl, token, was_accepted_before, outcome)
if before then return before end
run(operations)
return outcome
