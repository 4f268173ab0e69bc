"""Ports for servers that tests start, end and start again: nobody else gets them in between."""

from taskwire_sandbox.ports import Port

_held: list[Port] = []


def free_port() -> int:
    """A port on which nobody listens; it stays the test's own until the session ends."""
    port = Port()
    _held.append(port)
    return port.number


def let_go() -> None:
    """Let go of all ports."""
    while _held:
        _held.pop().close()
