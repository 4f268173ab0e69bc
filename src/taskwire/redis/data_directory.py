"""The data directory of the embedded store: its locks, its permissions, and its server's socket and log.

Two locks protect the directory. The Taskwire process that uses the directory holds `owner.lock`. The server
of that process inherits `store.lock`. So no second server can write the files while the first server is
stopping. If a process gets `owner.lock` but not `store.lock`, the server has no owner any more, and the
process may stop the server. The locks belong to the files and not to their paths, so two spellings of one
path mean one directory.

`embedded` starts and ends the server.
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
# Linux follows at most 40 symbolic links when it resolves a path.
MAX_SYMLINKS = 40
# How long a second process waits for an owner that is stopping, in seconds. An owner stops within 20 s after
# SIGTERM. The second process has already waited for a part of these 20 s.
STOPPING, STOPPING_SECONDS = "stopping", 15.0
# How long a server without an owner may take to end, in seconds. It starts to end at once, but closing may
# take time.
ORPHAN_SECONDS = 3.0

OWNER_LOCK, STORE_LOCK, LOG, SOCKET = "owner.lock", "store.lock", "store.log", "store.sock"

# Messages of the operating system or the server, with what a person can do about them.
REMEDIES = {
    "permission denied": "Let this user write to all of it, or set TASKWIRE_DATA_DIR to another directory.",
    "read-only": "Set TASKWIRE_DATA_DIR to a directory that can be written.",
    "no space left": "Free some space on that disk, then start again.",
    "rdb format version": "A newer server wrote this directory: install that one again, then start again.",
    "aof write error": "Its disk is full or failing: free some space, then start again.",
    "reading the append only file": "Copy it, then run `valkey-check-aof --fix` on it, or restore a backup.",
}


@contextlib.contextmanager
def explain_os_errors(data_dir: Path) -> Iterator[None]:
    """Turn an OSError of our own file access into a `UserError`.

    Do not call a caller's code inside this block.
    """
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        is_none = isinstance(error, NotADirectoryError | FileExistsError)
        hint = "Set TASKWIRE_DATA_DIR to a directory." if is_none else remedy(reason, data_dir)
        raise UserError(f"Taskwire cannot use its data directory {data_dir}: {reason}.", hint) from error


def remedy(reason: str, data_dir: Path) -> str:
    """Return what a person can do about an error message of the operating system or of the server."""
    # If the process may not even look at the path, `os.path.exists` returns False and `Path.exists` raises.
    look = f"Look into {data_dir / LOG}, or set" if os.path.exists(data_dir / LOG) else "Set"  # noqa: PTH110 - see above
    return _known_remedy(reason) or f"{look} TASKWIRE_DATA_DIR to another directory."


def _known_remedy(reason: str) -> str | None:
    return next((hint for said, hint in REMEDIES.items() if said in reason.lower()), None)


@contextlib.asynccontextmanager
async def hold_locks(
    data_dir: Path, wait_seconds: float, end_orphan: Callable[[Path], Awaitable[None]]
) -> AsyncIterator[TextIO]:
    """Hold both locks. Yield `store.lock`, which the server inherits.

    Raises `UserError` if a lock does not become free in time. `end_orphan` gets the socket of a server whose
    owner has died, and ends that server. On Linux such a server ends by itself. Other systems do not tell a
    process that its parent has died.
    """
    deadline = asyncio.get_running_loop().time() + wait_seconds
    with contextlib.ExitStack() as files:
        with explain_os_errors(data_dir):
            owner, lock = (files.enter_context(opened) for opened in _open_locks(data_dir))
            if not await _acquire(owner, deadline) and not await _acquire_from_stopping(owner):
                raise _in_use_error(data_dir, owner)
            _write(owner, f"{os.getpid()}\n")
            if not await _acquire(lock, deadline=0):
                if path := find_recorded_socket(data_dir):
                    await end_orphan(path)
                if not await _acquire(lock, deadline + ORPHAN_SECONDS):
                    raise _orphan_error(data_dir, lock)
        yield lock


def _open_locks(data_dir: Path) -> tuple[TextIO, TextIO]:
    require_safe(data_dir)
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    # `mkdir` may have just created parents, with the permissions of this process's umask.
    require_safe(data_dir)
    # Mode "a+" creates the file if needed, and keeps what another holder has written.
    owner = (data_dir / OWNER_LOCK).open("a+", encoding="utf-8")
    return owner, (data_dir / STORE_LOCK).open("a+", encoding="utf-8")


def require_safe(data_dir: Path) -> None:
    """Raise `UserError` if other users can change the data directory or a parent of this directory.

    A directory that does not exist yet is accepted.
    """
    for directory in (*_parents_of(data_dir), data_dir):
        if directory.exists():
            _require_ours(directory, data_dir)


def _parents_of(data_dir: Path) -> Iterator[Path]:
    """Yield the directories above `data_dir`, from / on.

    If a directory is a symbolic link, also yield the directories above and at its target.
    """
    found, links = [data_dir.absolute()], 0
    for path in found:
        for each in (*reversed(path.parents), path):
            if each != path:
                yield each
            if each.is_symlink() and (links := links + 1) <= MAX_SYMLINKS:
                found.append(each.parent / each.readlink())


def _require_ours(directory: Path, data_dir: Path) -> None:
    """Raise `UserError` if other users can change a directory.

    Users who can change the data directory can put jobs and files into the store. Users who can change a
    parent directory can replace the data directory by another one. But if the parent has the sticky bit, only
    the owner of the data directory can replace it.
    """
    found, is_it = directory.stat(), directory == data_dir
    is_roots = found.st_uid == 0
    # In Kubernetes, root owns a mounted volume, and the volume has one of the process's groups.
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


async def _acquire(lock: TextIO, deadline: float) -> bool:
    while True:
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        if asyncio.get_running_loop().time() >= deadline:
            return False
        await asyncio.sleep(0.05)


async def _acquire_from_stopping(owner: TextIO) -> bool:
    """Wait for the lock if its owner is stopping. Return whether this process has the lock now.

    Return False at once if the owner is not stopping.
    """
    owner.seek(0)
    if STOPPING not in owner.read().splitlines():
        return False
    return await _acquire(owner, asyncio.get_running_loop().time() + STOPPING_SECONDS)


def announce_stop(data_dir: Path) -> None:
    """Write into `owner.lock` that this process is stopping, for a process that waits for this directory."""
    with contextlib.suppress(OSError):
        (data_dir / OWNER_LOCK).write_text(f"{os.getpid()}\n{STOPPING}\n", encoding="utf-8")


def _write(lock: TextIO, text: str) -> None:
    lock.truncate(0)
    lock.write(text)
    lock.flush()


def _first_line(lock: TextIO) -> str:
    lock.seek(0)
    return lock.readline().strip()


def _in_use_error(data_dir: Path, owner: TextIO) -> UserError:
    pid = _first_line(owner)
    who = f"Another Taskwire (process {pid})" if pid else "Another Taskwire"
    return UserError(
        f"{who} already runs on {data_dir}.",
        "Stop it first, or give this one its own TASKWIRE_DATA_DIR. To run several together, set REDIS_URL.",
    )


def _orphan_error(data_dir: Path, lock: TextIO) -> UserError:
    pid = _first_line(lock)
    return UserError(
        f"The store that an earlier Taskwire left on {data_dir} does not end.",
        f"End it with `kill {pid}`, then start again." if pid else "Start again in a minute.",
    )


def record_server(lock: TextIO, server_pid: int, path: Path) -> None:
    """Write the server's process id and the path of its socket into `lock`, the file `store.lock`."""
    _write(lock, f"{server_pid}\n{path}\n")


