-- Record that a process is listening.
-- requires: queue/fence, queue/batch

-- script: heartbeat.beat
-- ARGV: prefix, time
redis.call('SET', prefix .. 'heartbeat', whole(now))
return '0'
