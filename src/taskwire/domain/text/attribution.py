"""Names the author of a text to the agent, and keeps the text from naming another author.

The line with the name is `NAME wrote:`. A line of the text itself that looks like that line is quoted. So
nobody can put words into another person's mouth.
"""

import re
import unicodedata

from taskwire.domain.text.agent_text import AgentText, sanitize_for_agent

_WROTE = " wrote:"
# Letters and colons of other scripts that look like those of `wrote:`.
_LOOKALIKES = {
    ord(letter): plain
    for plain, letters in {
        "w": "\u051d\u0461\u1d21\u03c9",
        "r": "\u0433\u1d26",
        "o": "\u043e\u03bf\u0585\u1d0f0",
        "t": "\u0442\u03c4\u1d1b",
        "e": "\u0435\u04bd\u1d07",
        ":": "\u0589\u02d0\ua789\u2236",
    }.items()
    for letter in letters
}
# In characters. No more of a line is looked at, not counting the marks at its end.
_LONGEST_WORDS = 200
_HAS_WROTE = re.compile(r"(?:^|\W|_)wrote")
_LAST_WORD = re.compile(r"(?:^|\W|_)wrote\Z")
_QUOTATION_MARKS = re.compile('["\u201c-\u201f\u2033\u2036\u00ab\u00bb\uff02]')


def attribute(author: str, words: str) -> AgentText:
    """Return the words below a line that names their author. `author` is one line.

    People choose their names. A name that contains `wrote` could look like two authors, so it is put into
    quotation marks.
    """
    if _HAS_WROTE.search(_plain(author)):
        marked = _QUOTATION_MARKS.sub("'", author)
        author = f'"{marked}"'
    return sanitize_for_agent(f"{author}{_WROTE}\n{quote_attributions(words)}")


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold().translate(_LOOKALIKES)


def is_attribution(line: str) -> bool:
    """Return whether a line could be taken for one that names an author.

    Its last word is `wrote`, whatever marks stand around it, and a colon is among the marks at the end.
    """
    end = len(line)
    while end and not line[end - 1].isalnum():
        end -= 1
    words, marks = _plain(line[max(end - _LONGEST_WORDS, 0) : end]), _plain(line[end:])
    return _LAST_WORD.search(words) is not None and ":" in marks


def quote_attributions(words: str) -> str:
    """Put the mark of a quotation before each line that could be taken for one that names an author."""
    lines = sanitize_for_agent(words).split("\n")
    return "\n".join(f"> {line}" if is_attribution(line) else line for line in lines)
