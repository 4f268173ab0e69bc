"""Server-sent events: each stream sends one workspace at once, and sends it again after every change."""

import asyncio
import contextlib
from collections.abc import Callable

from aiohttp import web

PING_SECONDS = 15.0


class Streams:
    """The streams that clients have opened to watch a workspace."""

    def __init__(self) -> None:
        self._watchers: dict[str, set[asyncio.Event]] = {}
        self._is_closed = False

    def close(self) -> None:
        """End every stream."""
        self._is_closed = True
        for workspace_id in self._watchers:
            self.changed(workspace_id)

    def changed(self, workspace_id: str) -> None:
        """Wake the streams of this workspace."""
        for watcher in self._watchers.get(workspace_id, ()):
            watcher.set()

    async def follow(
        self, request: web.Request, workspace_id: str, present: Callable[[], bytes]
    ) -> web.StreamResponse:
        """Send the result of `present` now and after every change, until the client disconnects.

        `present` returns the workspace as bytes.
        """
        response = web.StreamResponse(
            headers={
                "Content-Type": "text/event-stream",
                "Cache-Control": "no-cache",
                "X-Accel-Buffering": "no",
            }
        )
        watcher = asyncio.Event()
        watchers = self._watchers.setdefault(workspace_id, set())
        watchers.add(watcher)
        try:
            await response.prepare(request)
            with contextlib.suppress(ConnectionError):
                await self._send(response, watcher, present)
        finally:
            watchers.discard(watcher)
        return response

    async def _send(
        self, response: web.StreamResponse, watcher: asyncio.Event, present: Callable[[], bytes]
    ) -> None:
        event = b"event: data\ndata: " + present() + b"\n\n"
        while not self._is_closed:
            await response.write(event)
            try:
                async with asyncio.timeout(PING_SECONDS):
                    await watcher.wait()
                watcher.clear()
                event = b"event: data\ndata: " + present() + b"\n\n"
            except TimeoutError:
                event = b"event: ping\n\n"
