"""Frozen values and pure functions, without I/O."""
