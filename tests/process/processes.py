"""Runs the real `taskwire` as a process, between stand-ins that run in the test's process."""

import asyncio
import contextlib
import json
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, cast

import aiohttp

from taskwire import settings as settings_module
from taskwire_sandbox.coder import CoderSandbox
from taskwire_sandbox.slack import SlackSandbox
from tests.keys import KEY

from . import forks

PATIENCE_SECONDS = 60.0
# The longest time that Taskwire may take from SIGTERM to its end.
END_SECONDS = 20.0
# The environment variables that a process may get from the test. Proxies and settings are not among them.
PASSED_VARIABLES = ("PATH", "HOME", "LANG", "LD_LIBRARY_PATH", "PYTHONPATH", "COVERAGE_PROCESS_START")
LONGEST_LINE = 1 << 20


class Process(Protocol):
    """The part of `asyncio.subprocess.Process` that tests use."""

    pid: int
    stdin: asyncio.StreamWriter | None
    stdout: asyncio.StreamReader | None
    stderr: asyncio.StreamReader | None

    @property
    def returncode(self) -> int | None:
        """The exit code of the process, or minus the number of the signal that ended the process. None while
        the process runs."""
        ...

    def send_signal(self, signal: int, /) -> None:
        """Send the process a signal. Raise ProcessLookupError if the process has ended."""
        ...

    def kill(self) -> None:
        """Send the process SIGKILL."""
        ...

    async def wait(self) -> int:
        """Wait until the process has ended."""
        ...


Begin = Callable[[Path, Mapping[str, str], Sequence[str]], Awaitable[Process]]


async def execute(directory: Path, environment: Mapping[str, str], arguments: Sequence[str]) -> Process:
    """Start `taskwire` as an operator does: as a new program that imports its modules."""
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "taskwire", *arguments),
        cwd=directory,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        limit=LONGEST_LINE,
    )


