-- Write a batch without a lease.
-- requires: queue/fence, queue/batch

-- script: queue.append (writes)
-- ARGV: prefix, time, batch
run(checked(ARGV[3]))
return 'written'
