"""Lua scripts that read the queues in Redis without changing them."""

# Returns each queue that has jobs, with its due time and its lease's token; and the earliest timer.
ROWS = """
local prefix, rows = ARGV[1], {}
local all = redis.call('ZRANGE', prefix .. 'ready', 0, -1, 'WITHSCORES')
for i = 1, #all, 2 do
  local token = redis.call('HGET', prefix .. 'queue:' .. all[i] .. ':state', 'token') or ''
  -- A status in Slack is shown again and again while its agent works. Nobody waits for that.
  local head = redis.call('ZRANGE', prefix .. 'queue:' .. all[i] .. ':order', 0, 0)[1] or ''
  if token ~= '' or head:sub(1, 6) ~= 'again:' then rows[#rows + 1] = {all[i], all[i + 1], token} end
end
return {rows, redis.call('ZRANGE', prefix .. 'timers', 0, 0, 'WITHSCORES')}
"""

# Returns the queue and the job that a take (the call that acquires a lease) would acquire now.
HEAD = """
local ready, now = ARGV[1] .. 'ready', ARGV[2]
local indexes = {ready .. ':calls', ready .. ':acts', ready .. ':receipts', ready}
for _, index in ipairs(ARGV[3] == '1' and {ready} or indexes) do
  for _, name in ipairs(redis.call('ZRANGEBYSCORE', index, '-inf', now)) do
    local base = ARGV[1] .. 'queue:' .. name .. ':'
    local pinned = redis.call('HGET', base .. 'state', 'attempt_job')
    local head = pinned or redis.call('ZRANGE', base .. 'order', 0, 0)[1]
    local body = head and redis.call('HGET', base .. 'jobs', 'body|' .. head)
    local due = head and tonumber(redis.call('HGET', base .. 'jobs', 'not_before|' .. head) or '0')
    if body and (pinned or due <= tonumber(now)) then return {name, body} end
  end
end
return {}
"""
