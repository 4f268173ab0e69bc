"""A proxy between a bot and Redis that parses the protocol and can stop any command or answer.

An exchange is everything that a client sends at once: a command or a pipeline. An object of the test, the
onlooker, decides twice about each exchange: before Redis executes it, and before the bot gets the answers.
The proxy does not know what commands mean.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Coroutine, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Protocol, cast

import hiredis

Words = tuple[bytes, ...]


class Verdict(Enum):
    """What happens to an exchange, before or after Redis executes it. The exchange passes, is held for ever,
    or is cut together with its connection."""

    PASS = "pass"
    HOLD = "hold"
    CUT = "cut"


@dataclass(eq=False)
class Exchange:
    """Commands that were sent at once, and the answers that have arrived so far."""

    commands: Sequence[Words]
    answers: list[object] = field(default_factory=list)

    @property
    def is_of_scripts(self) -> bool:
        """Return whether the first command of the exchange calls a loaded script."""
        return self.commands[0][0].upper() == b"EVALSHA"


class Onlooker(Protocol):
    """Sees every exchange and decides what happens to the exchange."""

    def asked(self, exchange: Exchange) -> Verdict | Awaitable[Verdict]:
        """Return what happens to an exchange before its commands reach Redis."""
        ...

    def answered(self, exchange: Exchange) -> Verdict:
        """Return what happens to an exchange after Redis has executed the commands, before the bot gets the
        answers."""
        ...


class Proxy:
    """Listens on loopback for a bot and connects to Redis. If the bot is killed, the next bot connects to the
    same port."""

    def __init__(self, path: Path, onlooker: Onlooker) -> None:
        self.path = path
        self.onlooker = onlooker
        self.port = 0
        # Exchanges that are on their way to Redis or back. Held exchanges do not count.
        self.under_way: set[Exchange] = set()
        self._waiting: set[asyncio.Task[None]] = set()
        # Open connections to bots and to Redis. `_all_closed` is set while no connection is open.
        self._ends: set[_Near | _Far] = set()
        self._all_closed = asyncio.Event()
        self._all_closed.set()
        self._is_over = False

    @property
    def is_busy(self) -> bool:
        """Return whether an exchange is under way. A blocking wait for a wake-up does not count."""
        return any(exchange.commands[0][0].upper() != b"BRPOP" for exchange in self.under_way)

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Listen inside the block. At the end of the block, all connections are closed, even if the block
        failed."""
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: _Near(self), "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield
        finally:
            self._is_over = True
            server.close()
            waiting = [*self._waiting]
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)
            for end in [*self._ends]:
                end.abort()
            await self._all_closed.wait()

    def opened(self, end: "_Near | _Far") -> None:
        """Note that a connection is open. Cut the connection if the proxy is already closing."""
        self._ends.add(end)
        self._all_closed.clear()
        if self._is_over:
            end.abort()

    def closed(self, end: "_Near | _Far") -> None:
        """Note that a connection is closed."""
        self._ends.discard(end)
        if not self._ends:
            self._all_closed.set()

    def reach(self, far: "_Far") -> None:
        """Connect to Redis."""
        loop = asyncio.get_running_loop()

        async def connect() -> None:
            await loop.create_unix_connection(lambda: far, str(self.path))

        self._start(connect())

    def wait_for(self, verdict: Awaitable[Verdict], near: "_Near", exchange: Exchange) -> None:
        """Wait for the onlooker's decision, then act on the decision."""

        async def later() -> None:
            near.decided(exchange, await verdict)

        self._start(later())

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._waiting.add(task)
        task.add_done_callback(self._waiting.discard)


class _Near(asyncio.Protocol):
    """The proxy's connection to the bot."""

    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy
        self._far = _Far(self, proxy)
        self._reader = hiredis.Reader()
        self._asked = bytearray()
        self._answer = bytearray()
        self._commands: list[Words] = []
        self._exchange: Exchange | None = None
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self._proxy.reach(self._far)
        self._proxy.opened(self)

    def connection_lost(self, _error: Exception | None) -> None:
        self._over()
        self._far.abort()
        self._proxy.closed(self)

    def data_received(self, chunk: bytes) -> None:
        self._asked += chunk
        self._reader.feed(chunk)
        while isinstance(words := self._reader.gets(), list):
            self._commands.append(tuple(words))
        if self._reader.has_data() or not self._commands:
            return
        exchange = self._exchange = Exchange(self._commands)
        self._commands = []
        self._proxy.under_way.add(exchange)
        verdict = self._proxy.onlooker.asked(exchange)
        if isinstance(verdict, Verdict):
            self.decided(exchange, verdict)
        else:
            self._proxy.wait_for(verdict, self, exchange)

    def decided(self, exchange: Exchange, verdict: Verdict) -> None:
        """Carry out the decision about an exchange that has not reached Redis: send it to Redis, hold it, or
        cut the connection."""
        if exchange is not self._exchange:
            return
        match verdict:
            case Verdict.PASS:
                self._far.send(bytes(self._asked))
                self._asked.clear()
            case Verdict.HOLD:
                self._over()
            case Verdict.CUT:
                self.abort()

    def came_back(self, chunk: bytes, answers: list[object]) -> None:
        """Collect Redis's answers, and pass them on when the exchange is complete."""
        exchange = self._exchange
        self._answer += chunk
        if exchange is None:
            self._answer.clear()
            return
        exchange.answers += answers
        if len(exchange.answers) < len(exchange.commands):
            return
        verdict = self._proxy.onlooker.answered(exchange)
        self._over()
        if verdict is Verdict.PASS and self.transport is not None:
            self.transport.write(bytes(self._answer))
        elif verdict is Verdict.CUT:
            self.abort()
        self._answer.clear()

    def far_closed(self) -> None:
        """Cut the connection to the bot, because Redis has closed its connection."""
        self.abort()

    def abort(self) -> None:
        """Cut the connection to the bot."""
        self._over()
        if self.transport is not None:
            self.transport.abort()

    def _over(self) -> None:
        if self._exchange is not None:
            self._proxy.under_way.discard(self._exchange)
        self._exchange = None


class _Far(asyncio.Protocol):
    """The proxy's connection to Redis."""

    def __init__(self, near: _Near, proxy: Proxy) -> None:
        self._near = near
        self._proxy = proxy
        self._reader = hiredis.Reader()
        self._transport: asyncio.Transport | None = None
        self._early = bytearray()
        self._is_closed = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(bytes(self._early))
        self._proxy.opened(self)
        if self._is_closed:
            self._transport.abort()

    def connection_lost(self, _error: Exception | None) -> None:
        self._near.far_closed()
        self._proxy.closed(self)

    def send(self, chunk: bytes) -> None:
        """Send bytes to Redis as soon as the connection exists."""
        if self._transport is not None:
            self._transport.write(chunk)
        else:
            self._early += chunk

    def abort(self) -> None:
        """Cut the connection to Redis, even if it is still being made."""
        self._is_closed = True
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, chunk: bytes) -> None:
        self._reader.feed(chunk)
        answers: list[object] = []
        while (answer := self._reader.gets()) is not False:
            answers.append(answer)
        self._near.came_back(chunk, answers)
