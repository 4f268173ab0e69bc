"""Finds the deployment's own tokens by their values, in any encoding.

A long token is recognised by its letters and digits alone. So it is found in upper case, with invisible
characters or Markdown's marks in it, broken over lines, encoded for a URL, and in base64. A short token may
be in a text by chance. So it is found only as a whole word, written exactly as in the settings. A plain word
like `taskwire`, or a number, is never searched for.
"""

import json
import re
from base64 import b64encode
from collections.abc import Iterable, Iterator
from typing import NamedTuple
from urllib.parse import quote

from taskwire.domain.text.agent_text import ZERO_WIDTH

# In characters. A shorter value is not masked, because it occurs in ordinary words everywhere.
SHORTEST = 6
# In characters. A token with this many letters and digits is in no text by chance. In base64 a smaller number
# is enough, because base64 has no words.
_CERTAIN, _CERTAIN_IN_BASE64 = 16, 12
_PLAIN = b"abcdefghijklmnopqrstuvwxyz0123456789"
_LOWER = bytes(range(256)).lower()
_DROPPED = bytes(set(range(256)) - set(_PLAIN) - set(_PLAIN.upper()))
# What may stand between two letters of a token. A quotation mark ends a string in JSON, so it is excluded,
# unless it is a part of the token.
_BETWEEN = r"[^A-Za-z0-9\"]*+"
# A match begins only at the first of several backslashes. If it began at each of 100,000, the search would
# take minutes.
_ESCAPES = re.compile(r"(?<!\\)\\++(?:u[0-9a-fA-F]{4}|[nrtbf])")


class _Form(NamedTuple):
    """A pattern for one way to write a token. `anchor` makes the search fast.

    A text cannot match if its letters and digits, in lower case, do not contain `anchor`.
    """

    anchor: bytes
    pattern: re.Pattern[str]


class OwnTokens:
    """Finds our own tokens in a text."""

    def __init__(self, tokens: Iterable[str]) -> None:
        self._forms = [form for token in sorted(set(tokens)) for form in _forms(token)]

    def find(self, text: str) -> list[tuple[int, int]]:
        """Return the start and the end of each token in the text, in order. Two results may overlap."""
        letters = _letters(text)
        forms = (form for form in self._forms if form.anchor in letters)
        return sorted(found.span() for form in forms for found in form.pattern.finditer(text))

    def may_be_in_json(self, text: str) -> bool:
        """Return whether a JSON text may have a token in a string, or in JSON within a string.

        False is certain: there is no token. True is a guess: there may be a token.
        """
        views = [_letters(text)]
        if "\\" in text:
            views.append(_letters(_ESCAPES.sub("", text)))
        return any(form.anchor in view for view in views for form in self._forms)


def is_plain_word(token: str) -> bool:
    """Return whether a token is a short word, name or number, which unrelated texts may also have."""
    return len(token) < _CERTAIN and re.fullmatch("[A-Za-z_]+|[0-9]+", token) is not None


def is_json(text: str) -> bool:
    """Return whether a text is a JSON object or list that can be parsed. False for too deep nesting."""
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
            spaced = f"[{ZERO_WIDTH}]*+".join(re.escape(letter) for letter in form)
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
    """Yield a pattern for each character of a token, in upper or lower case.

    The pattern of a punctuation mark also matches a missing mark, and a mark that is URL-encoded once or
    several times.
    """
    for letter in token:
        if letter.isascii() and letter.isalnum():
            yield f"[{letter.lower()}{letter.upper()}]"
        elif letter.isascii():
            number = "".join(f"[{digit}{digit.upper()}]" for digit in f"{ord(letter):02x}")
            itself = letter + "|" if letter == '"' else ""
            yield f"(?:{itself}(?:(?:25){{0,3}}|[uU]00){number})?"


def _in_base64(token: str) -> Iterator[str]:
    """Yield three patterns, one of which matches if the token is in a base64 text.

    Base64 encodes three bytes at a time. So the encoded token depends on its place: it may begin at the
    first, the second or the third byte of a group. The characters at both ends also depend on the text around
    the token. They are left out.
    """
    for before in range(3):
        encoded = b64encode(b"\0" * before + token.encode()).decode()
        yield encoded[(0, 2, 3)[before] : (before + len(token.encode())) * 8 // 6]
