"""The embedded store runs in real processes: tests start it, kill it and start it again."""

import asyncio
import contextlib
import fcntl
import os
import shutil
import signal
import stat
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import TextIO

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from taskwire.domain.errors import UserError
from taskwire.redis import connection, data_directory, embedded

Process = asyncio.subprocess.Process
Starts = Callable[[Path], Awaitable[Process]]


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "the store"


@pytest.fixture
async def starts() -> AsyncIterator[Starts]:
    """Yield a function that starts a process that owns a store. All these processes end with the test."""
    owners: list[Process] = []

    async def start(data_dir: Path) -> Process:
        command = (sys.executable, "-m", "tests.redis.owner", str(data_dir))
        owner = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
        owners.append(owner)
        return owner

    yield start
    for owner in owners:
        with contextlib.suppress(ProcessLookupError):
            owner.kill()
        await owner.communicate()


async def line_of(owner: Process) -> str:
    assert owner.stdout
    return (await owner.stdout.readline()).decode().rstrip("\n")


async def write(url: str, key: str) -> None:
    async with connection.open(url) as store:
        await store.commands.set(key, "kept")


async def keys(url: str) -> list[bytes | str]:
    async with connection.open(url) as store:
        return sorted(await store.commands.keys("*"))


def server_pid(data_dir: Path) -> int:
    return int((data_dir / data_directory.STORE_LOCK).read_text().splitlines()[0])


def is_running(pid: int) -> bool:
    """Return whether a process runs. A zombie does not count as running."""
    try:
        os.kill(pid, 0)
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except ProcessLookupError:
        return False
    except FileNotFoundError:  # gone in between, or a system without /proc
        return not Path("/proc/self").exists()


def servers_on(data_dir: Path) -> list[int]:
    """List the ids of the processes that have the directory's lock file open. Leave out the Taskwire process
    that owns the directory."""
    owner = (data_dir / data_directory.OWNER_LOCK).read_text().strip()
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            links = [handle.readlink() for handle in (process / "fd").iterdir()]
            if data_dir / data_directory.STORE_LOCK in links and process.name != owner:
                found.append(int(process.name))
    return found


needs_death_signal = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a death signal")


async def test_what_was_written_is_there_after_a_restart(data_dir: Path) -> None:
    """After a stop and a start, the store has all its data, and no old server is left."""
    async with embedded.store(data_dir) as running:
        await write(running.url, "first")
        first = server_pid(data_dir)
    async with embedded.store(data_dir) as running:
        found = await keys(running.url)

    assert found == ["first"]
    assert not is_running(first)
    assert not is_running(server_pid(data_dir))


async def test_the_directory_is_its_owners_alone(data_dir: Path) -> None:
    """No other user of the machine can read the store's data or connect to its server."""
    async with embedded.store(data_dir):
        modes = [stat.S_IMODE(path.stat().st_mode) for path in (data_dir, data_dir / "appendonlydir")]

    assert modes == [0o700, 0o700]


@needs_death_signal
async def test_a_killed_owner_leaves_its_data_and_no_server(data_dir: Path, starts: Starts) -> None:
    """If the owner is killed with SIGKILL, the next start waits until the old server has ended. Then one
    server runs, with all data."""
    owner = await starts(data_dir)
    await write(await line_of(owner), "before the kill")
    orphan = server_pid(data_dir)

    owner.kill()
    successor = await starts(data_dir)

    url = await line_of(successor)
    assert await keys(url) == ["before the kill"]
    assert servers_on(data_dir) == [server_pid(data_dir)]
    assert not is_running(orphan)


@needs_death_signal
async def test_kill_after_kill_loses_nothing(data_dir: Path, starts: Starts) -> None:
    """If the owner is killed five times right after a write, every confirmed write survives."""
    for number in range(5):
        owner = await starts(data_dir)
        await write(await line_of(owner), f"write {number}")
        owner.kill()
        await owner.wait()

    async with embedded.store(data_dir) as running:
        assert await keys(running.url) == [f"write {number}" for number in range(5)]
        assert servers_on(data_dir) == [server_pid(data_dir)]


async def test_a_server_without_its_owner_is_asked_to_end(data_dir: Path, starts: Starts) -> None:
    """If a server keeps running after its owner's death, the next start ends this server."""
    with orphan_lock(data_dir) as lock:
        path = data_directory.choose_socket(data_dir)
        options = ["--port", "0", "--unixsocket", str(path), "--dir", str(data_dir), "--appendonly", "yes"]
        orphan = await asyncio.create_subprocess_exec(
            embedded.find_program(), *options, pass_fds=(lock.fileno(),), stdout=asyncio.subprocess.PIPE
        )
        data_directory.record_server(lock, orphan.pid, path)
    assert orphan.stdout
    await orphan.stdout.readuntil(b"Ready to accept connections")

    successor = await starts(data_dir)

    assert (await line_of(successor)).startswith("unix://")
    await orphan.stdout.read()
    assert await orphan.wait() == 0


