"""Checks the data directory of the embedded store: whether it can be made, and how much space is left."""

import shutil
import tempfile
from pathlib import Path

from taskwire.doctor.findings import Finding, judge_disk
from taskwire.domain.errors import UserError
from taskwire.redis import data_directory, embedded


def check_disk(data_dir: Path) -> Finding:
    """Judge how much space the disk of the data directory has left."""
    there = next(place for place in (data_dir.absolute(), *data_dir.absolute().parents) if place.exists())
    room = shutil.disk_usage(there)
    return judge_disk(room.free, room.total, str(there))


def check_directory(data_dir: Path) -> Finding:
    """Check that the store's directory can be created, and that other users cannot change it."""
    program = embedded.find_program()
    with data_directory.explain_os_errors(data_dir):
        data_directory.require_safe(data_dir)
    parent = next(parent for parent in data_dir.absolute().parents if parent.exists())
    try:
        # Permissions are not enough: nobody can create a directory in /proc or on a read-only disk.
        with tempfile.TemporaryDirectory(prefix=".taskwire-", dir=parent):
            pass
    except OSError as error:
        raise UserError(
            f"The data directory {data_dir} cannot be made: {error.strerror or error}.",
            "Set TASKWIRE_DATA_DIR to a directory that can be written.",
        ) from error
    return Finding(
        "Store", "ok", f"Its own ({program.name}), to be kept in {data_dir} from the first run on."
    )
