"""Tests of the one client of Redis, on real servers."""
