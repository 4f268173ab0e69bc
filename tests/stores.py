"""Runs one Valkey that many tests use in turn. Starting a Valkey for each test would take longer than most
tests.

Tests about how a store starts, ends or writes to disk use `taskwire.redis.embedded` instead.
"""

import contextlib
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from taskwire.redis import embedded

ROOT = Path(__file__).parents[1]
LOOK_SECONDS = 0.01


@contextlib.contextmanager
def running(words: list[str], stdout: int) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a program inside the block, and kill it at the end of the block. `words` are the command line."""
    process = subprocess.Popen(words, cwd=ROOT, stdin=subprocess.PIPE, stdout=stdout)  # noqa: S603 - our own program
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@contextlib.contextmanager
def running_store(path: Path, databases: int = 1) -> Iterator[None]:
    """Inside the block, run a Valkey that listens on the Unix socket `path` and saves nothing to disk."""
    options = {
        "port": "0",
        "unixsocket": str(path),
        "save": "",
        "appendonly": "no",
        "databases": str(databases),
    }
    words = [word for name, value in options.items() for word in (f"--{name}", value)]
    with running([str(embedded.find_program()), *words], stdout=subprocess.DEVNULL) as store:
        while not path.exists():
            assert store.poll() is None, "Valkey did not start"
            time.sleep(LOOK_SECONDS)
        yield
