"""On a machine with only Python, make and git, tests that need other programs are skipped with a reason. None
fails."""

import asyncio
import os
import re
import sys
from pathlib import Path

import pytest

from tests.programs import find_openssl

ROOT = Path(__file__).parents[2]
# This test file starts a program that such a machine lacks. The script `.ci/run` tries all such test files
# without the programs.
STARTING = "tests/redis/test_tls.py"


async def _tests(*words: str, **environment: str) -> tuple[int, str]:
    """Run these tests. Return the exit code and the output."""
    run = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *words),
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if "PYTEST" not in name} | environment,
        stdout=asyncio.subprocess.PIPE,
    )
    said, _ = await run.communicate()
    assert run.returncode is not None
    return run.returncode, said.decode()


async def test_tls_wants_a_server_that_speaks_it(tmp_path: Path) -> None:
    """If the machine has no redis-server, the TLS tests are skipped with a reason. The embedded server has no
    TLS."""
    (tmp_path / "openssl").symlink_to(find_openssl())
    code, said = await _tests(STARTING, PATH=str(tmp_path))

    told = said.partition("not tested on this machine")[2]
    assert code == 0, said
    assert re.search(r"\n4 tests need more than there is here: no redis-server .*: apt install redis-", told)


async def test_a_clone_without_the_references_still_tests_its_contracts(tmp_path: Path) -> None:
    """If Slack's and Coder's references are missing, only the tests that compare our tables with the
    references are skipped."""
    code, said = await _tests("tests/contract", TASKWIRE_SHARED_DATA=str(tmp_path))

    told = said.partition("not tested on this machine")[2]
    missed = re.findall(r"\n(\d+) tests? needs? more than there is here: no \S+, a contract to", told)
    assert code == 0, said
    assert len(missed) == 4
    assert sum(map(int, missed)) <= 10
    assert int(re.findall(r"(\d+) passed", said)[-1]) > 300


@pytest.mark.parametrize("program", ["redis-server", "openssl", "chromium"])
def test_such_a_program_is_looked_for_in_one_place(program: str) -> None:
    """Only `tests/programs.py` looks for programs that may be missing. A missing program therefore causes a
    skip and not a failure."""
    paths = [*(ROOT / "tests").rglob("*.py"), *(ROOT / "src").rglob("*.py")]
    naming = {path.name for path in paths if f'"{program}"' in path.read_text(encoding="utf-8")}

    # The embedded store and its test name redis-server on purpose, and so does this file. The patterns for
    # secrets name it because people pass a password to it.
    by_intent = {"embedded.py", "test_embedded.py", "secret_patterns.py", Path(__file__).name}
    assert naming - by_intent == {"programs.py"}
