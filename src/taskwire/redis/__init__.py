"""The client for Redis: connections, the embedded store, all key names, and the outcomes of failed calls."""
