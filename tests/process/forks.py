"""Processes of `taskwire` that a parent process forks. Each starts in a few milliseconds instead of a second.

`python -m tests.process.forks DESCRIPTOR` is the parent. It imports Taskwire once and then only forks. A
child gets its own environment, directory, arguments and streams. The child then calls the same `main` as
`python -m taskwire`, and ends in the same way. A child inherits the resource limits and the umask of the
parent.
"""

import atexit
import contextlib
import functools
import gc
import os
import selectors
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

from pydantic import BaseModel

from taskwire import __main__ as command
from taskwire import cli

ROOT = Path(__file__).parents[2]
STREAMS = 2


class Given(BaseModel):
    """The environment, working directory and arguments of one child."""

    arguments: list[str]
    environment: dict[str, str]
    directory: Path


@functools.cache
def _parent() -> socket.socket:
    """Start the parent for this test process. The parent ends when the returned socket is closed."""
    ours, theirs = socket.socketpair()
    with theirs:
        process = subprocess.Popen(  # noqa: S603 - our own module
            [sys.executable, "-m", __name__, str(theirs.fileno())],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
        )

    def end() -> None:
        ours.close()
        process.wait()

    atexit.register(end)
    return ours


def fork(given: Given, out: int, error: int) -> socket.socket:
    """Let the parent fork a child that writes to the descriptors `out` and `error`.

    Return a socket. The first line from it is the child's process id. When the child has ended, the second
    line is its exit code.
    """
    ours, theirs = socket.socketpair()
    with theirs:
        socket.send_fds(_parent(), [b"."], [theirs.fileno(), out, error])
        ours.sendall(f"{given.model_dump_json()}\n".encode())
    return ours


class _Parent:
    """Forks children and reports their exit codes."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._children: dict[int, socket.socket] = {}
        self._woken, self._wakes = socket.socketpair()
        for end in (self._woken, self._wakes):
            end.setblocking(False)

    def serve(self) -> Given | None:
        """Fork children until the tests end, then return None. In a child, return what the child starts
        with."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._wakes.fileno())
        with selectors.DefaultSelector() as ready:
            for end in (self._control, self._woken):
                ready.register(end, selectors.EVENT_READ)
            while True:
                found = {key.fileobj for key, _ in ready.select()}
                if self._woken in found:
                    self._reap()
                if self._control in found:
                    word, descriptors, _, _ = socket.recv_fds(self._control, 1, 1 + STREAMS)
                    if not word:
                        self._kill_all()
                        return None
                    if (given := self._fork(*descriptors)) is not None:
                        return given

    def _reap(self) -> None:
        self._woken.recv(4096)
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if not pid:
                    return
                with self._children.pop(pid) as line, contextlib.suppress(BrokenPipeError):
                    line.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())

    def _kill_all(self) -> None:
        for pid in self._children:
            os.kill(pid, signal.SIGKILL)

    def _fork(self, descriptor: int, out: int, error: int) -> Given | None:
        line = socket.socket(fileno=descriptor)
        with line.makefile("r") as lines:
            given = Given.model_validate_json(lines.readline())
        pid = os.fork()
        if pid:
            for stream in (out, error):
                os.close(stream)
            self._children[pid] = line
            line.sendall(f"{pid}\n".encode())
            return None
        for each in (line, self._control, self._woken, *self._children.values()):
            each.close()
        for number, stream in enumerate((out, error), start=1):
            os.dup2(stream, number)
            os.close(stream)
        return given

    def forget(self) -> None:
        """Restore Python's usual signal handlers in a child."""
        signal.set_wakeup_fd(-1)
        self._wakes.close()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)


def main() -> int:
    """Run the parent until the tests end. In each forked child, run `taskwire` and return its exit code."""
    assert threading.active_count() == 1, "what has threads cannot be forked"
    parent = _Parent(socket.socket(fileno=int(sys.argv[1])))
    gc.collect()
    gc.freeze()
    given = parent.serve()
    if given is None:
        return 0
    parent.forget()
    gc.unfreeze()
    os.environ.clear()
    os.environ.update(given.environment)
    os.chdir(given.directory)
    sys.argv = [str(cli.__file__), *given.arguments]
    return command.main()


if __name__ == "__main__":
    raise SystemExit(main())
