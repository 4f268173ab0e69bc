"""The durable queue in Redis: leases, inbox, batches, dead letters, rate limiter, data loss."""
