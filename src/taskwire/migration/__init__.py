"""`taskwire store`: moves an installation's data from one Redis to another."""
