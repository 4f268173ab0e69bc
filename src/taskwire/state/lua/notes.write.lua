-- Write one note, unless the store is fenced. KEYS[1] is the note.
-- requires: queue/fence

-- script: notes.write
-- ARGV: prefix, command, words...
return redis.call(ARGV[2], KEYS[1], unpack(ARGV, 3))
