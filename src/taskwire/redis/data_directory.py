"""The data directory of the embedded store: who may use it, where its server listens, what its server said.

Two locks guard it. `owner.lock` is held by the Taskwire that runs there; `store.lock` by it *and* by the
server, which inherits it, so that no second server can write the same files while the first is still dying.
Whoever has the first lock but not the second knows that the server is an orphan, and may ask it to end.
The locks belong to the files and not to their path, so two spellings of one directory are one directory.

The server itself is `embedded`'s.
"""

import asyncio
import contextlib
import fcntl
import os
import re
import socket
import stat
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import TextIO

from taskwire.domain.errors import UserError

LOG_BYTES = 1_000_000
# So many symbolic links does Linux follow on one way.
MOST_LINKS = 40
# From SIGTERM on an owner has 20 s; a second start has waited for some of them already.
ENDING, ENDING_SECONDS = "ending", 15.0
# A server that lost its owner ends at once, but may have much to close.
ORPHAN_SECONDS = 3.0

OWNER_LOCK, STORE_LOCK, LOG, SOCKET = "owner.lock", "store.lock", "store.log", "store.sock"

# What the system or the server says when it cannot go on, and what a person can do about it.
REMEDIES = {
    "permission denied": "Let this user write to all of it, or set TASKWIRE_DATA_DIR to another directory.",
    "read-only": "Set TASKWIRE_DATA_DIR to a directory that can be written.",
    "no space left": "Free some space on that disk, then start again.",
    "rdb format version": "A newer server wrote this directory: install that one again, then start again.",
    "aof write error": "Its disk is full or failing: free some space, then start again.",
    "reading the append only file": "Copy it, then run `valkey-check-aof --fix` on it, or restore a backup.",
}


