"""Loads Lua scripts from files, with the libraries and the constants that the files name.

The script `queue/inbox.claim` is the file `taskwire/queue/lua/inbox.claim.lua`. A file begins with a comment
for readers, which ends at the first blank line. Redis gets only the text after the comment. A comment line
that begins with `requires:` names libraries, such as `queue/batch`. A library is a file of the same form.
Each library's text is put before the script's text once. `const.NAME` in the text is replaced by the value
that Python gives for that name.

A file is read when the Python module that uses it is imported. The import raises `LuaFileError` if the file
is wrong.
"""

import pkgutil
import re
from functools import cache
from typing import NamedTuple

PACKAGE = "taskwire"
_REQUIRES = re.compile(r"^-- requires: (.+)$", re.MULTILINE)
_CONSTANT = re.compile(r"const\.(\w+)")
_FIT_FOR_QUOTES = re.compile(r"[^'\\\n]*")


class LuaFileError(Exception):
    """A script's files or constants are wrong, so the script cannot be loaded."""


def load(name: str, **constants: str | int) -> str:
    """Return a script with its libraries. `constants` has the value of each `const.NAME` in the text."""
    text = assemble(name)
    used = set(_CONSTANT.findall(text))
    if missing := used - constants.keys():
        raise LuaFileError(f"{name} has no value for: {', '.join(sorted(missing))}")
    if unused := constants.keys() - used:
        raise LuaFileError(f"{name} does not use: {', '.join(sorted(unused))}")
    return _CONSTANT.sub(lambda match: _literal(match[1], constants[match[1]]), text)


def assemble(name: str) -> str:
    """Return a script with its libraries. Constants are not replaced yet."""
    return "".join(_file(each).text for each in _in_order(name))


class _File(NamedTuple):
    requires: tuple[str, ...]
    text: str


@cache
def _file(name: str) -> _File:
    folder, _, file = name.partition("/")
    try:
        found = pkgutil.get_data(PACKAGE, f"{folder}/lua/{file}.lua") or b""
    except OSError as error:
        raise LuaFileError(f"there is no Lua file for {name}") from error
    head, _, text = found.decode().partition("\n\n")
    if not head.startswith("--") or not text:
        raise LuaFileError(f"{name} needs a comment, a blank line and then its text")
    return _File(tuple(each for line in _REQUIRES.findall(head) for each in line.split(", ")), f"\n{text}")


def _in_order(name: str, within: tuple[str, ...] = ()) -> list[str]:
    """List all libraries that a file requires, each library once, and then the file itself."""
    if name in within:
        raise LuaFileError(f"{name} requires itself: {' > '.join((*within, name))}")
    required = [each for library in _file(name).requires for each in _in_order(library, (*within, name))]
    return [*dict.fromkeys(required), name]


def _literal(name: str, value: str | int) -> str:
    if isinstance(value, int):
        return str(value)
    if not _FIT_FOR_QUOTES.fullmatch(value):
        raise LuaFileError(f"{name} cannot be quoted in Lua")
    return f"'{value}'"
