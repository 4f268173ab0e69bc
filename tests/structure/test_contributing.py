"""CONTRIBUTING.md tells the truth about what it names."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
ROOM = "(?:listeners|bridge|words|slack|coder|store|model|sandbox)/"


@pytest.mark.parametrize("example", re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL))
def test_an_example_is_a_scenario_that_runs(example: str) -> None:
    """What newcomers copy has passed."""
    stories = "".join(
        path.read_text(encoding="utf-8") for path in (ROOT / "tests/scenarios").glob("test_*.py")
    )

    assert example in stories


@pytest.mark.parametrize("name", sorted(set(re.findall(rf"`({ROOM}|(?:{ROOM})?\w+\.py)`", TEXT))))
def test_a_module_that_is_named_is_there(name: str) -> None:
    """Nobody looks for what has moved."""
    assert (ROOT / "src/taskwire" / name).exists()


def test_every_part_of_the_story_is_named() -> None:
    """Whoever looks for where something happens finds it."""
    parts = (ROOT / "src/taskwire/bridge").glob("[!_]*.py")

    assert [part.name for part in parts if f"`bridge/{part.name}`" not in TEXT] == []
