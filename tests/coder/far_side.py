"""A server that misbehaves at the level of bytes. It knows nothing about Coder.

Every request that was read completely is kept in `requests`. Each request is met by the next act of the play;
the last act repeats for ever. Stories that need a Coder with a memory use the stand-in instead.
"""

import asyncio
import contextlib
import re
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

Act = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class FarSide:
    """What has arrived so far, and the address for more."""

    url: str
    requests: list[bytes] = field(default_factory=list)
    connections: int = 0
    arrived: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def has_read(self, count: int) -> None:
        """Wait until this number of requests was read completely."""
        async with self.arrived:
            await self.arrived.wait_for(lambda: len(self.requests) >= count)

    @property
    def lines(self) -> list[str]:
        """Return the request lines without the HTTP version."""
        return [request.split(b" HTTP/", 1)[0].decode() for request in self.requests]


def says(status: int, body: bytes | str = b"", *headers: str) -> Act:
    """Send a complete answer and keep the connection."""
    content = body.encode() if isinstance(body, str) else body
    lines = [f"HTTP/1.1 {status} Word", f"Content-Length: {len(content)}", *headers]
    return raw("\r\n".join(lines).encode() + b"\r\n\r\n" + content)


def raw(content: bytes) -> Act:
    """Send exactly these bytes."""

    async def act(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(content)
        await writer.drain()

    return act


def raw_then_cut(content: bytes) -> Act:
    """Send exactly these bytes and close the connection."""

    async def act(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(content)
        await writer.drain()
        writer.close()

    return act


async def hangs_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Read the request and close the connection."""
    writer.close()


async def resets(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Read the request and reset the connection."""
    reset(writer)


async def says_nothing(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    """Read the request and wait until the caller gives up."""
    with contextlib.suppress(ConnectionError):
        await reader.read()


def reset(writer: asyncio.StreamWriter) -> None:
    """Close a connection with a reset."""
    sock: socket.socket = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def _read_request(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = re.search(rb"\r\ncontent-length: *(\d+)", head, re.IGNORECASE)
    return head + (await reader.readexactly(int(length[1])) if length else b"")


@contextlib.asynccontextmanager
async def far_side(*play: Act, meets: Act | None = None) -> AsyncIterator[FarSide]:
    """Serve the play on a free port of loopback. `meets` is done first on each new connection."""
    acts = list(play)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far.connections += 1
        if meets is not None:
            await meets(reader, writer)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while not writer.is_closing():
                request = await _read_request(reader)
                async with far.arrived:
                    far.requests.append(request)
                    far.arrived.notify_all()
                await (acts.pop(0) if len(acts) > 1 else acts[0])(reader, writer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    far = FarSide(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    async with server:
        yield far
