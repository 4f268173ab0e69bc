"""Functions fit on a screen, and a name stands for one thing."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LONGEST_FUNCTION = 60

both_trees = pytest.mark.parametrize("tree", ["src", "tests"])


@dataclass(frozen=True)
class Sized:
    """A function, with its place and its length in lines."""

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


def test_each_public_class_and_constant_of_the_product_has_a_name_of_its_own() -> None:
    """No two public classes or constants of the product have the same name. Exceptions: `CONSTANTS`, which
    many modules have for their Lua scripts, and type variables."""
    places: dict[str, list[str]] = {}
    for path in sorted((ROOT / "src/taskwire").rglob("*.py")):
        for name in _public_names(ast.parse(path.read_text())):
            places.setdefault(name, []).append(path.relative_to(ROOT).as_posix())

    assert len(places) > 200
    assert {name: found for name, found in places.items() if len(found) > 1 and name != "CONSTANTS"} == {}


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

    assert len(drawn) > 20
    assert {(path, name) for path, name in drawn if name not in classes} <= {("call_outcomes.py", "redis")}
