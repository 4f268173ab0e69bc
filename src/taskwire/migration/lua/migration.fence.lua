-- Set a fence if the state of this side is still `seen`. So a process that was suspended in between cannot
-- fence a store that was reopened since or that is in use.
-- KEYS: fence, server
-- ARGV: seen, state, move, other, app, run
-- requires: migration/seen

if seen ~= ARGV[1] then return '' end
redis.call('HSET', KEYS[1], 'state', ARGV[2], 'move', ARGV[3], 'other', ARGV[4], 'app', ARGV[5],
           'run', ARGV[6], 'at', redis.call('TIME')[1] .. '000')
return 'fenced'
