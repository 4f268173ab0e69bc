-- Note that something of each of these kinds has come from Slack.
-- requires: queue/fence, queue/batch

-- script: heard.note
-- ARGV: prefix, time, kinds...
for i = 3, #ARGV do redis.call('HSET', prefix .. 'heard', ARGV[i], whole(now)) end
return 1
