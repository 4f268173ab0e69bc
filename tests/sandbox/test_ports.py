"""A stand-in that is away refuses connections and keeps its port."""

import contextlib
import socket

import pytest

from taskwire_sandbox.ports import HOST, Port


def test_nobody_gets_the_port_of_a_stand_in_that_is_away() -> None:
    """While the server of a stand-in is stopped, its port stays reserved. No program that asks for a free
    port gets it."""
    port = Port()
    with contextlib.ExitStack() as stack:
        got = set()
        for _ in range(500):
            other = stack.enter_context(socket.socket())
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            other.bind((HOST, 0))
            got.add(other.getsockname()[1])
    port.close()

    assert got
    assert port.number not in got


def test_a_connection_is_refused_until_somebody_listens() -> None:
    port = Port()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((HOST, port.number), timeout=5).close()

    with port.bind() as listening:
        listening.listen()
        socket.create_connection((HOST, port.number), timeout=5).close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((HOST, port.number), timeout=5).close()
    port.close()


def test_a_port_on_which_somebody_listens_is_not_given() -> None:
    port = Port()
    with port.bind() as listening:
        listening.listen()
        with pytest.raises(OSError, match="in use"):
            Port(port.number)
    port.close()
