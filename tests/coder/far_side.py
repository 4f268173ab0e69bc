"""A far side that misbehaves on the level of bytes; it knows nothing of Coder.

Every request that was read whole is kept in `requests`. Each is met by the next act of the play, the last of
which goes on for ever. It ends where a story needs a Coder that remembers: that is the stand-in's.
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
    """What has arrived so far, and where to send more."""

    url: str
    requests: list[bytes] = field(default_factory=list)
    connections: int = 0
    arrived: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def has_read(self, count: int) -> None:
        """Wait until so many requests were read whole."""
        async with self.arrived:
            await self.arrived.wait_for(lambda: len(self.requests) >= count)

    @property
    def lines(self) -> list[str]:
        """The request lines, without the version."""
        return [request.split(b" HTTP/", 1)[0].decode() for request in self.requests]


def says(status: int, body: bytes | str = b"", *headers: str) -> Act:
    """Answer whole, and keep the connection."""
    content = body.encode() if isinstance(body, str) else body
    lines = [f"HTTP/1.1 {status} Word", f"Content-Length: {len(content)}", *headers]
    return raw("\r\n".join(lines).encode() + b"\r\n\r\n" + content)


def raw(content: bytes) -> Act:
    """Answer with exactly these bytes."""

    async def act(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(content)
        await writer.drain()

    return act


def raw_then_cut(content: bytes) -> Act:
    """Answer with exactly these bytes and hang up."""

    async def act(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(content)
        await writer.drain()
        writer.close()

    return act


async def hangs_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Read the request and hang up without a word."""
    writer.close()


async def resets(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Read the request and reset the connection."""
    reset(writer)


async def says_nothing(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    """Read the request and wait for the caller to give up."""
    with contextlib.suppress(ConnectionError):
        await reader.read()


def reset(writer: asyncio.StreamWriter) -> None:
    """Close with a reset instead of a farewell."""
    sock: socket.socket = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def _read_request(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = re.search(rb"\r\ncontent-length: *(\d+)", head, re.IGNORECASE)
    return head + (await reader.readexactly(int(length[1])) if length else b"")


@contextlib.asynccontextmanager
async def far_side(*play: Act, meets: Act | None = None) -> AsyncIterator[FarSide]:
    """Serve the play on a free port of loopback; `meets` is what a connection meets first."""
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
