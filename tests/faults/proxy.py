"""A TCP proxy that fails on request, for any protocol with requests and answers.

The proxy is between a client and a real server. It can drop answers, delay them, cut connections or go
silent. A test can thus simulate a bad network with a real server. The proxy does not parse the bytes.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from urllib.parse import unquote, urlsplit

CHUNK = 65536


class FaultProxy:
    """Passes bytes between clients and one server, until a test asks for a fault. Counts the connections and
    the chunks of bytes that went to the server."""

    def __init__(self, target_url: str) -> None:
        self._target = urlsplit(target_url)
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._open = asyncio.Event()
        self._open.set()
        # How many answers or requests to count before the connection is cut; 0 means that it is not cut.
        self._drop_in = 0
        self._cut_in = 0
        # The number of the answer to hold; 0 means none. `held` is set while an answer is held.
        self._hold_in = 0
        self.held = asyncio.Event()
        self._is_released = asyncio.Event()
        self._server: asyncio.Server | None = None
        self.delay_seconds = 0.0
        self.connections = 0
        self.requests = 0
        self.dropped = asyncio.Event()
        self.port = 0

    def leads_to(self, target_url: str) -> None:
        """Pass bytes to another server from now on, and cut the connections to the former server."""
        self._target = urlsplit(target_url)
        self.cut()

    def drop_next_reply(self) -> None:
        """Let the next request reach the server. Then cut the connection instead of passing the answer."""
        self.drop_reply(1)

    def drop_reply(self, number: int) -> None:
        """Let request `number` reach the server, but cut the connection instead of passing its answer. The
        next request has number 1. With 0, no answer is dropped any more."""
        self.dropped.clear()
        self._drop_in = number

    def cut_request(self, number: int) -> None:
        """Cut the connection before request `number` reaches the server. The next request has number 1. With
        0, no request is cut any more."""
        self.dropped.clear()
        self._cut_in = number

    def hold_reply(self, number: int) -> None:
        """Hold answer `number` until `release`. The next answer has number 1."""
        self.held.clear()
        self._is_released.clear()
        self._hold_in = number

    def release(self) -> None:
        """Pass the held answer, and hold no further answer."""
        self._hold_in = 0
        self._is_released.set()

    def delay(self, seconds: float) -> None:
        """Delay every answer by this number of seconds. 0 ends the delay."""
        self.delay_seconds = seconds

    def cut(self) -> None:
        """Reset all open connections. New connections work."""
        for writer in list(self._writers):
            writer.transport.abort()

    def freeze(self) -> None:
        """Pass nothing in either direction and keep the connections open, like an unplugged cable."""
        self._open.clear()

    def thaw(self) -> None:
        """Pass bytes again, beginning with the bytes that have waited."""
        self._open.set()

    async def start(self) -> None:
        """Listen on a free port of loopback. After a stop, listen on the same port."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Refuse new connections and cut the open connections."""
        if self._server:
            self._server.close()
        self.cut()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        if task:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        with contextlib.suppress(OSError, asyncio.CancelledError):
            await self._open.wait()
            await self._join(reader, writer)
        writer.transport.abort()

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await self._far_side()
        pair = {writer, far_writer}
        self._writers |= pair
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._requests(reader, far_writer))
                both.create_task(self._replies(far_reader, writer))
        except* (OSError, _Over):
            pass
        finally:
            self._writers -= pair
            for end in pair:
                end.transport.abort()

    async def _far_side(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._target.scheme == "unix":
            return await asyncio.open_unix_connection(unquote(self._target.path))
        return await asyncio.open_connection(self._target.hostname, self._target.port)

    async def _requests(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(CHUNK):
            await self._open.wait()
            self._cut_in -= 1
            if self._cut_in == 0:
                self.dropped.set()
                break
            self.requests += 1
            writer.write(chunk)
            await writer.drain()
        raise _Over

    async def _replies(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(CHUNK):
            self._drop_in -= 1
            if self._drop_in == 0:
                self.dropped.set()
                break
            self._hold_in -= 1
            if self._hold_in == 0:
                self.held.set()
                await self._is_released.wait()
            await asyncio.sleep(self.delay_seconds)
            await self._open.wait()
            writer.write(chunk)
            await writer.drain()
        raise _Over


class _Over(Exception):
    """One side has closed its connection, so the proxy must close the other side."""


@contextlib.asynccontextmanager
async def proxy(target_url: str) -> AsyncIterator[FaultProxy]:
    """Inside the block, run a proxy in front of the server at a URL (with a port, or unix://). The proxy
    listens on 127.0.0.1 at its `port`."""
    between = FaultProxy(target_url)
    await between.start()
    try:
        yield between
    finally:
        await between.stop()
