-- Append a job to each link whose timer is due.
-- requires: queue/fence, queue/batch

-- script: links.fire_timers (serial)
-- ARGV: prefix, time, job
local timers, count = prefix .. 'timers', 0
for _, link in ipairs(redis.call('ZRANGEBYSCORE', timers, '-inf', whole(now), 'LIMIT', 0, 200)) do
  redis.call('ZREM', timers, link)
  put('to_thread:' .. link, 'time:' .. whole(now), 'next', '0', 'new', (ARGV[3]:gsub('@TIME@', whole(now))))
  count = count + 1
end
return count
