-- Claim a delivery, and write its batch.
-- requires: queue/fence, queue/batch, queue/user_limits, queue/inbox

-- script: inbox.claim (claims)
-- ARGV: prefix, time, claim, ttl, step, limit, token, is_promised?
local claim, ttl, step, token, is_promised = ARGV[3], ARGV[4], ARGV[5], ARGV[7], ARGV[8] == '1'
local limit, steps, outcome = limit_of(ARGV[6]), checked(step), 'claimed'
if not is_promised and redis.call('EXISTS', claim) == 0 then
  if is_full(steps) then return 'rejected' end
  local chosen
  outcome, chosen = apply_limit(limit, claim, nil, step)
  if chosen ~= step then steps = checked(chosen) end
end
local before = seen_before(claim, ttl, token, is_promised, outcome)
if before then return before end
run(steps)
return outcome
