"""Durations in milliseconds that several folders use."""

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
