"""Print how large each part is, beside its budget in `pyproject.toml`. Exit with 1 if something is larger.

Lines are not blank; docstrings and comments count.
"""

import ast
import re
import sys
import tomllib
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).parents[1]
PRODUCT, SANDBOX, TESTS = ROOT / "src/taskwire", ROOT / "src/taskwire_sandbox", ROOT / "tests"
BUILT_IN_ERRORS = {"Exception", "ValueError", "RuntimeError", "OSError", "TimeoutError", "ConnectionError"}


def main() -> int:
    """Print two tables, and return the exit code."""
    budgets = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["taskwire"]["budget"]
    folders, ideas = _count_folders(), _count_ideas()
    over = _print_table(folders, budgets["lines"]) + _print_table(ideas, budgets["ideas"])
    if over:
        print(f"Above the budget in pyproject.toml: {', '.join(over)}", file=sys.stderr)
    return bool(over)


def _print_table(found: dict[str, int], budgets: dict[str, int]) -> list[str]:
    """Print each figure beside its budget, and return the names of those without or above a budget."""
    for name, count in sorted(found.items(), key=lambda item: -item[1]):
        print(f"{name:20} {count:>7,}  of {budgets.get(name, 0):>7,}")
    print()
    return [name for name, count in found.items() if count > budgets.get(name, 0)]


def _files(folder: Path, *suffixes: str) -> list[Path]:
    return [path for path in sorted(folder.rglob("*")) if path.suffix in suffixes]


def _count_lines(paths: Iterable[Path]) -> int:
    return sum(bool(line.strip()) for path in paths for line in path.read_text().splitlines())


def _count_folders() -> dict[str, int]:
    """Count the lines of each folder of the product, of the stand-ins and of the tests."""
    lines: Counter[str] = Counter()
    for path in _files(PRODUCT, ".py", ".lua"):
        where = path.relative_to(PRODUCT).parts
        lines[where[0] if len(where) > 1 else "single files"] += _count_lines([path])
    lines["product"] = sum(lines.values())
    lines["stand-ins"] = _count_lines(_files(SANDBOX, ".py", ".js", ".css", ".html"))
    lines["tests"] = _count_lines(_files(TESTS, ".py"))
    return dict(lines)


def _count_ideas() -> dict[str, int]:
    """Count what a reader of the product has to know, beside its lines."""
    python = _files(PRODUCT, ".py")
    nodes = [node for path in python for node in ast.walk(ast.parse(path.read_text()))]
    bases = {
        node.name: {ast.unparse(base).split("[")[0].split(".")[-1] for base in node.bases}
        for node in nodes
        if isinstance(node, ast.ClassDef)
    }
    chart = " ".join(path.read_text() for path in _files(ROOT / "helm", ".yaml"))
    settings = set(re.findall(r"\b(?:TASKWIRE|SLACK|REDIS)_[A-Z_]+[A-Z]\b", chart))
    return {
        "files": len(python),
        "classes": sum(isinstance(node, ast.ClassDef) for node in nodes),
        "functions": sum(isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) for node in nodes),
        "kinds of jobs": sum("Work" in _ancestors(name, bases) for name in bases),
        "Lua scripts": len(_files(PRODUCT, ".lua")),
        "settings": len({name.removesuffix("_FILE") for name in settings}),
        "exceptions": sum(bool(_ancestors(name, bases) & BUILT_IN_ERRORS) for name in bases),
        "words in docs": sum(len(path.read_text().split()) for path in _files(ROOT / "docs", ".md")),
    }


def _ancestors(name: str, bases: dict[str, set[str]]) -> set[str]:
    """Return the names of all classes from which a class of the product descends."""
    found: set[str] = set()
    new = bases.get(name, set())
    while new - found:
        found |= new
        new = {base for each in new for base in bases.get(each, ())}
    return found


if __name__ == "__main__":
    sys.exit(main())
