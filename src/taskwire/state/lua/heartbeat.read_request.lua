-- Answer the time, and when Slack last came by HTTP.
-- requires: queue/fence, queue/batch

-- script: heartbeat.read_request
-- ARGV: prefix, time
return {whole(now), redis.call('GET', prefix .. 'heartbeat:request') or ''}
