"""In a fresh clone, `make` announces each long step before the step begins."""

import asyncio
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
# A program in place of Python 3.11: it makes an environment, prints its arguments, and does little else.
PYTHON = """#!/bin/sh
case "$*" in
  *venv*--clear*)
    echo "python makes an environment"
    mkdir -p "$4/bin" && touch "$4/pyvenv.cfg" && cp "$0" "$4/bin/python" ;;
  *requirements-dev.txt*) echo "python installs for development" ;;
  *requirements.txt*) echo "python installs" ;;
  *--editable*) echo "python installs Taskwire"; cp "$0" "${0%python}taskwire" ;;
  *pytest*) echo "python runs the tests" ;;
  *demo*) echo "python runs the demo" ;;
esac
"""


async def _made(directory: Path, verb: str) -> list[str]:
    """Make an environment in this directory. Return the output of `make VERB`."""
    python = directory / "python3"
    python.write_text(PYTHON)
    python.chmod(0o700)
    words = ("make", "--no-print-directory", verb, f"VENV={directory / 'venv'}", f"PYTHON={python}")
    run = await asyncio.create_subprocess_exec(
        *words, cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said, _ = await run.communicate()
    assert run.returncode == 0, said.decode()
    place = re.compile(re.escape(str(directory)))
    return [
        re.sub(r"\d+ packages", "n packages", place.sub("…", line)) for line in said.decode().splitlines()
    ]


async def test_the_demo_says_what_goes_on_before_it_takes_time(tmp_path: Path) -> None:
    """`make demo` announces each long step before it begins, in the first run and in later runs."""
    first, again = await _made(tmp_path, "demo"), await _made(tmp_path, "demo")

    assert first == [
        "Making a Python environment in …/venv, with …/python3 ...",
        "python makes an environment",
        "Installing what Taskwire needs into …/venv, n packages; about a minute ...",
        "python installs",
        "Installing Taskwire itself into …/venv ...",
        "python installs Taskwire",
        *again,
    ]
    assert again == ["Starting the demo; its address comes in a few seconds ...", "python runs the demo"]


async def test_the_tests_say_what_goes_on_before_they_take_time(tmp_path: Path) -> None:
    """`make test` says that it looks for the tests before it does so. On a busy machine, looking for the
    tests takes half a minute without output."""
    said = await _made(tmp_path, "test")

    assert said[2:6] == [
        "Installing what Taskwire needs into …/venv, n packages; about a minute ...",
        "python installs",
        "Installing what its development needs, n packages; about a minute ...",
        "python installs for development",
    ]
    assert said[-3].startswith("Looking for tests, for half a minute.")
    assert said[-1] == "python runs the tests"


async def _make(*words: str) -> tuple[int, str]:
    """Run make with these words. Return the exit code and the output."""
    run = await asyncio.create_subprocess_exec(
        *("make", "--no-print-directory", *words),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await run.communicate()
    assert run.returncode is not None
    return run.returncode, said.decode()


async def test_help_lists_the_verbs_and_each_can_be_made() -> None:
    """`make help` lists every verb, and make knows how to run each of them."""
    _, said = await _make("help")
    verbs = re.findall(r"^  make (\w+) +\S", said, re.MULTILINE)

    assert verbs == ["help", "setup", "demo", "test", "check", "storm", "bench", "audit", "requirements"]
    for verb in verbs:
        code, planned = await _make("--dry-run", verb)
        assert code == 0, planned
