-- Check a batch that another version has made.
-- requires: queue/fence, queue/batch

-- script: queue.check
-- ARGV: prefix, time, batch
checked(ARGV[3])
return 1
