"""Our own tokens, found by their value in whatever dress: they give away the whole deployment.

A token is recognised by its letters and digits alone. So it is found in upper case, with unseen letters or
Markdown's marks in it, broken over lines, encoded for a URL, and in base64. Nobody writes so many letters in
this order by chance. A short token can stand in a text by chance: it is found as it is, as a word of its own,
and not at all if it is a plain word like `taskwire`, a name of a field, or a number.
"""

import json
import re
from base64 import b64encode
from collections.abc import Iterable, Iterator
from typing import NamedTuple
from urllib.parse import quote

from taskwire.domain.agent_text import WIDTHLESS

# A shorter value would mask ordinary words everywhere.
SHORTEST = 6
# So many letters and digits stand in no text by chance; in base64, which says nothing, fewer are enough.
_CERTAIN, _CERTAIN_IN_BASE64 = 16, 12
_PLAIN = b"abcdefghijklmnopqrstuvwxyz0123456789"
_LOWER = bytes(range(256)).lower()
_DROPPED = bytes(set(range(256)) - set(_PLAIN) - set(_PLAIN.upper()))
# What may stand between two letters of a token: no quotation mark, which ends a string in JSON, but for one
# that is a part of the token.
_BETWEEN = r"[^A-Za-z0-9\"]*+"
# Begun where a run of backslashes begins: anew at each of a hundred thousand, it would take minutes.
_ESCAPES = re.compile(r"(?<!\\)\\++(?:u[0-9a-fA-F]{4}|[nrtbf])")


class _Form(NamedTuple):
    """How one token may be written; `anchor` are letters without which it cannot stand in a text."""

    anchor: bytes
    pattern: re.Pattern[str]


class OwnTokens:
    """Knows our own tokens, and where they stand in a text."""

    def __init__(self, tokens: Iterable[str]) -> None:
        self._forms = [form for token in sorted(set(tokens)) for form in _forms(token)]

    def find(self, text: str) -> list[tuple[int, int]]:
        """Where tokens of ours stand, in order; they may overlap."""
        letters = _letters(text)
        forms = (form for form in self._forms if form.anchor in letters)
        return sorted(found.span() for form in forms for found in form.pattern.finditer(text))

    def may_be_in_json(self, text: str) -> bool:
        """Whether a token may stand in a string of a JSON text, however deep; false means surely not."""
        views = [_letters(text)]
        if "\\" in text:
            views.append(_letters(_ESCAPES.sub("", text)))
        return any(form.anchor in view for view in views for form in self._forms)


def is_plain_word(token: str) -> bool:
    """Whether a token is a short word, name or number: it stands in texts that have nothing to do with it."""
    return len(token) < _CERTAIN and re.fullmatch("[A-Za-z_]+|[0-9]+", token) is not None


def is_json(text: str) -> bool:
    """Whether a text is an object or a list in JSON; one nested too deep to be read is none."""
    if not text.startswith(("{", "[")):
        return False
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _letters(text: str) -> bytes:
    return text.encode("utf-8", "replace").translate(_LOWER, _DROPPED)


def _forms(token: str) -> Iterator[_Form]:
    if len(token) < SHORTEST:
        return
    if len(_letters(token)) >= _CERTAIN:
        yield _Form(_longest_word(token), re.compile(_BETWEEN.join(_in_any_case(_trimmed(token)))))
    elif not is_plain_word(token):
        for form in {token, quote(token, safe="")}:
            spaced = f"[{WIDTHLESS}]*+".join(re.escape(letter) for letter in form)
            yield _Form(_longest_word(form), re.compile(f"(?<![A-Za-z0-9]){spaced}(?![A-Za-z0-9])"))
    for encoded in _in_base64(token):
        letters = _letters(encoded)
        if len(letters) >= _CERTAIN_IN_BASE64:
            yield _Form(letters, re.compile(_BETWEEN.join(_in_any_case(letters.decode()))))


def _trimmed(token: str) -> str:
    return re.sub("^[^A-Za-z0-9]+|[^A-Za-z0-9]+$", "", token)


def _longest_word(token: str) -> bytes:
    return max((_letters(word) for word in re.split("[^A-Za-z0-9]+", token)), key=len)


def _in_any_case(token: str) -> Iterator[str]:
    """A pattern for each letter; a sign may be missing, or be encoded, for a URL more than once."""
    for letter in token:
        if letter.isascii() and letter.isalnum():
            yield f"[{letter.lower()}{letter.upper()}]"
        elif letter.isascii():
            number = "".join(f"[{digit}{digit.upper()}]" for digit in f"{ord(letter):02x}")
            itself = letter + "|" if letter == '"' else ""
            yield f"(?:{itself}(?:(?:25){{0,3}}|[uU]00){number})?"


def _in_base64(token: str) -> Iterator[str]:
    """What is the same in base64 whatever stands around the token, which may begin at each of three bits."""
    for before in range(3):
        encoded = b64encode(b"\0" * before + token.encode()).decode()
        yield encoded[(0, 2, 3)[before] : (before + len(token.encode())) * 8 // 6]
