-- Limits for one person (`queue/user_limits.py`). One more request is too much if some minute around it
-- would hold more than the limit, whichever of them came first.

local WINDOW, REQUEST_TTL_MS = const.REQUEST_WINDOW_MS, const.REQUEST_TTL_MS
local MAX_REMEMBERED_REQUESTS = const.MAX_REMEMBERED_REQUESTS
local function is_too_much(key, at, most)
  local times = {at}
  local from, to = '(' .. whole(at - WINDOW), '(' .. whole(at + WINDOW)
  local near = redis.call('ZRANGEBYSCORE', key, from, to, 'WITHSCORES')
  for i = 2, #near, 2 do times[#times + 1] = tonumber(near[i]) end
  table.sort(times)
  for i = 1, #times - most do
    if times[i + most] - times[i] < WINDOW then return true end
  end
  return false
end
-- Whether as many replies wait to be checked for the link's agent as the limits allow: of this person, or of
-- all people who are not known to steer the task.
local function has_too_many_unchecked(limit, where)
  -- Text inside a value cannot look like this, because its quotation marks are escaped.
  local record = redis.call('HGET', prefix .. 'link:' .. where, 'record')
  local owner, known = record and record:match('"owner_slack":"([^"]+)"'), {}
  if owner == limit.person then return false end
  local function is_known(person)
    if known[person] == nil then
      local note = prefix .. 'notes:' .. const.STEERER .. ':' .. where .. ':' .. person
      known[person] = person == owner or redis.call('EXISTS', note) == 1
    end
    return known[person]
  end
  local order, jobs = queue_keys('to_coder:' .. where)
  local own, of_strangers = 0, 0
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', order, whole(IN_TURN / 2), '(' .. whole(IN_TURN))) do
    local body = id:match('^[%a_]*') == const.REPLY_KIND and redis.call('HGET', jobs, 'body|' .. id)
    local person = body and body:match('"person":"([^"]+)"')
    if person == limit.person then own = own + 1 end
    if person and not is_known(person) then of_strangers = of_strangers + 1 end
  end
  if own >= limit.most then return true end
  return of_strangers >= const.MAX_UNCHECKED_OF_STRANGERS and not is_known(limit.person)
end
-- The limit, or nil. Both of its batches are checked here, because choosing one already writes.
local function limit_of(encoded, link)
  if encoded == '' then return nil end
  local limit = cjson.decode(encoded)
  checked(limit.when_told, link)
  checked(limit.when_limited, link)
  return limit
end
-- The outcome of a new delivery, and the batch to write, still encoded. A button may name any link; links
-- that do not exist are counted together.
local function apply_limit(limit, claim, where, batch)
  if not limit then return 'claimed', batch end
  if not where then
    local is_there = limit.link ~= '' and redis.call('EXISTS', prefix .. 'link:' .. limit.link) == 1
    where = is_there and limit.link or ''
  end
  local name = limit.kind .. ':' .. where .. ':' .. limit.person
  local counted = prefix .. 'notes:asked:' .. name
  if limit.kind == const.UNCHECKED then
    if not has_too_many_unchecked(limit, where) then return 'claimed', batch end
  elseif not is_too_much(counted, limit.at_ms, limit.most) then
    redis.call('ZADD', counted, whole(limit.at_ms), claim)
    redis.call('ZREMRANGEBYRANK', counted, 0, -MAX_REMEMBERED_REQUESTS - 1)
    redis.call('PEXPIRE', counted, REQUEST_TTL_MS)
    return 'claimed', batch
  end
  local is_first = redis.call('SET', prefix .. 'notes:told-limit:' .. name, '1', 'NX', 'PX', WINDOW)
  if is_first then return 'limit_told', limit.when_told end
  return 'limited', limit.when_limited
end
