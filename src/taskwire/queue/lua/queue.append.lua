-- Write a batch without a lease. The answer has the audit entry, as that of `queue.complete`.
-- requires: queue/fence, queue/batch

-- script: queue.append (writes)
-- ARGV: prefix, time, batch
run(checked(ARGV[3]))
return newest_entry == '' and 'written' or 'written ' .. newest_entry
