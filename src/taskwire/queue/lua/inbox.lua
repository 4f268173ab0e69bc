-- What the two claims of a delivery share (`queue/inbox.py`).
--
-- A claim holds its outcome and the token of the call that made it. So a second try of the same call, whose
-- first answer was lost, is not taken for another delivery. Whether too much waits already is checked
-- before the claim is written: a claim without its batch would be a loss.

local function seen_before(claim, ttl, token, was_accepted_before, outcome)
  if redis.call('SET', claim, outcome .. ' ' .. token, 'NX', 'PX', ttl) then return nil end
  -- WAIT covers the latest write. When the replicas have it, they have all earlier writes too.
  redis.call('PEXPIRE', claim, ttl)
  local was, whose = redis.call('GET', claim):match('^([%a_]+) (%x+)$')
  return whose == token and not was_accepted_before and was or 'duplicate'
end

local MAX_WAITING_REPLIES, MAX_WAITING_REQUESTS = const.MAX_WAITING_REPLIES, const.MAX_WAITING_REQUESTS
local MAX_WAITING_ANSWERS = const.MAX_WAITING_ANSWERS
local function most_beside(queue_kind, job_kind)
  if queue_kind == 'intake' then return MAX_WAITING_REQUESTS end
  if queue_kind == 'thread_answers' then return MAX_WAITING_ANSWERS end
  if queue_kind == 'to_thread' then
    return job_kind == const.REJECTION and 2 * MAX_WAITING_ANSWERS or MAX_WAITING_ANSWERS
  end
  -- A pause and an edit of a waiting reply are accepted even if too many replies wait. Edits have a limit of
  -- their own.
  if queue_kind ~= 'to_coder' or job_kind == const.CHANGE_KIND then return math.huge end
  return job_kind == const.REPLY_KIND and MAX_WAITING_REPLIES or MAX_WAITING_REPLIES + MAX_WAITING_REQUESTS
end
local function waiting_in(name, job_kind)
  local kind, link = name:match('^([%a_]*):(.*)$')
  local order = queue_keys(name)
  if kind ~= 'to_coder' then return redis.call('ZCARD', order) end
  if job_kind == const.REPLY_KIND then
    return redis.call('ZCARD', order) + redis.call('HLEN', prefix .. 'held:' .. link)
  end
  -- One press can send many replies again. Jobs that go before them are not rejected because of the replies.
  return redis.call('ZCOUNT', order, '-inf', '(' .. whole(IN_TURN))
end
-- Whether a reply of this person has no place. Some places are only for the owner's replies, whatever else
-- waits. `is_full` says if all places are taken. Replies of strangers count only against strangers.
local function lacks_place(person, link, is_full)
  local is_known, owner = steerers_of(link)
  if person == owner and not is_full then return false end
  local order, jobs = queue_keys('to_coder:' .. link)
  local own, of_others = 0, 0
  local function count(body)
    local author = body and body:match('"person":"([^"]+)"')
    if author == person then own = own + 1 end
    if author and author ~= owner and (is_known(author) or not is_known(person)) then
      of_others = of_others + 1
    end
  end
  for _, id in ipairs(redis.call('ZRANGE', order, 0, -1)) do
    if id:match('^[%a_]*') == const.REPLY_KIND then count(redis.call('HGET', jobs, 'body|' .. id)) end
  end
  for _, held in ipairs(redis.call('HVALS', prefix .. 'held:' .. link)) do count(held) end
  if person == owner then return own >= MAX_WAITING_REPLIES - const.MAX_REPLIES_OF_OTHERS end
  local is_taken = owner and of_others >= const.MAX_REPLIES_OF_OTHERS
  return is_full or own >= const.MAX_REPLIES_OF_ONE or is_taken
end
-- What strangers have brought into an agent's queue does not count against people who steer it.
local function is_full(operations, limit)
  for _, operation in ipairs(operations) do
    if operation[1] == 'append' then
      local job_kind = operation[3]:match('^[%a_]*')
      local most = most_beside(operation[2]:match('^[%a_]*'), job_kind)
      local waiting = most < math.huge and waiting_in(operation[2], job_kind) or 0
      local link = operation[2]:match('^to_coder:(.*)$')
      local is_of_person, all = limit and link, waiting
      if all >= most and is_of_person then waiting = all - strangers_before(limit.person, link) end
      if is_of_person and job_kind == const.REPLY_KIND and all >= const.MAX_REPLIES_OF_ONE then
        if lacks_place(limit.person, link, waiting >= most) then return true end
      elseif waiting >= most then
        return true
      end
    end
  end
  return false
end
