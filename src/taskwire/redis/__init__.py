"""The client for Redis: connections, the embedded store, every key's name, and what a failed call means."""
