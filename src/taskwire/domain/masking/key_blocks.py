"""Finds private keys in PEM, OpenSSH and PGP blocks.

A key may be too long for one pattern. So the search looks for the line that begins a key and the line that
ends it. Everything between these two lines is masked. If only one of the two lines is found, the lines next
to it that look like a part of a key are masked.
"""

import re
from collections.abc import Iterator

from taskwire.domain.masking.secret_patterns import MASK, SecretSpan, find_matches

_EDGE = re.compile(r"-----(?P<which>BEGIN|END) [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
# What may precede a line of a key: blanks, the edge of a box, a quote's or a diff's mark, a line number.
_BEFORE = r"(?:[\s│┃|>+]|\\[rnt]|[0-9]{1,6}[\t :|│])"
_HEADERS = re.compile(rf"(?:{_BEFORE}{{1,20}}+[A-Za-z-]{{1,20}}: [^\n\\]{{0,100}}){{0,5}}")
_LINE = re.compile(rf"{_BEFORE}{{1,80}}+[A-Za-z0-9+/=]{{16,}}+")
# The last line may be short. Nothing may follow it, so that a word of a sentence does not count as the last
# line.
_ENDS_LINE = r"(?=[ \t]{0,80}(?:\r|\\r)?(?:[│┃|\n]|\\n|\Z))"
_LAST_LINE = re.compile(rf"{_BEFORE}{{1,80}}+[A-Za-z0-9+/=]{{1,15}}+{_ENDS_LINE}")
_BREAK = re.compile(r"\n|\\n")
_INNER_LINE = re.compile(rf"{_BEFORE}{{0,80}}+(?P<key>[A-Za-z0-9+/=]*)[\s│┃|]*(?:\\r)?")
# In characters. A key without its first line is searched this far back from its last line. An RSA key of
# 16,384 bits has 13,000 characters.
_MAX_KEY_CHARACTERS = 40_000


def find_key_blocks(text: str) -> Iterator[SecretSpan]:
    """Yield a span to mask for each key: everything between the lines that begin and end the key."""
    begins: int | None = None
    free = 0
    for edge in find_matches(_EDGE, text):
        if edge["which"] == "BEGIN":
            yield from _find_unended_key(text, begins, edge.start())
            begins = edge.end()
        else:
            start = _find_unbegun_key(text, free, edge.start()) if begins is None else begins
            if text[start : edge.start()].strip(f" \t\n\r{MASK}"):
                yield SecretSpan(start, edge.start(), f"\n{MASK}\n")
            begins = None
        free = edge.end()
    yield from _find_unended_key(text, begins, len(text))


def _find_unended_key(text: str, begins: int | None, limit: int) -> Iterator[SecretSpan]:
    """Yield the span of a key that has no last line, searched from `begins` up to `limit`.

    `begins` is the index after the key's first line. If `begins` is None, yield nothing.
    """
    if begins is None:
        return
    headers = _HEADERS.match(text, begins, limit)
    at = start = headers.end() if headers else begins
    while found := _LINE.match(text, at, limit):
        at = found.end()
    if at > start:
        last = _LAST_LINE.match(text, at, limit)
        yield SecretSpan(begins, last.end() if last else at, f"\n{MASK}")


def _find_unbegun_key(text: str, free: int, end: int) -> int:
    """Return the index at which a key without a first line begins. The key ends at `end`.

    The search goes backwards from `end`, but not before index `free`. Return `end` if there is no key.
    """
    farthest = max(free, end - _MAX_KEY_CHARACTERS)
    breaks = [(found.start(), found.end()) for found in _BREAK.finditer(text, farthest, end)]
    first = line_end = end
    is_key = False
    # The lines are tried upwards. A checksum and the last line before it may be short.
    for number, (break_start, behind) in enumerate([*breaks[::-1], (farthest, farthest)]):
        line = _INNER_LINE.fullmatch(text, behind, line_end)
        if line is None:
            break
        is_long = len(line["key"]) >= 16
        if line["key"] and not is_long and number > 2:
            break
        is_key = is_key or is_long
        first, line_end = behind, break_start
    return first if is_key else end
