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
-- Returns a function that says whether a person is known to steer the task of a link, and the task's owner.
local function steerers_of(link)
  -- Text inside a value cannot look like this, because its quotation marks are escaped.
  local record = redis.call('HGET', prefix .. 'link:' .. link, 'record')
  local owner, known = record and record:match('"owner_slack":"([^"]+)"'), {}
  local function is_known(person)
    if known[person] == nil then
      local note = prefix .. 'notes:' .. const.STEERER .. ':' .. link .. ':' .. person
      known[person] = person == owner or redis.call('EXISTS', note) == 1
    end
    return known[person]
  end
  return is_known, owner
end
-- The kind and the person of each job from score `lowest` that waits for a check of its person's rights. If
-- `only` is given, of the jobs of this kind.
local function unchecked_jobs(link, lowest, only)
  local order, jobs = queue_keys('to_coder:' .. link)
  local found = {}
  local waiting = redis.call('ZRANGEBYSCORE', order, lowest, '(' .. whole(IN_TURN))
  for _, id in ipairs(waiting) do
    local kind = id:match('^[%a_]*')
    local body = (not only or kind == only) and redis.call('HGET', jobs, 'body|' .. id)
    local person = body and body:match('"person":"([^"]+)"')
    if person then found[#found + 1] = {kind, person} end
  end
  return found
end
-- How many jobs of people who are not known to steer the task wait before those of a person who is.
local function strangers_before(person, link)
  local is_known, count = steerers_of(link), 0
  if not is_known(person) then return 0 end
  for _, job in ipairs(unchecked_jobs(link, '-inf')) do
    if not is_known(job[2]) then count = count + 1 end
  end
  return count
end
-- Whether these jobs are as many as the limits allow: of this person, or of people who are not known to steer
-- the task.
local function has_too_many_of(jobs, limit, is_known)
  local own, of_strangers = 0, 0
  for _, job in ipairs(jobs) do
    if job[2] == limit.person then own = own + 1 end
    if not is_known(job[2]) then of_strangers = of_strangers + 1 end
  end
  if own >= limit.most then return true end
  return of_strangers >= const.MAX_UNCHECKED_OF_STRANGERS and not is_known(limit.person)
end
-- Whether as many replies wait to be checked for the link's agent as the limits allow: of this person, or of
-- all people who are not known to steer the task.
local function has_too_many_unchecked(limit, where)
  local is_known, owner = steerers_of(where)
  if owner == limit.person then return false end
  local jobs = unchecked_jobs(where, whole(IN_TURN / 2), const.REPLY_KIND)
  return has_too_many_of(jobs, limit, is_known)
end
-- Whether as many messages of this person, or of all strangers, as the limits allow have a waiting edit or
-- deletion. A change that replaces a waiting one adds no job.
local function has_too_many_changes(limit, where)
  local _, jobs = queue_keys('to_coder:' .. where)
  if redis.call('HEXISTS', jobs, 'body|' .. limit.job) == 1 then return false end
  return has_too_many_of(unchecked_jobs(where, '-inf', const.CHANGE_KIND), limit, (steerers_of(where)))
end
-- Whether as many messages that people picked for the link's agent wait as the limits allow: of this person,
-- or of all people who are not known to steer the task.
local function has_too_many_picked(limit, where)
  local is_known, owner = steerers_of(where)
  if owner == limit.person then return false end
  return has_too_many_of(unchecked_jobs(where, '-inf', const.PICKED_KIND), limit, is_known)
end
local LIMITS_OF_WAITING = {
  [const.UNCHECKED] = has_too_many_unchecked, [const.CHANGES] = has_too_many_changes,
  [const.PICKED] = has_too_many_picked
}
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
  local has_too_many_waiting = LIMITS_OF_WAITING[limit.kind]
  if has_too_many_waiting then
    if not has_too_many_waiting(limit, where) then return 'claimed', batch end
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
