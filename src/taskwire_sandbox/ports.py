"""A port on loopback that a stand-in keeps while it simulates an outage.

If the port were released, another program could get it, and the stand-in could not listen there again.
"""

import socket

HOST = "127.0.0.1"


class Port:
    """A port that is held from its creation until `close`, even while nothing listens on it.

    The socket that holds it never listens, so a connection is refused. Linux gives a held port to no program
    that asks for a free one, and lets another socket listen on it if both have SO_REUSEADDR.
    """

    def __init__(self, wanted: int = 0) -> None:
        """Hold this port, or any free one for 0. Raise OSError or OverflowError if that is not possible."""
        self._holder = _bound(wanted)
        self.number: int = self._holder.getsockname()[1]

    def bind(self) -> socket.socket:
        """Return a new socket that is bound to this port. The caller may listen on it."""
        return _bound(self.number)

    def close(self) -> None:
        """Release the port."""
        self._holder.close()


def _bound(port: int) -> socket.socket:
    made = socket.socket()
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((HOST, port))
    except (OSError, OverflowError):
        made.close()
        raise
    return made
