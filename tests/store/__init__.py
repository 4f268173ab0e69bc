"""Tests of the one door to Redis, on real servers."""
