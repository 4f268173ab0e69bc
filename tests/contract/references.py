"""Slack's and Coder's own references, which lie beside the repository and not in it.

The tables of this folder say what Taskwire relies on. If the references are present, tests compare the
tables and the whole stand-ins with them. Elsewhere these few tests report that they were skipped.
"""

import os
from pathlib import Path

from tests.programs import not_tested

DEFAULT_FOLDER = Path(__file__).parents[2].parent / "shared" / "data"


def read_reference(name: str) -> str:
    """Read a file of `../shared/data`, or of the folder in TASKWIRE_SHARED_DATA.

    Skip the test if it is missing.
    """
    path = Path(os.environ.get("TASKWIRE_SHARED_DATA") or DEFAULT_FOLDER) / name
    if not path.is_file():
        not_tested(f"no {path.name}, a contract to hold this against: set TASKWIRE_SHARED_DATA to its folder")
    return path.read_text(encoding="utf-8")
