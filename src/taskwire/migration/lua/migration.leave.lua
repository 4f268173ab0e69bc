-- Mark the source as left: its data is in the target now.
-- KEYS: fence, server
-- ARGV: run
-- requires: migration/own_run

return redis.call('HSET', KEYS[1], 'state', 'left', 'at', redis.call('TIME')[1] .. '000')
