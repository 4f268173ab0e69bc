"""The HTTP server over real sockets: which connections are admitted, kept waiting or closed."""