class ForkedProcess:
    """A process that the parent in `forks` has forked."""

    def __init__(self, pid: int, stdout: asyncio.StreamReader, stderr: asyncio.StreamReader) -> None:
        self.pid = pid
        self.stdin: asyncio.StreamWriter | None = None
        self.stdout: asyncio.StreamReader | None = stdout
        self.stderr: asyncio.StreamReader | None = stderr
        self.returncode: int | None = None
        self._has_ended = asyncio.Event()
        self._watching: asyncio.Task[None] | None = None

    def watch(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Wait until the parent reports the exit code."""

        async def ended() -> None:
            self.returncode = int(await reader.readline())
            writer.close()
            self._has_ended.set()

        self._watching = asyncio.create_task(ended())

    def send_signal(self, signal: int, /) -> None:
        """Send the process a signal. Raise ProcessLookupError if the process has ended."""
        if self.returncode is not None:
            raise ProcessLookupError
        os.kill(self.pid, signal)

    def kill(self) -> None:
        """Send the process SIGKILL."""
        self.send_signal(signal.SIGKILL)

    async def wait(self) -> int:
        """Wait until the process has ended."""
        await self._has_ended.wait()
        assert self.returncode is not None
        return self.returncode


async def fork(directory: Path, environment: Mapping[str, str], arguments: Sequence[str]) -> Process:
    """Fork `taskwire` from the parent, which has already imported everything. This saves a second.

    If the environment has variables for Python or for libraries, start a new program instead. Python and
    libraries read such variables during their imports.
    """
    ours = {
        *settings_module.list_names(),
        *(name for name in PASSED_VARIABLES if environment.get(name) == os.environ.get(name)),
    }
    if environment.keys() - ours:
        return await execute(directory, environment, arguments)
    given = forks.Given(arguments=list(arguments), environment=dict(environment), directory=directory)
    (out, theirs_out), (error, theirs_error) = os.pipe(), os.pipe()
    try:
        line = forks.fork(given, theirs_out, theirs_error)
    finally:
        os.close(theirs_out)
        os.close(theirs_error)
    streams = [await _read(descriptor) for descriptor in (out, error)]
    reader, writer = await asyncio.open_connection(sock=line)
    process = ForkedProcess(int(await reader.readline()), *streams)
    process.watch(reader, writer)
    return process


async def _read(descriptor: int) -> asyncio.StreamReader:
    reader = asyncio.StreamReader(LONGEST_LINE)
    pipe = os.fdopen(descriptor, "rb", buffering=0)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), pipe)
    return reader


# The function with which `start` begins a process. `conftest` sets it to `fork` for most tests of
# `tests/process`.
start_process: Begin = execute


@dataclass
class Taskwire:
    """One running process of `taskwire`, and its output so far."""

    process: Process
    # With this token, operators see the details of /readyz.
    admin_token: str = ""
    said: list[str] = field(default_factory=list)
    _heard: asyncio.Event = field(default_factory=asyncio.Event)
    _listening: "list[asyncio.Task[None]]" = field(default_factory=list)

    @property
    def output(self) -> str:
        """Return the output of the process on both streams."""
        return "".join(self.said)

    def listen(self) -> None:
        """Collect the output of the process."""
        for stream in (self.process.stdout, self.process.stderr):
            assert stream is not None
            self._listening.append(asyncio.create_task(self._collect(stream)))

    async def _collect(self, stream: asyncio.StreamReader) -> None:
        while line := await stream.readline():
            self.said.append(line.decode())
            self._heard.set()
        self._heard.set()

    async def says(self, pattern: str) -> re.Match[str]:
        """Wait until the output of the process matches a pattern, and return the match. Fail if the process
        ends before, or if it takes too long."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not (found := re.search(pattern, self.output)):
                assert any(not task.done() for task in self._listening), (
                    f"never said {pattern}: {self.output}"
                )
                self._heard.clear()
                await self._heard.wait()
        return found

    async def port(self) -> int:
        """Return the port on which the process listens for Slack and Coder. Wait until it listens."""
        return int((await self.says(r'(?:"port": |listening .* port=)(\d+)'))[1])

    async def admin_port(self) -> int:
        """Return the port of /healthz, /readyz and /metrics."""
        return int((await self.says(r'(?:"admin_port": |listening .*admin_port=)(\d+)'))[1])

    async def ask(self, path: str) -> tuple[int, str]:
        """Request a path on the port for operators. Return the status and the body."""
        url = f"http://127.0.0.1:{await self.admin_port()}{path}"
        headers = {"Authorization": f"Bearer {self.admin_token}"} if self.admin_token else {}
        async with aiohttp.ClientSession(headers=headers) as session, session.get(url) as answer:
            return answer.status, await answer.text()

    async def readiness(self) -> tuple[int, dict[str, object]]:
        """Return the status and the content of /readyz, as an operator sees it."""
        status, text = await self.ask("/readyz")
        return status, cast("dict[str, object]", json.loads(text))

    async def wait_until_ready(self) -> None:
        """Wait until /readyz reports that the process is ready."""
        await until(self._is_ready, lambda: f"taskwire to be ready: {self.output}")

    async def _is_ready(self) -> bool:
        try:
            return (await self.readiness())[0] == 200
        except aiohttp.ClientError:
            assert self.process.returncode is None, f"taskwire has ended: {self.output}"
            return False

    def send_signal(self, number: signal.Signals) -> None:
        """Send the process a signal."""
        self.process.send_signal(number)

    async def wait_for_exit(self, seconds: float = PATIENCE_SECONDS) -> int:
        """Wait until the process has ended, and return its exit code. The process may still be starting."""
        async with asyncio.timeout(seconds):
            code = await self.process.wait()
            await asyncio.gather(*self._listening)
        return code

    async def stop(self) -> int:
        """Send SIGTERM, wait until the process has ended, and return its exit code."""
        self.send_signal(signal.SIGTERM)
        return await self.wait_for_exit()


async def until(condition: Callable[[], Awaitable[object] | object], what: Callable[[], str] | str) -> None:
    """Check a condition repeatedly until it holds. If it does not hold in time, fail with the description
    `what`."""
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                found = condition()
                if await found if isinstance(found, Awaitable) else found:
                    return
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(f"never came: {what if isinstance(what, str) else what()}") from None


@dataclass
class Place:
    """A workspace, a Coder, and the settings of a bot that uses both."""

    slack: SlackSandbox
    coder: CoderSandbox
    directory: Path
    settings: dict[str, str]
    _stack: contextlib.AsyncExitStack

    @property
    def data_dir(self) -> Path:
        """Return the directory of the embedded store."""
        return Path(self.settings["TASKWIRE_DATA_DIR"])

    def cards(self) -> list[str]:
        """Return the texts of the top-level messages in #general."""
        return [str(message["text"]) for message in self.slack.messages("general")]

    async def clicks(self, person: str, ts: str, label: str) -> None:
        """Let a person press the button with this label in the message `ts`."""
        blocks = self.slack.message("general", ts)["blocks"]
        rows = [element for block in blocks if block["type"] == "actions" for element in block["elements"]]
        rows += [{"action_id": row["action_id"], **each} for row in rows for each in row.get("options", ())]
        button = next(row for row in rows if row.get("text", {}).get("text") == label)
        await self.slack.click(person, "general", ts, button["action_id"], button.get("value", ""))

    async def run(self, *arguments: str, **settings: str) -> Taskwire:
        """Start `taskwire run` with these additional settings, or another command if arguments are given."""
        started = await start(self.directory, self.settings | settings, *(arguments or ("run",)))
        self._stack.push_async_callback(end, started)
        return started

    async def run_ready(self, *arguments: str, **settings: str) -> Taskwire:
        """Start the bot and wait until it is ready."""
        started = await self.run(*arguments, **settings)
        await started.wait_until_ready()
        return started


async def start(directory: Path, settings: Mapping[str, str], *arguments: str) -> Taskwire:
    """Start `taskwire` in this directory with only these settings."""
    around = {name: os.environ[name] for name in PASSED_VARIABLES if name in os.environ}
    process = await start_process(directory, {**around, **settings}, arguments)
    started = Taskwire(process, settings.get("TASKWIRE_ADMIN_TOKEN", ""))
    started.listen()
    return started


async def end(started: Taskwire) -> None:
    """Kill a process if it still runs."""
    with contextlib.suppress(ProcessLookupError):
        started.process.kill()
    await started.wait_for_exit()


@contextlib.asynccontextmanager
async def new_place(directory: Path, slack: SlackSandbox | None = None) -> AsyncIterator[Place]:
    """Make a place with Alice and Bob in #general. No bot runs there yet."""
    async with contextlib.AsyncExitStack() as stack:
        slack = await stack.enter_async_context(slack or SlackSandbox())
        coder = await stack.enter_async_context(CoderSandbox())
        for name in ("alice", "bob"):
            slack.add_user(name, email=f"{name}@example.com")
            coder.add_user(name)
        slack.add_channel("general", ["alice", "bob"])
        coder.add_user("taskwire", roles=("owner",))
        settings = {
            "SLACK_BOT_TOKEN": slack.bot_token,
            "SLACK_APP_TOKEN": slack.app_token,
            "SLACK_API_URL": slack.api_url,
            "CODER_URL": coder.url,
            "CODER_SESSION_TOKEN": coder.add_token("taskwire"),
            "TASKWIRE_DATA_DIR": str(directory / "data"),
            "TASKWIRE_HTTP_ADDR": "127.0.0.1:0",
            "TASKWIRE_ADMIN_TOKEN": "a-word-of-operators",
            "TASKWIRE_SECRET_KEYS": KEY,
            "TASKWIRE_POLL_INTERVAL": "0.2",
            "TASKWIRE_SETTLE": "0",
        }
        yield Place(slack, coder, directory, settings, stack)
