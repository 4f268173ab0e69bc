"""Decides which parts of a card fit on a phone that is 390 pixels wide, and which are cut or left out."""

import re
import unicodedata
from collections.abc import Callable, Iterator
from math import ceil
from typing import NamedTuple

from taskwire.messages.blocks import cut, one_line

# In letters: the length of a line: of usual text, of small text, of bold text, and in a quotation.
LETTERS_PER_LINE = 42
LETTERS_PER_SMALL_LINE = 49
LETTERS_PER_BOLD_LINE = 40
LETTERS_PER_QUOTED_LINE = 39
OWNER_LENGTH = 20
_SHORTEST_OWNER = 8
# In letters. A report is not cut to less than this. If it does not fit then, it is left out.
SHORTEST_REPORT = 20
# In letters. A template is cut to one of these lengths. If it does not fit then, it is left out.
_TEMPLATE_LENGTHS = (40, 24)
# The width of the gap that Slack leaves between two facts, in letters.
_GAP = 2
# The width of a letter of code and of the frame around code, in letters of small text.
_CODE_LETTER, _CODE_FRAME = 1.13, 2


def count_width(text: str) -> int:
    """Count the letters of a text. Letters of Chinese or Japanese, and emoji, count as two."""
    return len(text) + sum(unicodedata.east_asian_width(letter) in "WF" for letter in text)


def count_lines(text: str, width: int = LETTERS_PER_LINE) -> int:
    """Return how many lines a text has on a phone. A line breaks between words, or within a long word."""
    return _count_wrapped([count_width(word) for word in text.split(" ") if word], 1, width)


def _count_wrapped(widths: list[int], gap: int, width: int) -> int:
    """Return the number of lines for parts of these widths, with a gap between two parts on one line."""
    lines, left = 0, 0
    for each in widths:
        if lines and each + gap <= left:
            left -= each + gap
        else:
            lines += ceil(each / width)
            left = -each % width
    return lines


def fit(text: str, width: int) -> str:
    """Put a text from outside on one line, and cut it to this width."""
    shown = one_line(text, width)
    while (too_wide := count_width(shown) - width) > 0:
        shown = cut(shown, len(shown) - ceil(too_wide / 2))
    return shown


def fit_lines(text: str, most_lines: int, width: int = LETTERS_PER_LINE) -> str:
    """Cut a text, so that it has at most this number of lines of this width."""
    fitting = (fit(text, length) for length in range(most_lines * width, 0, -1))
    return next((each for each in fitting if count_lines(each, width) <= most_lines), "")


def fit_between(before: str, shorten: Callable[[int], str], after: str, most_lines: int) -> str:
    """Cut a text, so that it has at most this number of lines together with the words around it.

    `shorten` returns the text in a width. If less than SHORTEST_REPORT would be left, return an empty text.
    """
    room = max(SHORTEST_REPORT, most_lines * LETTERS_PER_LINE - count_width(before + after))
    fitting = (shorten(length) for length in range(room, SHORTEST_REPORT - 1, -1))
    return next((each for each in fitting if count_lines(before + each + after) <= most_lines), "")


class Lines(NamedTuple):
    """The number of lines of each part of a card whose length depends on texts from outside."""

    title: int
    phase: int
    facts: int


def share_lines(wanted: Lines, least: Lines, most_lines: int) -> Lines:
    """Take lines from the parts of a card, until they have at most this number of lines in all.

    The longest part is cut first, but all parts keep two lines if possible. `least` are the numbers of lines
    that a part needs to keep what matters: the facts without template and link, and the phase without the
    time. Parts are cut further only at the end. Then the title is cut first, because the name repeats it.
    """
    given = wanted
    while sum(given) > most_lines and (longest := max(given)) > 2:
        part = next(name for name in ("phase", "title", "facts") if getattr(given, name) == longest)
        given = given._replace(**{part: longest - 1})
    facts, phase = min(given.facts, least.facts), min(given.phase, least.phase)
    for step in ({"facts": facts}, {"phase": phase}, {"title": 1}, {"phase": 1}, {"facts": 1}):
        if sum(given) > most_lines:
            given = given._replace(**step)
    return given


def as_shown(note: str) -> str:
    """Return a note in the length that Slack shows: links without URLs, times as people read them, emoji."""
    shown = re.sub(r"^:[a-z_]+:", "xx", re.sub(r"<!date[^>]*>", "Yesterday at 14:50", note))
    return re.sub(r"<[^|>]*\|([^>]*)>", r"\1", shown)


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
        return max(1, _count_wrapped(self._widths, _GAP, LETTERS_PER_SMALL_LINE))

    @property
    def width(self) -> int:
        """The number of letters in all facts on one line, with the gap after each."""
        return sum(each + _GAP for each in self._widths)

    @property
    def _widths(self) -> list[int]:
        """The width of each fact in the order of the card: the name, as code, is the fourth."""
        name = ceil(count_width(self.name) * _CODE_LETTER) + _CODE_FRAME if self.name else 0
        others = [count_width(each) for each in (self.owner, self.template, self.link)]
        marks = [count_width(each) for each in (self.steerers, self.mark)]
        return [each for each in (*others, name, *marks) if each]

    @property
    def essence(self) -> "Facts":
        """The facts that are nowhere else on the card: all but the template and the link."""
        return self._replace(owner=fit(self.owner, OWNER_LENGTH), template="", link="")

    @property
    def least_line_count(self) -> int:
        """How many lines the essence has on a phone, if the owner's name is as short as it can be."""
        return self.essence._replace(owner=fit(self.owner, _SHORTEST_OWNER)).line_count

    def with_preset(self, preset: str) -> "Facts":
        """Return all facts, with the template's preset."""
        template = f"{self.template} ({preset})" if self.template and preset else self.template
        lengths = OWNER_LENGTH, 2 * _TEMPLATE_LENGTHS[0]
        return self._replace(owner=fit(self.owner, lengths[0]), template=fit(template, lengths[1]))


def fit_facts(facts: Facts, preset: str, most_lines: int) -> Facts:
    """Shorten the facts until they have at most this number of lines. The task's name is never shortened.

    The preset is left out first, then the template, then the link.
    """
    return next(
        (each for each in _shorten(facts, preset) if each.line_count <= most_lines),
        Facts(name=facts.name, mark=facts.mark),
    )


def _shorten(facts: Facts, preset: str) -> Iterator[Facts]:
    yield facts.with_preset(preset)
    for length in _TEMPLATE_LENGTHS:
        yield facts.essence._replace(template=fit(facts.template, length), link=facts.link)
    yield facts.essence._replace(link=facts.link)
    yield facts.essence
    rest = facts.essence._replace(owner="")
    left = LETTERS_PER_SMALL_LINE - rest.width
    yield rest._replace(owner=fit(facts.owner, left)) if left >= _SHORTEST_OWNER else rest
