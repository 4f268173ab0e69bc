-- Open the target, and record which move ended there.
-- KEYS: fence, server
-- ARGV: run
-- requires: migration/own_run

redis.call('HSET', KEYS[2], 'arrived', redis.call('HGET', KEYS[1], 'move'))
return redis.call('DEL', KEYS[1])
