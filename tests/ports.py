"""Ports for servers that tests start, end and start again. No other program gets such a port in between."""

from taskwire_sandbox.ports import Port

_held: list[Port] = []


def free_port() -> int:
    """Return a port on which nobody listens. It is reserved for the test until the session ends."""
    port = Port()
    _held.append(port)
    return port.number


def let_go() -> None:
    """Release all ports."""
    while _held:
        _held.pop().close()
