"""Tests with broken networks, killed processes and lost answers."""
