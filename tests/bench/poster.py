"""Plays Slack in HTTP mode, in a separate process: posts commands and waits for the acks."""

import asyncio
import hashlib
import hmac
import sys
import time
from urllib.parse import urlencode

import aiohttp
from pydantic import BaseModel

from tests.bench.orders import CommandBatch, OrderReader


class Posting(BaseModel):
    """The URL for the commands, the secret that signs them, and the commands."""

    url: str
    secret: str
    batch: CommandBatch


async def main() -> None:
    """Post the commands of each order from standard input."""
    orders = await OrderReader().begin()
    # A proxy sends each request on its own connection and keeps all connections open. This process does the
    # same.
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        async for order in orders:
            orders.answer(await _posted(session, Posting.model_validate_json(order)))


async def _posted(session: aiohttp.ClientSession, posting: Posting) -> list[float]:
    """Post bursts of commands. Start each burst after all acks of the burst before. Return the milliseconds
    until each ack."""
    found: list[float] = []
    batch = posting.batch
    for start in range(0, len(batch.payloads), batch.at_once):
        bodies = [urlencode(payload).encode() for payload in batch.payloads[start : start + batch.at_once]]
        found += await asyncio.gather(*(_post(session, posting, body) for body in bodies))
        await asyncio.sleep(batch.pause_seconds)
    return found


async def _post(session: aiohttp.ClientSession, posting: Posting, body: bytes) -> float:
    timestamp = str(int(time.time()))
    base = b"v0:" + timestamp.encode() + b":" + body
    signature = hmac.new(posting.secret.encode(), base, hashlib.sha256).hexdigest()
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "X-Slack-Request-Timestamp": timestamp,
        "X-Slack-Signature": f"v0={signature}",
    }
    began = time.perf_counter()
    async with session.post(posting.url, data=body, headers=headers) as answer:
        await answer.read()
        assert answer.status == 200, f"{answer.status}"
    return (time.perf_counter() - began) * 1000


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
