"""References of Slack's and Coder's own, which lie beside the repository and not in it.

The tables of this folder say what Taskwire relies on, and all else is held against them. Where the references
are at hand, the tables are held against the references, and the stand-ins as a whole; elsewhere these few
tests say that they are not run.
"""

import os
from pathlib import Path

from tests.programs import not_tested

BESIDE = Path(__file__).parents[2].parent / "shared" / "data"


def read(name: str) -> str:
    """A file of `../shared/data`, or of the folder that TASKWIRE_SHARED_DATA names; skips where it is not."""
    path = Path(os.environ.get("TASKWIRE_SHARED_DATA") or BESIDE) / name
    if not path.is_file():
        not_tested(f"no {path.name}, a contract to hold this against: set TASKWIRE_SHARED_DATA to its folder")
    return path.read_text(encoding="utf-8")
