"""The encryption keys of this process, from the settings and from the embedded store's key file.

The key file is in the data directory. Taskwire makes the file if there are no keys at all. Taskwire never
changes an existing key file.
"""

import contextlib
import os
import secrets
from pathlib import Path

from taskwire import sealing
from taskwire.domain.errors import UserError
from taskwire.redis import data_directory
from taskwire.settings import Settings
from taskwire.telemetry import logger

KEY_FILE = "secret.keys"

_log = logger("taskwire")


def install(settings: Settings) -> None:
    """Load the encryption keys of this process. If an embedded store has no keys, make the key file.

    Call this while the data directory is locked. Raises `UserError` if the file cannot be read or made.
    """
    keys = find(settings)
    if not keys:
        path = settings.data_dir.absolute() / KEY_FILE
        with data_directory.explain_os_errors(settings.data_dir):
            keys = _make(path)
        _log.warning(
            "new encryption key written to a file",
            file=str(path),
            hint="Keep a copy elsewhere: without it, a backup of this directory cannot be read.",
        )
    sealing.install_keys(keys)


def install_existing(settings: Settings) -> None:
    """Load the installation's encryption keys for a command line tool. Never write a key file.

    If there are no keys yet, the tool gets a temporary key.
    """
    sealing.install_keys(find(settings) or (sealing.make_key(),))


def find(settings: Settings) -> tuple[str, ...]:
    """Return the encryption keys of the settings, then the keys of the key file, each key once.

    In both places, the newest key is the first. With an external Redis, return only the keys of the settings.
    """
    keys = tuple(key.get_secret_value() for key in settings.secret_keys)
    if settings.redis_url is not None:
        return keys
    return tuple(dict.fromkeys((*keys, *read(settings.data_dir.absolute()))))


def read(data_dir: Path) -> tuple[str, ...]:
    """Return the keys in a data directory's key file; empty if there is no key file."""
    path = data_dir / KEY_FILE
    with data_directory.explain_os_errors(data_dir):
        try:
            keys = sealing.parse_keys(path.read_text(encoding="utf-8", errors="replace"))
        except FileNotFoundError:
            return ()
    if not keys or not all(sealing.is_key(key) for key in keys):
        raise UserError(
            f"The file {path} has something else than keys in it.",
            "Restore it from a backup. What was encrypted with a lost key cannot be read.",
        )
    return keys


def _make(path: Path) -> tuple[str, ...]:
    """Make the key file with a new key, and return the keys in it.

    The file is made completely or not at all. An existing key file stays as it is.
    """
    key = sealing.make_key()
    draft = path.with_name(f"{KEY_FILE}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(f"{key}\n")
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)
        _sync(path.parent)
    finally:
        with contextlib.suppress(FileNotFoundError):
            draft.unlink()
    return (key,)


def _sync(directory: Path) -> None:
    """Write a directory's new entry to disk, so that the entry survives a crash of the machine."""
    opened = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