@contextlib.contextmanager
def explained(data_dir: Path) -> Iterator[None]:
    """Turn what the system refuses into a sentence; never put it around somebody else's code."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        is_none = isinstance(error, NotADirectoryError | FileExistsError)
        hint = "Set TASKWIRE_DATA_DIR to a directory." if is_none else remedy(reason, data_dir)
        raise UserError(f"Taskwire cannot use its data directory {data_dir}: {reason}.", hint) from error


def remedy(reason: str, data_dir: Path) -> str:
    """Choose what a person can do about what the system or the server said."""
    # Where even looking is forbidden this says no, and Path.exists raises.
    look = f"Look into {data_dir / LOG}, or set" if os.path.exists(data_dir / LOG) else "Set"  # noqa: PTH110 - as said
    return _known_remedy(reason) or f"{look} TASKWIRE_DATA_DIR to another directory."


def _known_remedy(reason: str) -> str | None:
    return next((hint for said, hint in REMEDIES.items() if said in reason.lower()), None)


@contextlib.asynccontextmanager
async def locked(
    data_dir: Path, wait_seconds: float, end_orphan: Callable[[Path], Awaitable[None]]
) -> AsyncIterator[TextIO]:
    """Hold both locks; yields the one that the server is to inherit. UserError if they are not free in time.

    `end_orphan` is given the socket of a server whose Taskwire is gone. On Linux that one is about to end
    anyway; elsewhere nothing told it that its parent died.
    """
    deadline = asyncio.get_running_loop().time() + wait_seconds
    with contextlib.ExitStack() as files:
        with explained(data_dir):
            owner, lock = (files.enter_context(opened) for opened in _open_locks(data_dir))
            if not await _take(owner, deadline) and not await _take_from_ending(owner):
                raise _in_use(data_dir, owner)
            _write(owner, f"{os.getpid()}\n")
            if not await _take(lock, deadline=0):
                if path := recorded_socket(data_dir):
                    await end_orphan(path)
                if not await _take(lock, deadline + ORPHAN_SECONDS):
                    raise _does_not_end(data_dir, lock)
        yield lock


def _open_locks(data_dir: Path) -> tuple[TextIO, TextIO]:
    require_safe(data_dir)
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    # What leads there may have been made just now, with whatever rights this process gives.
    require_safe(data_dir)
    # Appending neither needs the file to exist nor empties what another holder wrote.
    owner = (data_dir / OWNER_LOCK).open("a+", encoding="utf-8")
    return owner, (data_dir / STORE_LOCK).open("a+", encoding="utf-8")


def require_safe(data_dir: Path) -> None:
    """Raise UserError where others may change it, or what leads to it; what is not there yet passes."""
    for directory in (*_ways_to(data_dir), data_dir):
        if directory.exists():
            _require_ours(directory, data_dir)


def _ways_to(data_dir: Path) -> Iterator[Path]:
    """The directories that lead to this one, from / on, and to whatever symbolic links on the way name."""
    found, links = [data_dir.absolute()], 0
    for path in found:
        for each in (*reversed(path.parents), path):
            if each != path:
                yield each
            if each.is_symlink() and (links := links + 1) <= MOST_LINKS:
                found.append(each.parent / each.readlink())


def _require_ours(directory: Path, data_dir: Path) -> None:
    """Raise UserError where others may change it: they could give us tasks to carry out, and files to follow.

    In a directory on the way they could put another one in the data directory's place, unless the sticky bit
    leaves that to the owner of what is in it.
    """
    found, is_it = directory.stat(), directory == data_dir
    is_roots = found.st_uid == 0
    # Clusters mount a volume as root's, for one group of the process.
    is_own_group = found.st_gid == os.getegid() or (is_roots and found.st_gid in os.getgroups())
    name = "it" if is_it else f"{directory}"
    group = "its group" if is_it else f"the group of {directory}"
    if found.st_uid != os.geteuid() and not is_roots:
        who, command = f"{name} belongs to another user", f"chown -R $(id -u) {directory}" if is_it else ""
    elif not is_it and found.st_mode & stat.S_ISVTX:
        return
    elif found.st_mode & stat.S_IWOTH:
        who, command = f"everybody may write to {name}", f"chmod go-w {directory}"
    elif found.st_mode & stat.S_IWGRP and not is_own_group:
        who, command = f"{group} may write to it, and is not this user's own", f"chmod go-w {directory}"
    else:
        return
    elsewhere = "et TASKWIRE_DATA_DIR to another directory."
    raise UserError(
        f"Taskwire keeps nothing in the data directory {data_dir}, since others can change it: {who}.",
        f"Make it this user's alone (`{command}`), or s{elsewhere}" if command else f"S{elsewhere}",
    )


async def _take(lock: TextIO, deadline: float) -> bool:
    while True:
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        if asyncio.get_running_loop().time() >= deadline:
            return False
        await asyncio.sleep(0.05)


async def _take_from_ending(owner: TextIO) -> bool:
    """Wait for an owner that is ending for as long as that may take it."""
    owner.seek(0)
    if ENDING not in owner.read().splitlines():
        return False
    return await _take(owner, asyncio.get_running_loop().time() + ENDING_SECONDS)


def announce_end(data_dir: Path) -> None:
    """Tell whoever waits for this directory that its owner, this process, is ending."""
    with contextlib.suppress(OSError):
        (data_dir / OWNER_LOCK).write_text(f"{os.getpid()}\n{ENDING}\n", encoding="utf-8")


def _write(lock: TextIO, text: str) -> None:
    lock.truncate(0)
    lock.write(text)
    lock.flush()


def _first_line(lock: TextIO) -> str:
    lock.seek(0)
    return lock.readline().strip()


def _in_use(data_dir: Path, owner: TextIO) -> UserError:
    pid = _first_line(owner)
    who = f"Another Taskwire (process {pid})" if pid else "Another Taskwire"
    return UserError(
        f"{who} already runs on {data_dir}.",
        "Stop it first, or give this one its own TASKWIRE_DATA_DIR. To run several together, set REDIS_URL.",
    )


def _does_not_end(data_dir: Path, lock: TextIO) -> UserError:
    pid = _first_line(lock)
    return UserError(
        f"The store that an earlier Taskwire left on {data_dir} does not end.",
        f"End it with `kill {pid}`, then start again." if pid else "Start again in a minute.",
    )


def record(lock: TextIO, server_pid: int, path: Path) -> None:
    """Write down, in its lock, which server runs and where it listens."""
    _write(lock, f"{server_pid}\n{path}\n")


def recorded_socket(data_dir: Path) -> Path | None:
    """Read where the last server listens, or listened."""
    try:
        lines = (data_dir / STORE_LOCK).read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    return Path(lines[1]) if len(lines) > 1 else None


def place_socket(data_dir: Path) -> Path:
    """Choose where the server will listen: in the data directory if that works, else in a temporary one.

    The path of a unix socket has at most 107 bytes on Linux and 103 on macOS (sun_path), and some shared
    volumes take no sockets at all.
    """
    if previous := recorded_socket(data_dir):
        remove_socket(previous, data_dir)  # a killed one left it
    path = data_dir / SOCKET
    path.unlink(missing_ok=True)
    return path if _can_listen(path) else Path(tempfile.mkdtemp(prefix="taskwire-")) / SOCKET


def _can_listen(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.bind(os.fspath(path))
        except OSError:
            return False
    path.unlink()
    return True


def remove_socket(path: Path, data_dir: Path) -> None:
    """Remove a socket, and the directory that was made for it."""
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)
        if path.parent != data_dir:
            path.parent.rmdir()


def fresh_log(data_dir: Path) -> TextIO:
    """Open a new log for the server; the one of the last run is kept beside it."""
    log = data_dir / LOG
    if log.exists():
        log.replace(log.with_suffix(".log.old"))
    return log.open("a", encoding="utf-8")  # appending, so that it can be shortened under the server's hands


def shorten_log(data_dir: Path) -> None:
    """Empty the server's log if it has grown beyond LOG_BYTES."""
    with contextlib.suppress(OSError):
        if (data_dir / LOG).stat().st_size > LOG_BYTES:
            os.truncate(data_dir / LOG, 0)


def last_words(data_dir: Path) -> str:
    """Read why the server ended: of its log's last lines the one that has a remedy, else the last.

    Without process id, time and level. The last is not always the reason: it may be "Exiting".
    """
    try:
        text = (data_dir / LOG).read_text(encoding="utf-8", errors="replace").rstrip()
    except OSError as error:
        return str(error.strerror)
    lines = text.splitlines()[-5:] or ["it said nothing"]
    last = ([line for line in lines if _known_remedy(line)] or lines)[-1]
    return re.sub(r"^\d+:\w .{0,40}? [.*#-] ", "", last).rstrip(".")
