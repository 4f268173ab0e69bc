-- Return the time, and the time of the last heartbeat.
-- requires: queue/fence, queue/batch

-- script: heartbeat.read
-- ARGV: prefix, time
return {whole(now), redis.call('GET', prefix .. 'heartbeat') or ''}
