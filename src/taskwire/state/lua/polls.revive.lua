-- Open the link of a task that was gone and exists again.
-- requires: queue/fence, queue/batch

-- script: polls.revive (polls)
-- ARGV: prefix, time, account, number, task, link, job, check
local account, number, task, link, job = ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7]
local key, links = prefix .. 'link:' .. link, prefix .. 'links'
if redis.call('HGET', prefix .. 'poll:number', account) ~= number then return 0 end
redis.call('DEL', prefix .. 'gone_task:' .. task)
if redis.call('HGET', key, 'ended') ~= 'gone' or redis.call('HEXISTS', links, task) == 1 then return 0 end
local record = cjson.decode(redis.call('HGET', key, 'record'))
redis.call('HDEL', key, 'ended', 'missed', 'seen', 'seen_digest')
redis.call('PERSIST', key)
redis.call('SET', prefix .. 'thread:' .. record.channel .. ':' .. record.thread_ts, link)
redis.call('HSET', links, task, link)
local shares = redis.call('HGET', key, 'shares')
if shares then redis.call('HSET', prefix .. 'shared', link, shares) end
if type(record.owner_slack) == 'string' then
  redis.call('ZADD', prefix .. 'links_of:' .. record.owner_slack, whole(now), link)
end
put('to_coder:' .. link, 'owner:back:' .. number, '0', '0', 'new', ARGV[8])
put('to_thread:' .. link, 'back:' .. number, 'next', '0', 'new', job)
return 1
