-- Return the state of one side of a move.
-- KEYS: fence, server
-- requires: migration/seen

return seen
