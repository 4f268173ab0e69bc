-- The audit trail (`state/audit.py`): a stream of entries. Each has a number, and the hash of its text and of
-- the hash before it, so that an entry that is changed or removed later breaks the chain. Each text carries a
-- signature that needs the key of this deployment. Python seals the end of the chain every few seconds.
--
-- `KEY:head` is a hash: the number and the hash of the newest entry, and the seal. SHA-1 is the only hash
-- that a script has. A forger would need a second text with a given hash and a right signature.
-- requires: queue/queues

local newest_entry = ''
local function add_audit_entry(key, entry, most, longest)
  local head = key .. ':head'
  local before = redis.call('HMGET', head, 'number', 'hash')
  local number, at = (tonumber(before[1] or '') or 0) + 1, now
  local last = redis.call('XREVRANGE', key, '+', '-', 'COUNT', 1)[1]
  if last then
    -- The ids of a stream must rise, even if the clock or the head was set back.
    local last_at, last_number = last[1]:match('^(%d+)-(%d+)$')
    at = math.max(at, tonumber(last_at) + (tonumber(last_number) >= number and 1 or 0))
  end
  local id = whole(at) .. '-' .. whole(number)
  local hash = redis.sha1hex((before[2] or '') .. ' ' .. id .. ' ' .. entry)
  -- `audit.seal` trims entries above the limit. This bound holds if no seal is written for long.
  redis.call('XADD', key, 'MAXLEN', whole(2 * tonumber(most) + 1000), id, 'entry', entry, 'hash', hash)
  redis.call('HSET', head, 'number', whole(number), 'hash', hash)
  redis.call('PEXPIRE', key, longest)
  redis.call('PEXPIRE', head, longest)
  newest_entry = whole(number) .. ' ' .. hash
end
