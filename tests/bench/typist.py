"""Plays Slack at one socket, in a separate process: types commands and waits for their acks.

The stand-in for Slack runs in the parent process and gives the app the URL of this process's socket. The app
sends all other calls to the stand-in, so those calls do not delay the acks here.
"""

import asyncio
import json
import secrets
import sys
import time

from aiohttp import WSMsgType, web

from tests.bench.orders import CommandBatch, OrderReader

HELLO = {"type": "hello", "num_connections": 1, "debug_info": {"host": "bench"}}


class Socket:
    """The socket, and the commands that were sent and not yet acked."""

    def __init__(self) -> None:
        self.is_open = asyncio.Event()
        self._socket: web.WebSocketResponse | None = None
        self._waiting: dict[str, asyncio.Future[float]] = {}

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Accept the app's connection."""
        self._socket = socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_json(HELLO)
        self.is_open.set()
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                at = time.perf_counter()
                self._waiting.pop(json.loads(message.data)["envelope_id"]).set_result(at)
        return socket

    async def type(self, payload: dict[str, str]) -> float:
        """Send a command and return the milliseconds until its ack."""
        assert self._socket is not None, "nobody is connected"
        envelope_id = secrets.token_hex(16)
        envelope = {"envelope_id": envelope_id, "type": "slash_commands", "payload": payload}
        acked = self._waiting[envelope_id] = asyncio.get_running_loop().create_future()
        text = json.dumps(envelope | {"accepts_response_payload": True})
        began = time.perf_counter()
        await self._socket.send_str(text)
        at: float = await acked
        return (at - began) * 1000


async def main() -> None:
    """Listen, and type the commands of each order from standard input."""
    socket = Socket()
    site = web.Application()
    site.router.add_get("/link", socket.serve)
    runner = web.AppRunner(site, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(f"port={runner.addresses[0][1]}", flush=True)  # noqa: T201 - to our parent
    orders = await OrderReader().begin()
    async for order in orders:
        await socket.is_open.wait()
        orders.answer(await _typed(socket, CommandBatch.model_validate_json(order)))


async def _typed(socket: Socket, batch: CommandBatch) -> list[float]:
    """Type bursts of commands. Start each burst after all acks of the burst before. Return the milliseconds
    until each ack."""
    found: list[float] = []
    for start in range(0, len(batch.payloads), batch.at_once):
        burst = batch.payloads[start : start + batch.at_once]
        found += await asyncio.gather(*(socket.type(payload) for payload in burst))
        await asyncio.sleep(batch.pause_seconds)
    return found


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
