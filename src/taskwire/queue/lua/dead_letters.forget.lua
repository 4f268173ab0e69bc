-- Forget one dead letter, or all of them.
-- requires: queue/fence, queue/batch

-- script: dead_letters.forget
-- ARGV: prefix, time, id?
local count
if ARGV[3] then
  count = redis.call('HEXISTS', letters, ARGV[3])
  forget_letters({ARGV[3]})
else
  count = redis.call('ZCARD', letters_order)
  redis.call('DEL', letters, letters_order)
end
return count
