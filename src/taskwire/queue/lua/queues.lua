-- Queues: their keys, their jobs, and where a queue that has work stands.
--
-- A queue is three keys. `order` is a sorted set of job ids. `jobs` is a hash: `body|ID` is the job,
-- `not_before|ID` the time before which it does not run, `version|ID` its version, `since|ID` when it was
-- appended, `format|ID` the oldest format that may read it and when that was found. `state` is a hash:
-- token, job, held_until, acquisitions, attempt, trouble, format and others. While a lease is held, only its
-- holder changes when the queue is due. A queue never gives a version twice, so a job that was appended
-- again under its old id is not taken for the one before it.
-- requires: queue/write_log

local MENTION_LOOKAHEAD, IN_TURN, FIRST_DRAWING = const.MENTION_LOOKAHEAD, 2 * const.LANE, const.FIRST_DRAWING

local prefix = ARGV[1]
local function clock()
  if stamp ~= '' then return tonumber(stamp) end
  local t = redis.call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end
local now = clock()
local EMPTY_QUEUE_MS = 3600000
local function whole(n) return string.format('%.0f', n) end
local function queue_keys(name)
  local base = prefix .. 'queue:' .. name .. ':'
  return base .. 'order', base .. 'jobs', base .. 'state'
end
local ready, wakeups = prefix .. 'ready', prefix .. 'wakeups'
local function rouse()
  redis.call('LPUSH', wakeups, '1')
  redis.call('LTRIM', wakeups, 0, 63)
end
local function head_of(name)
  local order, jobs, state = queue_keys(name)
  return redis.call('HGET', state, 'attempt_job') or redis.call('ZRANGE', order, 0, 0)[1]
end
-- A queue with work is in a place: `ready`, or `newer:FORMAT` if only versions from that format on can read
-- its next job. Older processes never look there, so such a job delays no other queue.
local function place_for(format) return format == '' and ready or prefix .. 'newer:' .. format end
local function format_of(name)
  local _, jobs = queue_keys(name)
  local head = head_of(name)
  local format = head and (redis.call('HGET', jobs, 'format|' .. head) or ''):match('^%d+') or ''
  return format == '1' and '' or format
end
local function place_of(name)
  local _, _, state = queue_keys(name)
  return place_for(redis.call('HGET', state, 'format') or '')
end
-- A place lists all its queues. Three indexes list the queues that go first: what people asked for and calls,
-- then other acts and messages, then receipts. Of cards, only new ones are in an index.
local calls, acts, receipts = ':calls', ':acts', ':receipts'
local ahead = {calls, acts, receipts}
local function is_call_near(name)
  local order, jobs = queue_keys(name)
  -- Text inside a job cannot look like this, because its quotation marks are escaped.
  for _, id in ipairs(redis.call('ZRANGE', order, 0, MENTION_LOOKAHEAD - 1)) do
    local body = redis.call('HGET', jobs, 'body|' .. id)
    if body and body:find('"is_call":true', 1, true) then return true end
  end
  return false
end
local function index_of(name)
  local kind = name:match('^[%a_]*')
  if kind == 'card' then
    local _, jobs = queue_keys(name)
    return redis.call('HEXISTS', jobs, 'body|' .. FIRST_DRAWING) == 1 and acts or nil
  end
  if kind == 'receipts' then return receipts end
  if kind == 'live' or kind == 'session' then return nil end
  local is_of_person = kind == 'intake' or kind == 'handed_over_answers' or kind == 'direct_messages'
    or kind == 'picked_files'
  if is_of_person or kind == 'to_thread' and is_call_near(name) then return calls end
  -- Replies that wait for their agent are tried again and again; such replies must not keep others waiting.
  local first = kind == 'to_coder' and redis.call('ZRANGE', (queue_keys(name)), 0, 0, 'WITHSCORES')[2]
  return first and tonumber(first) < IN_TURN and calls or acts
end
local function not_due(name)
  local _, _, state = queue_keys(name)
  local place = place_of(name)
  redis.call('ZREM', place, name)
  for _, index in ipairs(ahead) do redis.call('ZREM', place .. index, name) end
  redis.call('HDEL', state, 'format')
end
local function due_at(name, at)
  local _, _, state = queue_keys(name)
  local format = format_of(name)
  if format ~= (redis.call('HGET', state, 'format') or '') then
    not_due(name)
    if format ~= '' then redis.call('HSET', state, 'format', format) end
  end
  local place, mine = place_for(format), index_of(name)
  redis.call('ZADD', place, whole(at), name)
  for _, index in ipairs(ahead) do
    if index == mine then
      redis.call('ZADD', place .. index, whole(at), name)
    else
      redis.call('ZREM', place .. index, name)
    end
  end
end
local function settle(name)
  local order, jobs, state = queue_keys(name)
  local held = tonumber(redis.call('HGET', state, 'held_until') or '0')
  if held > now then return end
  local head = head_of(name)
  if not head then
    not_due(name)
    if redis.call('EXISTS', state) == 1 then redis.call('PEXPIRE', state, EMPTY_QUEUE_MS) end
    return
  end
  local due = now
  local pinned = tonumber(redis.call('HGET', state, 'attempt_until') or '0')
  local not_before = tonumber(redis.call('HGET', jobs, 'not_before|' .. head) or '0')
  if pinned > 0 then not_before = pinned end
  -- A queue that has been due for a while keeps its place among the queues, whatever is appended to it.
  local was = tonumber(redis.call('ZSCORE', place_of(name), name) or '') or due
  if not_before > due then due = not_before elseif was < due then due = was end
  due_at(name, due)
  if due <= now then rouse() end
end
local function new_version(state) return whole(redis.call('HINCRBY', state, 'version', 1)) end
local function put(name, id, score, delay, mode, body)
  local order, jobs, state = queue_keys(name)
  local not_before = now + tonumber(delay)
  if mode == 'latest' then
    local before = redis.call('ZSCORE', order, id)
    if before and tonumber(before) > (tonumber(score) or math.huge) then return end
    mode = 'newest'
  end
  if mode ~= 'newest' and redis.call('HEXISTS', jobs, 'body|' .. id) == 1 then
    -- The job may be running already. Its lease then completes an old version, and the job runs once more.
    if mode == 'again' then redis.call('HSET', jobs, 'version|' .. id, new_version(state)) end
    return
  end
  if score == 'due' then score = whole(not_before) end
  if score == 'next' then score = whole(redis.call('HINCRBY', state, 'number', 1)) end
  redis.call('ZADD', order, score, id)
  redis.call('HSET', jobs, 'body|' .. id, body, 'not_before|' .. id, whole(not_before),
    'version|' .. id, new_version(state))
  redis.call('HSETNX', jobs, 'since|' .. id, whole(now))
  redis.call('HDEL', jobs, 'format|' .. id)
  redis.call('PERSIST', state)
  settle(name)
end
local function drop(name, id)
  local order, jobs, state = queue_keys(name)
  redis.call('ZREM', order, id)
  redis.call('HDEL', jobs, 'body|' .. id, 'not_before|' .. id, 'version|' .. id, 'since|' .. id,
    'format|' .. id)
end
local function set_aside(name, key, beginning, lowest, highest)
  local order, jobs = queue_keys(name)
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', order, lowest, highest)) do
    if id:sub(1, #beginning) == beginning then
      local body = redis.call('HGET', jobs, 'body|' .. id)
      if body then redis.call('HSET', key, id, redis.call('ZSCORE', order, id) .. ' ' .. body) end
      drop(name, id)
    end
  end
end
