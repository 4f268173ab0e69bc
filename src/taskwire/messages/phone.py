"""Decides which parts of a card fit on a phone that is 360 pixels wide, and which are left out."""

import re
import unicodedata
from collections.abc import Iterator
from math import ceil
from typing import NamedTuple

from taskwire.messages.blocks import cut, one_line

# In letters: the length of a line, and of a line of small text.
LETTERS_PER_LINE = 38
LETTERS_PER_SMALL_LINE = 46
OWNER_LENGTH = 20
# In letters. The template is not cut to less than this. If it does not fit then, it is left out.
_TEMPLATE_LENGTH = 12
# The width of the gap that Slack leaves between two facts, in letters.
_GAP = 3


def count_width(text: str) -> int:
    """Count the letters of a text. Letters of Chinese or Japanese, and emoji, count as two."""
    return len(text) + sum(unicodedata.east_asian_width(letter) in "WF" for letter in text)


def count_lines(text: str) -> int:
    """Return how many lines a text has on a phone."""
    return ceil(count_width(text) / LETTERS_PER_LINE)


def fit(text: str, width: int) -> str:
    """Put a text from outside on one line, and cut it to this width."""
    shown = one_line(text, width)
    while (too_wide := count_width(shown) - width) > 0:
        shown = cut(shown, len(shown) - ceil(too_wide / 2))
    return shown


def strip_dates(note: str) -> str:
    """Return a note in the length that Slack shows: links without their URLs, times as people read them."""
    return re.sub(r"<!date[^>]*>", "Yesterday at 14:50", re.sub(r"<[^|>]*\|([^>]*)>", r"\1", note))


class Facts(NamedTuple):
    """The small text of a card: the owner, the template, the name of a link, the task's name, and two marks.

    `steerers` says who besides the owner may steer the task.
    """

    owner: str = ""
    template: str = ""
    link: str = ""
    name: str = ""
    mark: str = ""
    steerers: str = ""

    @property
    def line_count(self) -> int:
        """How many lines the facts have on a phone."""
        return max(1, ceil((self.width - _GAP) / LETTERS_PER_SMALL_LINE))

    @property
    def width(self) -> int:
        """The number of letters in all facts, with the gap after each and the frame around the name."""
        return sum(count_width(each) + _GAP for each in self if each) + (2 if self.name else 0)


def fit_facts(facts: Facts, preset: str, most_lines: int) -> Facts:
    """Shorten the facts until they have at most this number of lines. The task's name is never shortened.

    The preset is left out first, then the template, then the link.
    """
    return next(
        (each for each in _shorten(facts, preset) if each.line_count <= most_lines),
        Facts(name=facts.name, mark=facts.mark),
    )


def _shorten(facts: Facts, preset: str) -> Iterator[Facts]:
    owned = facts._replace(owner=fit(facts.owner, OWNER_LENGTH))
    left = LETTERS_PER_SMALL_LINE - owned._replace(template="", name="").width
    if facts.template:
        made = f"{facts.template} ({preset})" if preset else facts.template
        made = made if count_width(made) <= left else facts.template
        yield owned._replace(template=fit(made, max(_TEMPLATE_LENGTH, left)))
    yield owned._replace(template="")
    without_link = owned._replace(template="", link="")
    yield without_link
    rest = without_link._replace(owner="")
    left = LETTERS_PER_SMALL_LINE - rest.width
    yield rest._replace(owner=fit(facts.owner, left)) if left >= _GAP else rest
