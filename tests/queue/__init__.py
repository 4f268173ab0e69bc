"""Tests of leases, the inbox, batches, limits and dead letters, on a real Valkey and on fakeredis."""  # noqa: A005 - the folder that it tests has this name
