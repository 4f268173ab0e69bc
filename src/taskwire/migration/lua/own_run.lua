-- Refuse if another run of this move has taken over or has ended the move, or if the store was opened again.
-- KEYS[1] is the fence of the target, ARGV[1] this run.

if redis.call('HGET', KEYS[1], 'run') ~= ARGV[1] then
  return redis.error_reply(const.TAKEN_OVER)
end
