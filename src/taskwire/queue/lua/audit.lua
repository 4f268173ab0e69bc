-- The audit trail (`state/audit.py`): a stream of entries. Each has a number, and the hash of its text and of
-- the hash before it, so that an entry that is changed or removed later breaks the chain. Each text carries a
-- signature that needs the key of this deployment. Python seals the end of the chain every few seconds.
--
-- `KEY:head` is a hash: the number and the hash of the newest entry, and the seal. SHA-1 is the only hash
-- that a script has. A forger would need a second text with a given hash and a right signature.
--
-- A person who can write to Redis may have put anything into these two keys. An error here would end the call
-- after half of its writes, so there is none: an entry that Redis refuses has a number and a hash all the
-- same. So the chain shows that it is missing, and the answer says why.
-- requires: queue/queues

local newest_entry, entry_trouble = '', ''
local function last_id_of(key)
  local info = redis.pcall('XINFO', 'STREAM', key)
  for i = 1, #info - 1, 2 do
    if info[i] == 'last-generated-id' then return info[i + 1]:match('^(%d+)-(%d+)$') end
  end
end
local function add_audit_entry(key, entry, most, longest)
  local head = key .. ':head'
  local before = redis.pcall('HMGET', head, 'number', 'hash')
  if before.err then
    redis.call('DEL', head)
    before = {}
  end
  local number, at = (tonumber(before[1] or '') or 0) + 1, now
  if not (number >= 1 and number < 9007199254740992) then number = 1 end
  local last_at, last_number = last_id_of(key)
  if last_at then
    -- The ids of a stream must rise, even if the clock or the head was set back.
    at = math.max(at, tonumber(last_at) + (tonumber(last_number) >= number and 1 or 0))
  end
  local id = whole(at) .. '-' .. whole(number)
  local hash = redis.sha1hex((before[2] or '') .. ' ' .. id .. ' ' .. entry)
  -- `audit.seal` trims entries above the limit. This bound holds if no seal is written for long.
  local added = redis.pcall('XADD', key, 'MAXLEN', whole(2 * tonumber(most) + 1000), id, 'entry', entry,
    'hash', hash)
  if type(added) == 'table' and added.err then entry_trouble = ' ' .. added.err end
  redis.call('HSET', head, 'number', whole(number), 'hash', hash)
  redis.call('PEXPIRE', key, longest)
  redis.call('PEXPIRE', head, longest)
  newest_entry = whole(number) .. ' ' .. hash .. entry_trouble
end
