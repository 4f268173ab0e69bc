"""Reserves ports for servers that tests start, stop and restart. No other program gets a reserved port."""

from taskwire_sandbox.ports import Port

_held: list[Port] = []


def free_port() -> int:
    """Return an unused port, and reserve it until the test session ends."""
    port = Port()
    _held.append(port)
    return port.number


def let_go() -> None:
    """Release all reserved ports."""
    while _held:
        _held.pop().close()
