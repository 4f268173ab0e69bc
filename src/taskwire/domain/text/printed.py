"""Makes text safe to print in a terminal: people choose names, and must not hide or imitate a line with them.

Text for Slack is made in `messages/`, text for agents in `domain/text/agent_text.py`.
"""

import re
import unicodedata

from taskwire.domain.text.agent_text import BLANK_SYMBOLS, FILLERS

# Letters and symbols that a font shows as nothing or as a blank.
_FILLER = re.compile(f"[{FILLERS}{BLANK_SYMBOLS}]")
# What may have to be escaped: a filler, or characters that are neither letters, digits nor printable ASCII.
_UNUSUAL = re.compile(rf"{_FILLER.pattern}|[^\w\x20-\x7e\n\t]+")
# Unicode's categories of control characters, format characters, surrogates, code points without a character,
# and separators of lines and paragraphs.
_UNSEEN = frozenset(("Cc", "Cf", "Cs", "Cn", "Zl", "Zp"))
_MARKS = frozenset(("Mn", "Me"))
# Variation selectors and a few other marks that nobody sees.
_UNSEEN_MARKS = re.compile(r"[\u034f\u17b4\u17b5\u180b-\u180f\ufe00-\ufe0f\U000e0100-\U000e01ef]")
# A letter carries no more marks in any script. More of them cover the lines above and below.
_MOST_MARKS = 3


def escape_unseen(text: str) -> str:
    """Return the text with each character that nobody sees written as JSON writes it, such as `\\u001b`.

    So text that is JSON stays valid JSON. Line breaks and tabs are kept. A mark, such as an accent, is kept
    if a letter carries it.
    """
    return _UNUSUAL.sub(_escape_run, text)


def put_on_one_line(text: str) -> str:
    """Return the text without line breaks and tabs, so that it cannot add a line that looks like another."""
    return text.replace("\n", "\\n").replace("\t", "\\t")


def escape_one(character: str) -> str:
    """Return a character as JSON writes it in ASCII."""
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{int.from_bytes(units[at : at + 2]):04x}" for at in range(0, len(units), 2))


def _escape_run(found: re.Match[str]) -> str:
    shown = []
    # How many more marks the letter before can carry.
    room = _MOST_MARKS if found.string[max(found.start() - 1, 0) : found.start()].isalnum() else 0
    for character in found[0]:
        category = unicodedata.category(character)
        is_mark = category in _MARKS
        is_filler = _FILLER.match(character) is not None or _UNSEEN_MARKS.match(character) is not None
        is_unseen = category in _UNSEEN or is_filler
        shown.append(escape_one(character) if is_unseen or (is_mark and not room) else character)
        # A spacing mark is part of its letter and can carry marks.
        room = room - 1 if is_mark and room and not is_unseen else room if category == "Mc" else 0
    return "".join(shown)
