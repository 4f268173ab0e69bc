"""Reads the API references of Slack and Coder, which are files in a folder beside the repository.

If the files are present, tests compare the tables of this folder and both stand-ins with them. Otherwise
these tests are skipped with a reason. The tables list what Taskwire uses of Slack and Coder.
"""

import os
from pathlib import Path

from tests.programs import not_tested

DEFAULT_FOLDER = Path(__file__).parents[2].parent / "shared" / "data"


def read_reference(name: str) -> str:
    """Return the text of a file in `../shared/data`, or in the folder that TASKWIRE_SHARED_DATA names.

    Skip the test if the file is missing.
    """
    path = Path(os.environ.get("TASKWIRE_SHARED_DATA") or DEFAULT_FOLDER) / name
    if not path.is_file():
        not_tested(f"no {path.name}, a contract to hold this against: set TASKWIRE_SHARED_DATA to its folder")
    return path.read_text(encoding="utf-8")
