"""A port on loopback that a stand-in keeps while it simulates an outage.

If the stand-in released the port, another program could get the port. Then the stand-in could not listen
there again.
"""

import socket

HOST = "127.0.0.1"


class Port:
    """A port that is held from its creation until `close`, even while no server listens on it.

    The socket that holds the port never listens, so the system refuses connections. Linux does not give a
    held port to a program that asks for a free port. Linux lets another socket listen on the port if both
    sockets have SO_REUSEADDR.
    """

    def __init__(self, wanted: int = 0) -> None:
        """Hold this port. For port 0, hold any free port.

        Raise OSError or OverflowError if that is not possible.
        """
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
