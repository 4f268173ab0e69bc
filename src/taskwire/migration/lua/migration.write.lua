-- Carry out one command on a key of the target.
-- KEYS: fence, key
-- ARGV: run, command, words...
-- requires: migration/own_run

return redis.call(ARGV[2], KEYS[2], unpack(ARGV, 3))
