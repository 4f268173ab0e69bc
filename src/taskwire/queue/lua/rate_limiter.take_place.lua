-- Take a place for a call to Slack, or answer how long to wait for one.
--
-- A bucket is a hash, a list of the times of its last places, and two sorted sets of claims. The hash says
-- when the next place is due, when a place was asked for last, how many places were given since one went
-- to a starving claim, and whether the reserve is there. One set is ordered by who goes first (priority,
-- then the time of the first request), the other by when claims lapse. The time of the first request is
-- kept beside the bucket; requests of one millisecond are kept apart by a hundredth.
-- requires: queue/fence, queue/batch

-- script: rate_limiter.take_place (paces)
-- ARGV: prefix, time, method, class, claimant, buckets...
local WINDOW, GRACE, REMEMBERED = const.WINDOW_MS, const.CLAIM_GRACE_MS, const.CLAIM_AGE_TTL_MS
local SHORT, LONGEST = const.SHORT_WAIT_MS, const.MAX_REPORTED_WAIT_MS
local STARVING_AFTER, PLACES_PER_STARVING = const.STARVING_AFTER_MS, const.PLACES_PER_STARVING_CLAIM

local CLASS = 2 ^ 42
local function blocked_until(what)
  return tonumber(redis.call('GET', prefix .. 'rate:blocked:' .. what) or '0')
end
local function score_of(class, asked) return string.format('%.2f', class * CLASS + asked) end
local function unclaim(b, claimant)
  redis.call('ZREM', b.waiting, claimant)
  redis.call('ZREM', b.lapsing, claimant)
end
local function opened(name, interval, burst, minute, has_reserve, open)
  local b = {key = prefix .. 'rate:' .. name, interval = tonumber(interval), burst = tonumber(burst),
             minute = tonumber(minute), has_reserve = has_reserve == '1'}
  b.waiting, b.lapsing, b.last = b.key .. ':waiting', b.key .. ':lapsing', b.key .. ':last'
  local known = redis.call('HMGET', b.key, 'due', 'reserve')
  local due = tonumber(known[1] or '0')
  b.due, b.idle, b.reserve = math.max(due, open), now - due, b.has_reserve and known[2] == '1'
  for _, claimant in ipairs(redis.call('ZRANGEBYSCORE', b.lapsing, '-inf', whole(now))) do
    unclaim(b, claimant)
  end
  return b
end
local function free_at(b, nth, open, class)
  local at = math.max(open, b.due + (nth + 1 - b.burst) * b.interval)
  if b.reserve and class == 0 and open <= now and at > now and at - b.interval <= now then at = now end
  if b.minute == 0 then return at end
  local last = redis.call('LINDEX', b.last, b.minute - 1 - nth % b.minute)
  return last and math.max(at, tonumber(last) + WINDOW * (1 + math.floor(nth / b.minute))) or at
end
local function ahead_of(b, class, asked)
  return redis.call('ZCOUNT', b.waiting, '-inf', '(' .. score_of(class, asked))
end
local function keep(key, ms)
  if redis.call('PTTL', key) < ms then redis.call('PEXPIRE', key, whole(ms)) end
end
local function take(b)
  if b.has_reserve and b.idle >= b.interval then redis.call('HSET', b.key, 'reserve', '1') end
  if b.reserve and b.due + (1 - b.burst) * b.interval > now then redis.call('HSET', b.key, 'reserve', '0') end
  redis.call('HINCRBY', b.key, 'since', 1)
  redis.call('HSET', b.key, 'due', whole(b.due + b.interval))
  keep(b.key, b.due + b.interval - now + WINDOW)
  if b.minute == 0 then return end
  redis.call('LPUSH', b.last, whole(now))
  redis.call('LTRIM', b.last, 0, b.minute - 1)
  redis.call('PEXPIRE', b.last, WINDOW)
end
local function claim(b, claimant, class, asked, wait)
  redis.call('ZADD', b.waiting, score_of(class, asked), claimant)
  redis.call('ZADD', b.lapsing, whole(now + wait + GRACE), claimant)
  keep(b.waiting, wait + GRACE)
  keep(b.lapsing, wait + GRACE)
end

local method, class, claimant = ARGV[3], tonumber(ARGV[4]), ARGV[5]
local open = math.max(now, blocked_until(method), blocked_until('*'))
local memo = prefix .. 'rate:asked:' .. method .. ':' .. claimant
local asked = claimant ~= '' and tonumber(redis.call('GET', memo) or nil)
local buckets, is_new = {}, not asked
for i = 6, #ARGV, 5 do
  local b = opened(ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], ARGV[i + 4], open)
  table.insert(buckets, b)
  local score = not is_new and redis.call('ZSCORE', b.waiting, claimant)
  if score then class = math.min(class, math.floor(tonumber(score) / CLASS)) end
end
if is_new then
  local last = buckets[1] and redis.call('HGET', buckets[1].key, 'asked') or '0'
  asked = math.max(now, tonumber(last) + 0.01)
end
local wait, short = open - now, nil
for _, b in ipairs(buckets) do
  local nth = ahead_of(b, class, asked)
  if nth > 0 and class > 0 and now - asked >= STARVING_AFTER
     and tonumber(redis.call('HGET', b.key, 'since') or '0') >= PLACES_PER_STARVING - 1 then
    redis.call('HSET', b.key, 'since', '-1')
    class, nth = 0, ahead_of(b, 0, asked)
  end
  local left = free_at(b, nth, open, class) - now
  if left > 0 and (left > wait or not short) then wait, short = left, b end
end
for _, b in ipairs(buckets) do
  if not is_new and b ~= short then unclaim(b, claimant) end
end
if wait <= 0 then
  for _, b in ipairs(buckets) do take(b) end
  if not is_new then redis.call('DEL', memo) end
  return {'0', whole(math.max(now - asked, 0))}
end
local behind = wait - (open - now)
wait = math.ceil(open - now + math.min(behind, math.max(SHORT, math.min(behind / 2, LONGEST))))
if short and claimant ~= '' then
  asked = string.format('%.2f', asked)
  if is_new then
    redis.call('HSET', buckets[1].key, 'asked', asked)
    keep(buckets[1].key, WINDOW)
  end
  redis.call('SET', memo, asked, 'PX', whole(wait + GRACE + REMEMBERED))
  claim(short, claimant, class, tonumber(asked), wait)
end
return {whole(wait), '0'}
