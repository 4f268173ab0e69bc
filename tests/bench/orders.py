"""How a bench and its child processes talk: orders on the standard input, an answer each on the output."""

import asyncio
import json
import sys
from typing import Self

from pydantic import BaseModel

from tests.process.processes import Taskwire

LONGEST_LINE = 1 << 24


class Spell(BaseModel):
    """Commands to type: so many at once, and a pause after each burst."""

    payloads: list[dict[str, str]]
    at_once: int = 1
    pause_seconds: float = 0.0


class Ordered:
    """The child's end: the orders, one a line, until nobody holds the other end any more."""

    def __init__(self) -> None:
        self._reader = asyncio.StreamReader(limit=LONGEST_LINE)
        self._count = 0

    async def begin(self) -> Self:
        """Read the standard input from now on."""
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
        """Say how the last order went."""
        self._count += 1
        print(f"answer {self._count}: {json.dumps(answer)}", flush=True)  # noqa: T201 - to our parent


class Orders:
    """The parent's end."""

    def __init__(self, child: Taskwire) -> None:
        self._child = child
        self._count = 0

    async def give(self, order: str) -> object:
        """Give an order and return the answer."""
        stdin = self._child.process.stdin
        assert stdin is not None
        stdin.write(f"{order}\n".encode())
        self._count += 1
        found: object = json.loads((await self._child.says(rf"answer {self._count}: (.*)\n"))[1])
        return found