def find_recorded_socket(data_dir: Path) -> Path | None:
    """Return the path of the latest server's socket; None if no path is recorded.

    That server may have ended.
    """
    try:
        lines = (data_dir / STORE_LOCK).read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    return Path(lines[1]) if len(lines) > 1 else None


def choose_socket(data_dir: Path) -> Path:
    """Choose a path for the server's socket.

    The path is in the data directory if that works, else in a temporary directory. The path of a Unix socket
    has at most 107 bytes on Linux and 103 on macOS (sun_path). Some shared volumes allow no sockets at all.
    """
    if previous := find_recorded_socket(data_dir):
        remove_socket(previous, data_dir)  # a killed server leaves its socket
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
    """Remove a socket. If a temporary directory was made for the socket, remove this directory too."""
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)
        if path.parent != data_dir:
            path.parent.rmdir()


def open_new_log(data_dir: Path) -> TextIO:
    """Open a new log file for the server. The log file of the last run stays in the directory."""
    log = data_dir / LOG
    if log.exists():
        log.replace(log.with_suffix(".log.old"))
    # In append mode, so that the log can be truncated while the server writes.
    return log.open("a", encoding="utf-8")


def truncate_log(data_dir: Path) -> None:
    """Truncate the server's log if it is longer than LOG_BYTES."""
    with contextlib.suppress(OSError):
        if (data_dir / LOG).stat().st_size > LOG_BYTES:
            os.truncate(data_dir / LOG, 0)


def find_exit_reason(data_dir: Path) -> str:
    """Return why the server ended, from the last lines of its log.

    Prefer a line for which `remedy` knows what to do, because the last line may be only "Exiting". Remove
    process id, time and level from the line.
    """
    try:
        text = (data_dir / LOG).read_text(encoding="utf-8", errors="replace").rstrip()
    except OSError as error:
        return str(error.strerror)
    lines = text.splitlines()[-5:] or ["it said nothing"]
    last = ([line for line in lines if _known_remedy(line)] or lines)[-1]
    return re.sub(r"^\d+:\w .{0,40}? [.*#-] ", "", last).rstrip(".")
