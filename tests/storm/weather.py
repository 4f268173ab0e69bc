"""The worker processes of a storm, and who kills and stops them."""

import asyncio
import contextlib
import json
import random
import signal
import sys
from collections import Counter
from dataclasses import dataclass, field

from .given import Plan, WorkerGiven, tests_root

# Past the lease, and in half of the cases past the attempt too.
STOP_SECONDS = (1.2, 5.0)


@dataclass
class Process:
    """One place for a worker process; a killed one is followed by another at once."""

    given: WorkerGiven
    events: Counter[str]
    child: asyncio.subprocess.Process | None = None
    is_up: bool = False
    _reading: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start it."""
        words = (sys.executable, "-m", "tests.storm.worker", self.given.model_dump_json())
        self.is_up = False
        self.child = await asyncio.create_subprocess_exec(
            *words,
            cwd=tests_root(),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=2**20,
        )
        self._reading = asyncio.create_task(self._read(self.child))

    def send(self, number: signal.Signals) -> None:
        """Send a signal."""
        assert self.child is not None
        with contextlib.suppress(ProcessLookupError):
            self.child.send_signal(number)

    async def kill(self) -> None:
        """End it as a power cut would."""
        assert self.child is not None
        assert self._reading is not None
        self.is_up = False
        self.send(signal.SIGKILL)
        await self.child.wait()
        await self._reading

    async def _read(self, child: asyncio.subprocess.Process) -> None:
        assert child.stdout is not None
        async for line in child.stdout:
            self._note(json.loads(line))

    def _note(self, line: dict[str, object]) -> None:
        event = str(line.get("event"))
        self.is_up = self.is_up or event == "started"
        if event == "read back":
            event = "found" if line["copies"] else "not found"
        names = {"read back at once": "found at once", "removing a second copy": "tidied"}
        self.events[names.get(event, event)] += 1
        if line.get("level") == "error":
            print(json.dumps(line), file=sys.stderr)  # noqa: T201 - for whoever looks at a storm that went wrong


@dataclass
class Weather:
    """Kills one process each second, and stops others for longer than they may hold anything."""

    plan: Plan
    given: WorkerGiven
    events: Counter[str] = field(default_factory=Counter)
    kills: int = 0
    stops: int = 0
    processes: list[Process] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._freezing: set[asyncio.Task[None]] = set()
        self._dice = random.Random(self.plan.seed)  # noqa: S311 - repeatable on purpose
        self.processes = [Process(self.given, self.events) for _ in range(self.plan.processes)]

    async def begin(self) -> None:
        """Start all processes."""
        await asyncio.gather(*(process.start() for process in self.processes))

    def thaw(self) -> None:
        """Let everybody go on."""
        for process in self.processes:
            process.send(signal.SIGCONT)

    async def end(self) -> None:
        """Kill what is left."""
        for task in self._freezing:
            task.cancel()
        await asyncio.gather(*(process.kill() for process in self.processes))

    async def kill(self) -> None:
        """Kill one that works, again and again, and start the next in its place."""
        while True:
            await asyncio.sleep(self.plan.seconds_between_kills)
            process = self._one()
            if process is not None:
                await process.kill()
                self.kills += 1
                await process.start()

    async def stop(self) -> None:
        """Stop one past its lease, or past its attempt too, and let it go on where it was."""
        while True:
            await asyncio.sleep(self.plan.seconds_between_stops)
            process = self._one()
            # One goes on, or nobody would take what the others had.
            if process is not None and len(self._freezing) < len(self.processes) - 1:
                task = asyncio.create_task(self._freeze(process, self._dice.uniform(*STOP_SECONDS)))
                self._freezing.add(task)
                task.add_done_callback(self._freezing.discard)

    async def _freeze(self, process: Process, seconds: float) -> None:
        process.is_up = False
        child = process.child
        process.send(signal.SIGSTOP)
        self.stops += 1
        await asyncio.sleep(seconds)
        if process.child is child:
            process.send(signal.SIGCONT)
            process.is_up = True

    def _one(self) -> Process | None:
        up = [process for process in self.processes if process.is_up]
        return self._dice.choice(up) if up else None
