-- Store the number of this call in the list of its process (`redis/write_log.py`). KEYS[2] is that list.
-- ARGV[2] is the time in milliseconds, then a space and the number; each may be absent.

local stamp, call = ARGV[2]:match('^(%d*) ?(%d*)$')
if call ~= '' then
  local kept = redis.call('LPUSH', KEYS[2], call)
  if kept == 1 then redis.call('PEXPIRE', KEYS[2], const.DAY_MS) end
  local most = const.MAX_REMEMBERED_CALLS
  if kept > 3 * most then redis.call('LTRIM', KEYS[2], 0, 2 * most) end
end
