-- Note that Slack has come by HTTP.
-- requires: queue/fence, queue/batch

-- script: heartbeat.reached
-- ARGV: prefix, time
redis.call('SET', prefix .. 'heartbeat:reached', whole(now))
return '0'
