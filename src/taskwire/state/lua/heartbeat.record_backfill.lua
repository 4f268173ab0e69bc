-- Record that a backfill reads what was missed, so that the same time does not count as a silence of Slack. A
-- backfill goes back ten minutes further than its gap, so a short silence before the gap is read with it.
-- requires: queue/fence, queue/batch

-- script: heartbeat.record_backfill
-- ARGV: prefix, time, absence, longest
local absence, longest = tonumber(ARGV[3]), tonumber(ARGV[4])
local at = tonumber(redis.call('GET', prefix .. 'heartbeat:request') or '')
if at and (absence < 0 or now - absence - at < longest) then
  redis.call('SET', prefix .. 'heartbeat:request', whole(now))
end
return '0'
