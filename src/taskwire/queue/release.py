"""The scripts by which a turn is handed on that has no end: broken off, or its job cannot be read here.

When a turn is handed on is for `queue` and its callers to know.
"""

from taskwire.queue import formats

# The taking is as if it had not been; but what it began may still land.
PUT_BACK = """
-- script: queue.release
-- ARGV: prefix, time, queue, token, pause
local name, token, pause = ARGV[3], ARGV[4], tonumber(ARGV[5])
local order, jobs, state = queue_keys(name)
if redis.call('HGET', state, 'token') ~= token then return 'lost' end
redis.call('HDEL', state, 'token', 'job')
if redis.call('HINCRBY', state, 'takes', -1) <= 0 then redis.call('HDEL', state, 'takes', 'first_take') end
local lands = tonumber(redis.call('HGET', state, 'attempt_until') or '0')
local due = whole(math.max(now + pause, lands))
redis.call('HSET', state, 'held_until', due)
due_at(name, tonumber(due))
return 'put back'
"""

# The taking is as if it had not been; but the list goes where only those look who may read its job. Where
# none of them has been seen, somebody of this format may be able to all the same; at last there is nobody.
LEAVE = (
    formats.LUA
    + """
-- script: queue.defer
-- ARGV: prefix, time, queue, token, id, format, pause
local name, token, id, format, pause = ARGV[3], ARGV[4], ARGV[5], tonumber(ARGV[6]), tonumber(ARGV[7])
local order, jobs, state = queue_keys(name)
if redis.call('HGET', state, 'token') ~= token then return 'lost' end
local newer, mark = newer_than(format), 'format|' .. id
local since = tonumber((redis.call('HGET', jobs, mark) or ''):match('(%d+)$') or '')
if not newer and since and now - since > WAITED_FOR_MS then return 'no newer version' end
if redis.call('HEXISTS', jobs, 'body|' .. id) == 1 then
  redis.call('HSET', jobs, mark, (newer or '1') .. ' ' .. whole(since or now))
  if not newer then redis.call('ZADD', unread, whole(since or now), name) end
end
redis.call('HDEL', state, 'token', 'job')
if redis.call('HINCRBY', state, 'takes', -1) <= 0 then redis.call('HDEL', state, 'takes', 'first_take') end
local lands = tonumber(redis.call('HGET', state, 'attempt_until') or '0')
local due = math.max(newer and now or now + pause, lands)
redis.call('HSET', state, 'held_until', whole(due))
due_at(name, due)
if due <= now then rouse() end
return since and 'deferred again' or 'deferred'
"""
)
