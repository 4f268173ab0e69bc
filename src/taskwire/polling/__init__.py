"""Watching Coder: the poller of the list of tasks, and announced changes that it waits for."""
