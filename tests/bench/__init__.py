"""Measures, asserts nothing: each figure against a baseline in the same run, `python -m tests.bench`."""
