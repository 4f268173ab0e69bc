-- Record that Slack has sent an HTTP request.
-- requires: queue/fence, queue/batch

-- script: heartbeat.record_request
-- ARGV: prefix, time
redis.call('SET', prefix .. 'heartbeat:request', whole(now))
return '0'
