"""The HTTP server over real sockets: which connections are accepted, kept waiting or closed."""
