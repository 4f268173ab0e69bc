"""Each Lua file is valid Lua, uses only names that Redis has, and is used by the product."""

import re
from pathlib import Path

import pytest
from lupa.lua51 import LuaError

from taskwire.queue.lua_files import assemble
from tests.faults import heads

from .lua_globals import globals_of

SOURCE = Path(__file__).parents[2] / "src" / "taskwire"
# The name of a script has a dot, the name of a library has none.
FILES = {f"{path.parent.parent.name}/{path.stem}": path for path in sorted(SOURCE.glob("*/lua/*.lua"))}
SCRIPTS = [name for name in FILES if "." in name]
LIBRARIES = [name for name in FILES if "." not in name]
LONGEST_LINE = 110
# The names that Redis has, from Lua 5.1 and its own. `const` is replaced before Redis gets a script.
LUA = {
    "error",
    "ipairs",
    "math",
    "pairs",
    "pcall",
    "string",
    "table",
    "tonumber",
    "tostring",
    "type",
    "unpack",
}
REDIS = {"ARGV", "KEYS", "cjson", "redis"}
KNOWN = LUA | REDIS | {"const"}


@pytest.mark.parametrize(
    ("script", "read", "written"),
    [
        ("local found = redis.call('GET', KEYS[1]) return found", {"redis", "KEYS"}, set()),
        ("now = 1", set(), {"now"}),
        ("local function look() return noww end return look()", {"noww"}, set()),
        ("local function look() later = true return 1.5 end", set(), {"later"}),
        ("local a = nil local function look() return function() return a, bb end end", {"bb"}, set()),
    ],
)
def test_a_global_is_found_wherever_it_is(script: str, read: set[str], written: set[str]) -> None:
    """The search for globals finds a global at any place in a script. Otherwise the test of the product's
    scripts would prove nothing."""
    found = globals_of(script)

    assert (found.read, found.written) == (read, written)


def test_what_is_not_lua_is_refused() -> None:
    """The search for globals refuses a text that is not Lua, even if the text is Python."""
    with pytest.raises(LuaError, match="script:1: unexpected symbol near"):
        globals_of("local found != 1")


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_uses_no_global_but_those_of_redis(name: str) -> None:
    """A script uses only the globals that Redis has. In Redis, a misspelt name is nil, and an assignment
    without `local` is an error.

    Redis notices neither before it runs the line.
    """
    found = globals_of(assemble(name))

    assert found.read - KNOWN == set()
    assert found.written == set()


@pytest.mark.parametrize("name", [name for name in SCRIPTS if not name.startswith("migration/")])
def test_a_script_says_what_it_is_under_its_files_name(name: str) -> None:
    """The head of each script has the name of the script's file. The crash-point proof finds a script by this
    name."""
    assert heads.read(assemble(name)).name == FILES[name].stem


def test_each_script_is_loaded_and_each_library_required() -> None:
    """Python loads each Lua script, and at least one script requires each Lua library. An unused file would
    be shipped needlessly."""
    modules = "".join(path.read_text(encoding="utf-8") for path in SOURCE.rglob("*.py"))
    required = {
        library
        for path in FILES.values()
        for line in re.findall("^-- requires: (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
        for library in line.split(", ")
    }

    assert len(SCRIPTS) > 40
    assert [name for name in SCRIPTS if f'("{name}"' not in re.sub(r"\(\s+", "(", modules)] == []
    assert set(LIBRARIES) == required


def test_no_line_is_longer_than_in_python() -> None:
    """No line of a Lua file is longer than in Python. The formatter does not check Lua files."""
    too_long = [
        f"{name}:{number}"
        for name, path in FILES.items()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if len(line) > LONGEST_LINE
    ]

    assert too_long == []
