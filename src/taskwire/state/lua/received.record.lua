-- Record that payloads of these kinds have arrived from Slack.
-- requires: queue/fence, queue/batch

-- script: received.record
-- ARGV: prefix, time, kinds...
for i = 3, #ARGV do redis.call('HSET', prefix .. 'received', ARGV[i], whole(now)) end
return 1
