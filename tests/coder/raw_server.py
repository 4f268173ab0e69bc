"""A server that misbehaves at the level of bytes. It does not imitate Coder.

The server keeps every request that it has read completely. A list of behaviors says what it does after each
request; the last behavior repeats. Tests that need a Coder with tasks use the stand-in instead.
"""

import asyncio
import contextlib
import re
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

Behavior = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class RawServer:
    """The server's URL, and the requests that the server has read so far."""

    url: str
    requests: list[bytes] = field(default_factory=list)
    connections: int = 0
    arrived: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def has_read(self, count: int) -> None:
        """Wait until the server has read this number of requests completely."""
        async with self.arrived:
            await self.arrived.wait_for(lambda: len(self.requests) >= count)

    @property
    def lines(self) -> list[str]:
        """Return the request line of each request, without the HTTP version."""
        return [request.split(b" HTTP/", 1)[0].decode() for request in self.requests]


def respond(status: int, body: bytes | str = b"", *headers: str) -> Behavior:
    """Return a behavior that sends a complete answer and keeps the connection open."""
    content = body.encode() if isinstance(body, str) else body
    lines = [f"HTTP/1.1 {status} Word", f"Content-Length: {len(content)}", *headers]
    return send_raw("\r\n".join(lines).encode() + b"\r\n\r\n" + content)


def send_raw(content: bytes) -> Behavior:
    """Return a behavior that sends exactly these bytes."""

    async def behave(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(content)
        await writer.drain()

    return behave


def send_raw_and_close(content: bytes) -> Behavior:
    """Return a behavior that sends exactly these bytes and closes the connection."""

    async def behave(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(content)
        await writer.drain()
        writer.close()

    return behave


async def close_connection(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Read the request and close the connection."""
    writer.close()


async def reset_connection(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Read the request and reset the connection."""
    reset(writer)


async def never_respond(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    """Read the request, send nothing, and wait until the client closes the connection."""
    with contextlib.suppress(ConnectionError):
        await reader.read()


def reset(writer: asyncio.StreamWriter) -> None:
    """Close a connection with a TCP reset."""
    sock: socket.socket = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def _read_request(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = re.search(rb"\r\ncontent-length: *(\d+)", head, re.IGNORECASE)
    return head + (await reader.readexactly(int(length[1])) if length else b"")


@contextlib.asynccontextmanager
async def raw_server(*behaviors: Behavior, on_connect: Behavior | None = None) -> AsyncIterator[RawServer]:
    """Run a server with these behaviors on loopback. `on_connect` runs first on each new connection."""
    remaining = list(behaviors)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        state.connections += 1
        if on_connect is not None:
            await on_connect(reader, writer)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while not writer.is_closing():
                request = await _read_request(reader)
                async with state.arrived:
                    state.requests.append(request)
                    state.arrived.notify_all()
                await (remaining.pop(0) if len(remaining) > 1 else remaining[0])(reader, writer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    state = RawServer(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    async with server:
        yield state
