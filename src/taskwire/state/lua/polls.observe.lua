-- Store what a poll has seen of tasks, and append an event to the queue of each link whose task has changed.
-- requires: queue/fence, queue/batch

-- script: polls.observe (polls, observes)
-- ARGV: prefix, time, account, number, looks...
-- The last observation in the queue is replaced by a newer one that shows the task in the same condition.
local function overtaken(name, n, is_same_state)
  local order, id = queue_keys(name), 'observed:' .. n
  if redis.call('ZRANGE', order, -1, -1)[1] ~= id then return end
  if redis.call('ZRANGE', order, 0, 0)[1] == id then return end
  if is_same_state or redis.call('ZCARD', order) >= const.MAX_WAITING_OBSERVATIONS then
    return redis.call('ZSCORE', order, id)
  end
end

local account, number = ARGV[3], ARGV[4]
if redis.call('HGET', prefix .. 'poll:number', account) ~= number then return -1 end
for i = 5, #ARGV, 8 do
  local task, confirmed, build, reported, seen, digest, job, condition = unpack(ARGV, i, i + 7)
  local link = redis.call('HGET', prefix .. 'links', task)
  -- The caller has checked that the record of its link is about the task. Another link is not trusted.
  if link and link == confirmed then
    local key = prefix .. 'link:' .. link
    local name = 'to_thread:' .. link
    local old = redis.call('HMGET', key, 'seen_digest', 'seen_build', 'seen_ms', 'condition', 'observations')
    local b, r = tonumber(old[2] or '-1'), tonumber(old[3] or '0')
    build, reported = tonumber(build), tonumber(reported)
    local is_older = build < b or (build == b and reported > 0 and reported < r)
    redis.call('HDEL', key, 'missed')
    if old[1] ~= digest and not is_older then
      if build > b then r = 0 end
      redis.call('HSET', key, 'seen', seen, 'seen_digest', digest, 'seen_build', whole(build),
                 'seen_ms', whole(math.max(r, reported)), 'condition', condition)
      local n, score = old[5] or '0', nil
      score = overtaken(name, n, old[4] == condition)
      if not score then n = whole(redis.call('HINCRBY', key, 'observations', 1)) end
      -- The id is the first thing in the text of the job.
      put(name, 'observed:' .. n, score or 'next', '0', 'newest', (job:gsub('@N@', n, 1)))
    end
  end
end
return 0
