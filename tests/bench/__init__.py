"""Benchmarks, run by `python -m tests.bench`. They compare figures with a baseline of the same run. They
assert nothing."""
