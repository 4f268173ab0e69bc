"""The guides for contributors name only things that exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
GUIDES = ("CONTRIBUTING.md", "README.md", *(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")))
MOST_WORDS = 1_200
# A file or a folder, as the guides write it.
PLACE = r"`((?:[\w-]+/)+|(?:[\w-]+/)*\w+\.py)`"
# A name in a file, as the guides write it, for example "`Priority` in `slack/call_priorities.py`".
NAME_IN_FILE = r"`([\w.]+)`\s+in\s+`((?:[\w-]+/)*\w+\.(?:py|lua))`"
# A test, as the guides name it: its file, and its name.
TEST = r"`(tests/[\w/]+\.py)::(\w+)`"
# A path in a guide may be relative to any of these folders.
BASES = ("", "src/taskwire", "tests/scenarios")


def _places() -> list[tuple[str, str]]:
    texts = {guide: (ROOT / guide).read_text(encoding="utf-8") for guide in GUIDES}
    return sorted({(guide, place) for guide, text in texts.items() for place in re.findall(PLACE, text)})


def _names_in_files() -> list[tuple[str, str, str]]:
    texts = {guide: (ROOT / guide).read_text(encoding="utf-8") for guide in GUIDES}
    found = {(guide, *pair) for guide, text in texts.items() for pair in re.findall(NAME_IN_FILE, text)}
    assert found, "no guide names anything in a file: the pattern is wrong"
    return sorted(found)


@pytest.mark.parametrize("example", re.findall(r"```python\n(.*?)```", CONTRIBUTING, re.DOTALL))
def test_an_example_is_a_scenario_that_runs(example: str) -> None:
    """Newcomers copy the example scenario of CONTRIBUTING.md. The same text is in a test file, so it is a
    test that runs."""
    stories = "".join(
        path.read_text(encoding="utf-8") for path in (ROOT / "tests/scenarios").glob("test_*.py")
    )

    assert example in stories


@pytest.mark.parametrize(("guide", "place"), _places())
def test_a_place_that_is_named_is_there(guide: str, place: str) -> None:
    """Every file and folder that a guide names exists."""
    assert any((ROOT / base / place).exists() for base in BASES), f"{guide} names {place}"


@pytest.mark.parametrize(("guide", "name", "place"), _names_in_files())
def test_a_name_in_a_file_is_there(guide: str, name: str, place: str) -> None:
    """If a guide writes `name` in `file`, the file contains the name."""
    path = next((ROOT / base / place for base in BASES if (ROOT / base / place).exists()), None)

    assert path is not None, f"{guide} names {place}"
    words = re.findall(r"\w+", path.read_text(encoding="utf-8"))
    assert set(name.split(".")) <= set(words), f"{guide} names {name} in {place}"


def test_a_test_that_is_named_is_there() -> None:
    """Each test that a guide names exists in the named file."""
    named = {
        pair for guide in GUIDES for pair in re.findall(TEST, (ROOT / guide).read_text(encoding="utf-8"))
    }

    missing = [
        f"{file}::{name}"
        for file, name in sorted(named)
        if not (ROOT / file).is_file()
        or not re.search(
            rf"^(?:async )?def {name}\(", (ROOT / file).read_text(encoding="utf-8"), re.MULTILINE
        )
    ]

    assert len(named) > 40
    assert not missing


def test_every_threat_has_a_test() -> None:
    """Each row of the table of threats in docs/security.md names at least one test."""
    page = (ROOT / "docs/security.md").read_text(encoding="utf-8")
    threats = page.split("\n## Threats\n")[1].split("\n## ")[0]
    rows = [line for line in threats.splitlines() if line.startswith("| ") and "---" not in line]
    rows = [row for row in rows if not re.match(r"\| what (they|it) tr", row)]

    assert len(rows) > 30
    assert [row for row in rows if not re.search(TEST, row)] == []


def test_every_folder_of_the_program_is_in_the_layout() -> None:
    """The table of the layout has every folder and every module of the package."""
    layout = (
        (ROOT / "docs/architecture.md").read_text(encoding="utf-8").split("## Layout")[1].split("\n## ")[0]
    )
    package = ROOT / "src/taskwire"
    names = [path.name for path in package.glob("*.py") if path.name != "__init__.py"]
    # A folder without source files may still be there if it has a cache. It does not count.
    names += [f"{path.parent.name}/" for path in package.glob("*/__init__.py")]

    missing = [name for name in names if f"`{name}`" not in layout]

    assert not missing


def test_the_guide_for_contributors_stays_short() -> None:
    """CONTRIBUTING.md is short enough to read in a few minutes."""
    assert len(CONTRIBUTING.split()) <= MOST_WORDS
