-- Answer the time, and when Slack last came by HTTP.
-- requires: queue/fence, queue/batch

-- script: heartbeat.silence
-- ARGV: prefix, time
return {whole(now), redis.call('GET', prefix .. 'heartbeat:reached') or ''}
