-- Replace the seal of the audit trail, and remove the entries that it says are trimmed. Do nothing if another
-- process has sealed it meanwhile.
-- requires: queue/fence, queue/batch

-- script: audit.seal (serial)
-- ARGV: prefix, time, key, before, seal, longest, trimmed...
local key, before, seal, longest = ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local head = key .. ':head'
-- A person who can write to Redis may have put other values in the place of these two.
if redis.call('TYPE', head).ok ~= 'hash' then redis.call('DEL', head) end
if (redis.call('HGET', head, 'seal') or '') ~= before then return 0 end
for i = 7, #ARGV do redis.pcall('XDEL', key, ARGV[i]) end
redis.call('HSET', head, 'seal', seal)
redis.call('PEXPIRE', head, longest)
return 1
