"""The next version of Taskwire, for tests: this version's code with one additional field in every job.

Each version can read the jobs of older versions, and cannot read the jobs of newer versions.
"""

import shutil
from pathlib import Path

import taskwire
from taskwire.queue.fence import FORMAT

FIELD = "    is_of_next_version: bool = True\n"


def newer_version(directory: Path) -> dict[str, str]:
    """Write the code of the next version to disk. Return the settings with which a test starts this version
    instead of the present one."""
    package = directory / "newer" / "taskwire"
    shutil.copytree(Path(taskwire.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    _change(package / "queue/fence.py", f"\nFORMAT = {FORMAT}\n", f"\nFORMAT = {FORMAT + 1}\n")
    config = '    model_config = ConfigDict(frozen=True, extra="forbid")\n'
    _change(package / "domain/queueing/work.py", config, config + FIELD)
    return {"PYTHONPATH": str(package.parent)}


def _change(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert text.count(old) == 1, f"{path} is not as this was made for"
    path.write_text(text.replace(old, new))
