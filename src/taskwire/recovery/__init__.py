"""Recovers what was missed or lost:

downtime, backfill, lost threads, jobs that only a newer version can read.
"""
