-- The audit trail (`state/audit.py`): a stream of entries. Each has a number, and the hash of its text and of
-- the hash before it, so that an entry that is changed or removed later breaks the chain.
--
-- `KEY:head` is a hash: the number and the hash of the newest entry, and those of the newest entry that was
-- trimmed (`trimmed`, `trimmed_hash`), which the oldest kept entry follows. SHA-1 is the only hash that a
-- script has. A forger would need a second text with a given hash, against which SHA-1 still holds.
-- requires: queue/queues

local MOST_TRIMMED = 10
local newest_entry = ''
local function trim_trail(key, most, longest)
  for _, oldest in ipairs(redis.call('XRANGE', key, '-', '+', 'COUNT', MOST_TRIMMED)) do
    local at, number = oldest[1]:match('^(%d+)-(%d+)$')
    if redis.call('XLEN', key) <= most and tonumber(at) >= now - longest then return end
    redis.call('XDEL', key, oldest[1])
    redis.call('HSET', key .. ':head', 'trimmed', number, 'trimmed_hash', oldest[2][4])
  end
end
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
  redis.call('XADD', key, id, 'entry', entry, 'hash', hash)
  redis.call('HSET', head, 'number', whole(number), 'hash', hash)
  trim_trail(key, tonumber(most), tonumber(longest))
  redis.call('PEXPIRE', key, longest)
  redis.call('PEXPIRE', head, longest)
  newest_entry = whole(number) .. ' ' .. hash
end
