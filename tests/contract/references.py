"""Reads Slack's and Coder's own references, which are in a folder beside the repository. The tables of this
folder list what Taskwire uses.

If the references are present, tests compare the tables and both stand-ins with the references. Otherwise
these tests are skipped with a reason.
"""

import os
from pathlib import Path

from tests.programs import not_tested

DEFAULT_FOLDER = Path(__file__).parents[2].parent / "shared" / "data"


def read_reference(name: str) -> str:
    """Read a file from `../shared/data`, or from the folder that TASKWIRE_SHARED_DATA names.

    Skip the test if the file is missing.
    """
    path = Path(os.environ.get("TASKWIRE_SHARED_DATA") or DEFAULT_FOLDER) / name
    if not path.is_file():
        not_tested(f"no {path.name}, a contract to hold this against: set TASKWIRE_SHARED_DATA to its folder")
    return path.read_text(encoding="utf-8")
