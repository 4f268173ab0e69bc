"""The HTTP door over real sockets: who gets in, who has to wait, and who has to go."""
