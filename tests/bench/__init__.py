"""Benchmarks, run by `python -m tests.bench`. They compare each figure with a baseline that is measured in
the same run. Benchmarks assert nothing."""