@contextlib.contextmanager
def orphan_lock(data_dir: Path) -> Iterator[TextIO]:
    """Lock the file that the server of a store locks, without locking the owner's file."""
    data_dir.mkdir()
    with (data_dir / data_directory.STORE_LOCK).open("a+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield lock


async def test_a_second_start_is_refused_with_a_sentence(data_dir: Path, starts: Starts) -> None:
    """While a process owns the store, a second start fails. The error names the directory and the first
    process. The first process continues undisturbed."""
    first = await starts(data_dir)
    url = await line_of(first)

    second = await starts(data_dir)

    async with asyncio.timeout(10):  # the documented limit
        sentence = await line_of(second)
        assert await second.wait() == 2
    assert sentence == (
        f"Another Taskwire (process {first.pid}) already runs on {data_dir}."
        " Stop it first, or give this one its own TASKWIRE_DATA_DIR. To run several together, set REDIS_URL."
    )
    assert await keys(url) == []


async def test_a_restart_waits_for_the_one_that_is_ending(data_dir: Path, starts: Starts) -> None:
    """A second process starts while the first one ends. The second process waits, and gets the directory as
    soon as the first has ended."""
    first = await starts(data_dir)
    await write(await line_of(first), "from the first")
    second = await starts(data_dir)

    first.terminate()

    assert await keys(await line_of(second)) == ["from the first"]
    assert await first.wait() == 0


async def test_sigterm_ends_owner_and_server(data_dir: Path, starts: Starts) -> None:
    """After SIGTERM the owner and its server end, and the socket is gone."""
    owner = await starts(data_dir)
    await line_of(owner)

    owner.terminate()

    async with asyncio.timeout(20):  # the documented limit
        assert await owner.wait() == 0
    assert not is_running(server_pid(data_dir))
    assert not (data_dir / data_directory.SOCKET).exists()


async def test_a_server_that_hangs_is_killed_at_the_end(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the server does not end when its store is closed, it is killed after a while. No confirmed write is
    lost."""
    monkeypatch.setattr(embedded, "SERVER_STOP_SECONDS", 0.1)
    async with embedded.store(data_dir) as running:
        await write(running.url, "synced")
        os.kill(server_pid(data_dir), signal.SIGSTOP)

    assert not is_running(server_pid(data_dir))
    async with embedded.store(data_dir) as running:
        assert await keys(running.url) == ["synced"]


async def test_the_owner_hears_of_its_servers_death(data_dir: Path, starts: Starts) -> None:
    """If the server is killed, its owner ends and prints a sentence. A supervisor can then start both
    again."""
    owner = await starts(data_dir)
    await write(await line_of(owner), "before the death")

    os.kill(server_pid(data_dir), signal.SIGKILL)

    assert await line_of(owner) == f"The store in {data_dir} was ended from outside (SIGKILL)."
    assert await owner.wait() == 1
    async with embedded.store(data_dir) as running:
        assert await keys(running.url) == ["before the death"]


async def test_a_terminals_interrupt_does_not_reach_the_server(data_dir: Path) -> None:
    """If a person presses Ctrl-C, the signal reaches only the owner and not its server. The owner can still
    write to the server before it ends."""
    async with embedded.store(data_dir):
        assert os.getsid(server_pid(data_dir)) != os.getsid(0)


async def test_a_path_too_long_for_a_socket_works_nevertheless(tmp_path: Path) -> None:
    """If the path of the data directory is too long for a socket, the socket is in a temporary directory.
    This directory is removed at the end."""
    data_dir = tmp_path / ("long " * 20) / ("longer " * 10)
    async with embedded.store(data_dir) as running:
        await write(running.url, "key")
        path = data_directory.find_recorded_socket(data_dir)

    assert path
    assert path.parent != data_dir
    assert not path.parent.exists()
    async with embedded.store(data_dir) as running:
        assert await keys(running.url) == ["key"]


async def test_a_store_that_runs_can_be_found(data_dir: Path) -> None:
    """`find` returns a running store. Before the store's start and after its end, `find` returns None."""
    before = await embedded.find(data_dir)
    async with embedded.store(data_dir) as running:
        during, expected = await embedded.find(data_dir), running.url
    after = await embedded.find(data_dir)

    assert (before, during, after) == (None, expected, None)


async def test_an_error_of_the_owner_passes_unchanged(data_dir: Path) -> None:
    """If the code that uses the store fails, its error is raised unchanged. The error is not reported as a
    problem of the directory."""
    with pytest.raises(PermissionError, match="not ours"):
        async with embedded.store(data_dir):
            raise PermissionError("not ours")

    assert not is_running(server_pid(data_dir))


def put_a_file_at(path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    path.touch()


async def test_a_file_in_the_way_is_named(tmp_path: Path) -> None:
    """If the path of the data directory leads through a file, the error has this path and the reason."""
    put_a_file_at(tmp_path / "file")

    with pytest.raises(UserError) as caught:
        async with embedded.store(tmp_path / "file" / "store"):
            pass

    assert (
        caught.value.sentence
        == f"Taskwire cannot use its data directory {tmp_path}/file/store: Not a directory."
    )


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody who may not write")
async def test_a_directory_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """If the data directory belongs to another user, the error names the directory."""
    data_dir = tmp_path / "roots own"
    put_a_file_at(data_dir / "something")

    open_the_way_to(tmp_path)

    with as_nobody(), pytest.raises(UserError) as caught:
        async with embedded.store(data_dir):
            pass

    assert str(caught.value) == not_permitted(data_dir)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody who may not look")
async def test_a_directory_that_cannot_be_seen_is_named(tmp_path: Path) -> None:
    """If the data directory is inside a directory that the user may not enter, the error names the data
    directory."""
    data_dir = tmp_path / "roots own"
    put_a_file_at(data_dir / "something")
    close(tmp_path)

    with as_nobody(), pytest.raises(UserError) as caught:
        async with embedded.store(data_dir):
            pass

    assert str(caught.value) == not_permitted(data_dir)


def open_the_way_to(directory: Path) -> None:
    for step in (directory, *directory.parents):
        if not step.stat().st_mode & 0o001:
            step.chmod(step.stat().st_mode | 0o011)


def close(directory: Path) -> None:
    directory.chmod(0o700)


def not_permitted(data_dir: Path) -> str:
    return (
        f"Taskwire cannot use its data directory {data_dir}: Permission denied."
        " Let this user write to all of it, or set TASKWIRE_DATA_DIR to another directory."
    )


@contextlib.contextmanager
def as_nobody() -> Iterator[None]:
    """Run as the user `nobody` inside the block."""
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


async def test_a_store_that_does_not_start_says_why(data_dir: Path) -> None:
    """If the store does not start, the error has the last line of the server's log, and what to do."""
    put_a_file_at(data_dir / "appendonlydir")

    with pytest.raises(UserError) as caught:
        async with embedded.store(data_dir):
            pass

    assert str(caught.value) == (
        f"The store in {data_dir} did not start:"
        " Can't open or create append-only dir appendonlydir: Not a directory."
        f" Look into {data_dir}/store.log, or set TASKWIRE_DATA_DIR to another directory."
    )


@pytest.mark.parametrize("name", ["valkey-server", "redis-server"])
async def test_a_server_on_the_path_serves_as_well(
    name: str, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the server from the Python package does not run, an installed server is used, even one that is some
    years old."""
    program = shutil.which(name)
    if not program:
        pytest.skip(f"no {name} on the path")
    monkeypatch.setattr(embedded, "_programs", lambda: iter([Path(program)]))

    async with embedded.store(data_dir) as running:
        await write(running.url, "first")
    async with embedded.store(data_dir) as running, connection.open(running.url) as store:
        health = await connection.check(store)
        found = await keys(running.url)

    assert found == ["first"]
    assert (health.is_append_only, health.fsync) == (True, "always")


async def test_a_damaged_file_says_how_to_mend_it(data_dir: Path) -> None:
    """If the store's file is damaged, the start fails and the error says how to repair the file. Taskwire
    keeps the file, because a person has to decide what to do with it."""
    async with embedded.store(data_dir) as running:
        for key in ("first", "second"):
            await write(running.url, key)
    damage(data_dir)

    with pytest.raises(UserError) as caught:
        async with embedded.store(data_dir):
            pass

    assert "reading the append only file" in caught.value.sentence
    assert caught.value.hint == "Copy it, then run `valkey-check-aof --fix` on it, or restore a backup."


def damage(data_dir: Path) -> None:
    """Change bytes in the middle of the append-only file."""
    (appended,) = (data_dir / "appendonlydir").glob("*.incr.aof")
    written = appended.read_bytes()
    appended.write_bytes(written.replace(b"$", b"?", 1))


async def test_a_machine_without_any_server_is_told_what_to_install(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If there is neither the Python package's server nor an installed one, the error says what to
    install."""
    monkeypatch.setattr(embedded, "_programs", lambda: iter([Path("/bin/true"), data_dir / "missing"]))

    with pytest.raises(UserError) as caught:
        async with embedded.store(data_dir):
            pass

    assert caught.value.sentence == "Taskwire found no data store that it could start."


async def test_the_log_is_kept_short_while_the_server_writes_it(data_dir: Path) -> None:
    """The server's log is emptied while the server has it open. The server then writes at the beginning of
    the emptied file."""
    async with embedded.store(data_dir) as running:
        log = data_dir / data_directory.LOG
        with log.open("a") as file:
            file.write("x" * (data_directory.LOG_BYTES + 1))
        data_directory.truncate_log(data_dir)
        emptied = log.stat().st_size
        async with connection.open(running.url) as store:
            with contextlib.suppress(RedisConnectionError):
                await store.commands.shutdown(nosave=True)
        await running.died

    assert emptied == 0
    assert 0 < log.stat().st_size < data_directory.LOG_BYTES
