"""Watches Coder: polls the list of tasks, and follows announced changes."""
