"""Passes orders from a benchmark to its child processes: an order is a line on standard input, an answer a
line on standard output."""

import asyncio
import json
import sys
from typing import Self

from pydantic import BaseModel

from tests.process.processes import Taskwire

LONGEST_LINE = 1 << 24


class CommandBatch(BaseModel):
    """Commands to type: each burst has `at_once` commands, and a pause follows each burst."""

    payloads: list[dict[str, str]]
    at_once: int = 1
    pause_seconds: float = 0.0


class OrderReader:
    """Reads orders in the child process. The iteration ends when the parent process closes standard input."""

    def __init__(self) -> None:
        self._reader = asyncio.StreamReader(limit=LONGEST_LINE)
        self._count = 0

    async def begin(self) -> Self:
        """Start to read standard input."""
        loop = asyncio.get_running_loop()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(self._reader), sys.stdin)
        return self

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> str:
        line = (await self._reader.readline()).decode().strip()
        if not line:
            raise StopAsyncIteration
        return line

    def answer(self, answer: object) -> None:
        """Print the answer to the latest order."""
        self._count += 1
        print(f"answer {self._count}: {json.dumps(answer)}", flush=True)  # noqa: T201 - to our parent


class OrderWriter:
    """Sends orders to a child process, and reads its answers."""

    def __init__(self, child: Taskwire) -> None:
        self._child = child
        self._count = 0

    async def send(self, order: str) -> object:
        """Send an order and return the answer."""
        stdin = self._child.process.stdin
        assert stdin is not None
        stdin.write(f"{order}\n".encode())
        self._count += 1
        found: object = json.loads((await self._child.says(rf"answer {self._count}: (.*)\n"))[1])
        return found
