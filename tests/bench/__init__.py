"""Benchmarks, run by `python -m tests.bench`. They measure figures against a baseline of the same run and
assert nothing."""
