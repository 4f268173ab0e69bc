"""Tests of the Redis client, on real servers."""
