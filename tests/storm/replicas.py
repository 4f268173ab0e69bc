"""The replicas of a storm: processes that the fault plan kills, stops and starts again."""

import asyncio
import contextlib
import os
import signal
import time
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from .bot import live

# After a stopped process continues, it takes at most this many seconds until its late writes are complete or
# refused.
STEADY_SECONDS = 3.0
SUPERVISOR_SECONDS = 0.5


@dataclass
class Replica:
    """One replica. If its process is killed, a new process takes its place."""

    number: int
    settings: dict[str, str]
    log: Path
    window_ms: int
    clock_off_seconds: float = 0.0
    is_stopped: bool = False
    # How often the process ended by itself, for example because there was no Redis at its start. It is then
    # started again.
    ends: int = 0
    _process: ForkServerProcess | None = None
    _went_on_at: float = 0.0
    _supervising: asyncio.Task[None] | None = None
    _changing: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def start(self) -> None:
        """Start a process. Whenever it ends by itself, start another one."""
        async with self._changing:
            await self._start()
        if self._supervising is None:
            self._supervising = asyncio.create_task(self._supervise())

    async def _start(self) -> None:
        context = get_context("forkserver")
        context.set_forkserver_preload([live.__module__])
        given = (dict(self.settings), str(self.log), self.window_ms, self.clock_off_seconds)
        process = context.Process(target=live, args=given, daemon=True)
        await asyncio.to_thread(process.start)
        self._process, self.is_stopped = process, False

    async def _supervise(self) -> None:
        while True:
            await asyncio.sleep(SUPERVISOR_SECONDS)
            async with self._changing:
                if self._process is not None and self._process.exitcode is not None:
                    self.ends += 1
                    await self._start()

    @property
    def is_steady(self) -> bool:
        """Return whether the process runs and was not stopped by SIGSTOP a moment ago.

        A process that has just continued may send a call too late. It logs this, and must not be killed
        before it has logged it.
        """
        is_up = self._process is not None and self._process.exitcode is None
        return is_up and not self.is_stopped and time.monotonic() - self._went_on_at > STEADY_SECONDS

    async def kill(self) -> None:
        """Kill the process, as a power cut would."""
        async with self._changing:
            if self._process is not None:
                self._send(signal.SIGKILL)
                await asyncio.to_thread(self._process.join)
                self._process = None

    async def end(self) -> None:
        """End the process. No other process follows."""
        await self.kill()
        if self._supervising is not None:
            self._supervising.cancel()
            await asyncio.gather(self._supervising, return_exceptions=True)
        await self.kill()

    def stop(self) -> None:
        """Stop the process with SIGSTOP."""
        self.is_stopped = True
        self._send(signal.SIGSTOP)

    def continue_process(self) -> None:
        """Continue a stopped process."""
        if self.is_stopped:
            self._went_on_at = time.monotonic()
            self.is_stopped = False
            self._send(signal.SIGCONT)

    def _send(self, number: signal.Signals) -> None:
        if self._process is None or self._process.pid is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._process.pid, number)
