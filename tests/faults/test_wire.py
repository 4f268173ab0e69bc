"""The proxy of the crash-point proof leaves no connection open, even if the block in which it runs fails."""

import asyncio
import contextlib
from pathlib import Path

from .wire import Exchange, Proxy, Verdict


class _Holding:
    """Holds every command for ever, as a failed flow may do."""

    def __init__(self) -> None:
        self.has_held = asyncio.Event()

    def asked(self, exchange: Exchange) -> Verdict:
        """Hold the commands."""
        del exchange
        self.has_held.set()
        return Verdict.HOLD

    def answered(self, exchange: Exchange) -> Verdict:
        """Hold the answers."""
        del exchange
        return Verdict.HOLD


async def test_a_proxy_that_ends_amid_a_command_leaves_no_connection(store_url: str) -> None:
    """If the proxy ends while a command is held, the proxy closes its connections. Python would report an
    open socket later, during another test."""
    onlooker = _Holding()
    proxy = Proxy(Path(store_url.removeprefix("unix://")), onlooker)
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(proxy.serving())
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        with contextlib.closing(writer):
            writer.write(b"*1\r\n$4\r\nPING\r\n")
            await onlooker.has_held.wait()

            await stack.aclose()

            assert await reader.read() == b""
