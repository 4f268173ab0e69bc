-- Note that something of each of these kinds has come from Slack.
-- requires: queue/fence, queue/batch

-- script: received.record
-- ARGV: prefix, time, kinds...
for i = 3, #ARGV do redis.call('HSET', prefix .. 'received', ARGV[i], whole(now)) end
return 1
