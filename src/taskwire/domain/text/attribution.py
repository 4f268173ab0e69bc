"""Names the author of a text to the agent, and keeps the text from naming another author.

The first line is `NAME wrote:`. Each line of the text begins with the mark of a quotation, as in mail. So
nobody can put words into another person's mouth, however they spell a line.
"""

import unicodedata

from taskwire.domain.text.agent_text import AgentText, sanitize_for_agent

_WROTE = " wrote:"
_MARK = "> "
# A longer name could be a sentence.
_MOST_WORDS = 3
# What a name may contain besides letters, digits and blanks.
_MARKS_IN_NAMES = " .-'\u2019"
# Characters that look like a quotation mark, besides Unicode's quotation marks (Pi and Pf).
_QUOTATION_MARKS = frozenset(
    '"\u02ba\u02dd\u02ee\u02f6\u05f4\u201a\u201e\u2033\u2036\u275d\u275e\u2e42\u301d\u301e\u301f\u3003\uff02'
)


def attribute(author: str, words: str) -> AgentText:
    """Return the words, quoted, below a line that names their author. `author` is one line.

    People choose their names. A name that could be more than a name is put into quotation marks.
    """
    heading = f"{quote_unless_plain(author)}{_WROTE}"
    lines = sanitize_for_agent(words).split("\n")
    quoted = "\n".join(f"{_MARK}{line}".rstrip() for line in lines)
    return sanitize_for_agent(f"{heading}\n{quoted}" if any(lines) else heading)


def remove_attribution(author: str, text: str) -> str:
    """Return the words of a text that names this author; the text itself if it does not name this author."""
    heading, _, quoted = text.partition("\n")
    if heading != attribute(author, ""):
        return text
    lines = quoted.split("\n")
    return "\n".join(line[2:] if line.startswith(_MARK) else "" if line == ">" else line for line in lines)


def quote_unless_plain(author: str) -> str:
    """Return an author's name, in quotation marks if it could be more than a name. `author` is one line."""
    return author if _is_plain(author) else _quote(author)


def _is_plain(name: str) -> bool:
    return (
        len(name.split()) <= _MOST_WORDS
        and all(each.isalnum() or _category(each)[0] == "M" or each in _MARKS_IN_NAMES for each in name)
        and _WROTE.strip(" :") not in unicodedata.normalize("NFKC", name).casefold()
    )


def _quote(name: str) -> str:
    """Return the name in quotation marks. It has none of its own."""
    inner = "".join("'" if _is_quotation_mark(each) else each for each in name)
    return f'"{inner}"'


def _is_quotation_mark(character: str) -> bool:
    return _category(character) in ("Pi", "Pf") or character in _QUOTATION_MARKS


def _category(character: str) -> str:
    return unicodedata.category(character)
