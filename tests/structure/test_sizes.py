"""Functions and files stay small, in the product and in its tests."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LONGEST_FUNCTION = 60
USUAL_FUNCTION = 30
LONGEST_FILE = 400
SHORT_FILE = 60

both_trees = pytest.mark.parametrize("tree", ["src", "tests"])


@dataclass(frozen=True)
class Sized:
    """A function or a file, with its place and its length in lines."""

    place: str
    lines: int

    def __str__(self) -> str:
        return f"{self.place} ({self.lines} lines)"


def files(tree: str) -> Iterator[Path]:
    return (path for path in sorted((ROOT / tree).rglob("*.py")))


def functions(tree: str) -> Iterator[Sized]:
    """Yield every function with its length, from its first decorator to its last line."""
    for path in files(tree):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
                last = node.end_lineno or node.lineno
                yield Sized(f"{path.relative_to(ROOT)}:{node.lineno} {node.name}", last - first + 1)


def longer_than(limit: int, things: list[Sized]) -> list[Sized]:
    return sorted((thing for thing in things if thing.lines > limit), key=lambda thing: -thing.lines)


def listed(things: list[Sized]) -> str:
    return "".join(f"\n  {thing}" for thing in things)


@both_trees
def test_no_function_is_longer_than_a_screen(tree: str) -> None:
    """No function has more than 60 lines. A longer function does several things."""
    too_long = longer_than(LONGEST_FUNCTION, list(functions(tree)))

    assert not too_long, f"functions over {LONGEST_FUNCTION} lines:{listed(too_long)}"


@both_trees
def test_nine_functions_in_ten_are_short(tree: str) -> None:
    """At most one function in ten has more than 30 lines, in the product and in its tests."""
    found = list(functions(tree))
    longish = longer_than(USUAL_FUNCTION, found)

    assert 10 * len(longish) <= len(found), (
        f"{len(longish)} of {len(found)} functions have over {USUAL_FUNCTION} lines:{listed(longish)}"
    )


@both_trees
def test_no_file_is_longer_than_its_subject(tree: str) -> None:
    """No file has more than 400 lines that are not blank. A longer file has two subjects."""
    sizes = [Sized(str(path.relative_to(ROOT)), _count_lines(path)) for path in files(tree)]
    too_long = longer_than(LONGEST_FILE, sizes)

    assert not too_long, f"files over {LONGEST_FILE} lines that are not blank:{listed(too_long)}"


def test_a_short_file_with_one_importer_has_a_reason() -> None:
    """A short file with only one importer is listed in `docs/architecture.md` with the reason why it is not a
    part of the importer."""
    paths = {_module_name(path): path for path in (ROOT / "src/taskwire").rglob("*.py")}
    importers: dict[str, set[str]] = {name: set() for name in paths}
    for name, path in paths.items():
        for imported in _imported_names(ast.parse(path.read_text())):
            if imported in importers:
                importers[imported].add(name)
    short = {
        path.relative_to(ROOT / "src/taskwire").as_posix()
        for name, path in paths.items()
        if len(importers[name]) == 1 and _count_lines(path) < SHORT_FILE and path.stem != "__init__"
    }
    table = (ROOT / "docs/architecture.md").read_text().partition("| why it is not in its importer |")[2]
    given = {
        each for row in table.partition("\n\n")[0].splitlines() for each in re.findall(r"`([^`]+)`", row)
    }

    assert sum(len(found) > 1 for found in importers.values()) > 100
    assert short - given == set()


def _count_lines(path: Path) -> int:
    """Return the number of lines that are not blank."""
    return sum(1 for line in path.read_text(encoding="utf-8").splitlines() if line.strip())


def _module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT / "src").with_suffix("").parts)


def _imported_names(module: ast.Module) -> Iterator[str]:
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_each_public_class_and_constant_of_the_product_has_a_name_of_its_own() -> None:
    """No two public classes or constants of the product have the same name. Exceptions: `CONSTANTS`, which
    many modules have for their Lua scripts, and type variables."""
    places: dict[str, list[str]] = {}
    for path in sorted((ROOT / "src/taskwire").rglob("*.py")):
        for name in _public_names(ast.parse(path.read_text())):
            places.setdefault(name, []).append(path.relative_to(ROOT).as_posix())

    assert len(places) > 400
    assert {name: found for name, found in places.items() if len(found) > 1 and name != "CONSTANTS"} == {}


def test_each_public_function_of_messages_has_a_name_of_its_own() -> None:
    """No two public functions of `messages/` have the same name, so that a search for a message finds one
    function."""
    places: dict[str, list[str]] = {}
    for path in sorted((ROOT / "src/taskwire/messages").glob("*.py")):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
                places.setdefault(node.name, []).append(path.name)

    assert len(places) > 200
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


def _public_names(module: ast.Module) -> Iterator[str]:
    for node in module.body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield node.name
        targets = node.targets if isinstance(node, ast.Assign) else []
        targets = [node.target] if isinstance(node, ast.AnnAssign) else targets
        for target in targets:
            name = target.id if isinstance(target, ast.Name) else ""
            if name.isupper() and len(name) > 1 and not name.startswith("_"):
                yield name


def test_each_error_of_a_tree_in_a_docstring_exists() -> None:
    """Some modules draw the tree of their exception classes in the docstring. Each class in such a tree
    exists in the code, so that the tree is changed when a class is renamed."""
    sources = {path: path.read_text() for path in sorted((ROOT / "src/taskwire").rglob("*.py"))}
    classes = set(re.findall(r"^class (\w+)", "\n".join(sources.values()), re.MULTILINE))
    drawn = {
        (path.name, name)
        for path, source in sources.items()
        for name in re.findall(
            r"^[ │]*[├└]── (\w+)", ast.get_docstring(ast.parse(source)) or "", re.MULTILINE
        )
    }

    assert len(drawn) > 40
    assert {(path, name) for path, name in drawn if name not in classes} <= {("call_outcomes.py", "redis")}
