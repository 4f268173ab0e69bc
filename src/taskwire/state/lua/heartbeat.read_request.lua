-- Return the time, and the time of the last HTTP request from Slack.
-- requires: queue/fence, queue/batch

-- script: heartbeat.read_request
-- ARGV: prefix, time
return {whole(now), redis.call('GET', prefix .. 'heartbeat:request') or ''}
