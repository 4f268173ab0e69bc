-- Note that Slack has come by HTTP.
-- requires: queue/fence, queue/batch

-- script: heartbeat.record_request
-- ARGV: prefix, time
redis.call('SET', prefix .. 'heartbeat:request', whole(now))
return '0'
