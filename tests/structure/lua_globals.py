"""Finds the globals that a Lua script reads and writes, with the compiler of Lua 5.1.

Redis runs Lua 5.1, and the Python package lupa has the same compiler. In compiled code, each access to a
global is one instruction. `luac -l` would print these instructions too, but developers would have to install
luac.
"""

import struct
from dataclasses import dataclass, field

from lupa.lua51 import LuaRuntime

_GETGLOBAL, _SETGLOBAL = 5, 7
_HEADER_BYTES = 12
_STRING, _NUMBER, _BOOLEAN = 4, 3, 1
_COMPILE = b"function(text) return string.dump(assert(loadstring(text, '=script'))) end"


@dataclass
class Globals:
    """The names of the globals that a script reads and writes."""

    read: set[str] = field(default_factory=set)
    written: set[str] = field(default_factory=set)


def globals_of(script: str) -> Globals:
    """Compile a script. Raise LuaError if it is not Lua."""
    found = Globals()
    compiled = LuaRuntime(encoding=None).eval(_COMPILE)(script.encode())
    _Dump(compiled).collect(found)
    return found


class _Dump:
    """Parses the output of `string.dump` on a 64-bit machine."""

    def __init__(self, compiled: bytes) -> None:
        self._bytes = compiled
        self._at = _HEADER_BYTES

    def collect(self, found: Globals) -> None:
        """Collect the globals of one function and of the functions inside it."""
        self._string()  # its source
        self._take("<iibbbb")
        code = [self._number() for _ in range(self._number())]
        constants = [self._constant() for _ in range(self._number())]
        for instruction in code:
            operation, name = instruction & 0x3F, (instruction & 0xFFFFFFFF) >> 14
            if operation == _GETGLOBAL:
                found.read.add(constants[name])
            elif operation == _SETGLOBAL:
                found.written.add(constants[name])
        for _ in range(self._number()):
            self.collect(found)
        self._debugging()

    def _debugging(self) -> None:
        for _ in range(self._number()):
            self._number()  # the line of an instruction
        for _ in range(self._number()):
            self._string()  # a local variable, and where it begins and ends
            self._take("<ii")
        for _ in range(self._number()):
            self._string()  # a variable of an outer function

    def _constant(self) -> str:
        (kind,) = self._take("<b")
        if kind == _STRING:
            return self._string()
        if kind == _NUMBER:
            self._take("<d")
        elif kind == _BOOLEAN:
            self._take("<b")
        return ""

    def _string(self) -> str:
        (length,) = self._take("<q")
        text = self._bytes[self._at : self._at + length]
        self._at += length
        return text.rstrip(b"\0").decode()

    def _number(self) -> int:
        (number,) = self._take("<i")
        return int(number)

    def _take(self, form: str) -> tuple[int, ...]:
        values = struct.unpack_from(form, self._bytes, self._at)
        self._at += struct.calcsize(form)
        return values
