-- Forget one dead letter, or all of them.
-- requires: queue/fence, queue/batch

-- script: dead_letters.forget
-- ARGV: prefix, time, id?
local count
if ARGV[3] then
  count = redis.call('HEXISTS', dead_letters, ARGV[3])
  forget_dead_letters({ARGV[3]})
else
  count = redis.call('ZCARD', dead_letters_order)
  redis.call('DEL', dead_letters, dead_letters_order)
end
return count
