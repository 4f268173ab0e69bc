"""Looking through a long text a piece at a time, and putting something in the place of what was found."""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

MASK = "•••"
# A pattern looks at so many characters at once, and so many further for what begins in them, so that other
# threads go on meanwhile. Only a match that reaches the end of these is matched anew in the whole text.
WINDOW, MARGIN = 8_192, 2_048


class Span(NamedTuple):
    """A part of a text, and what stands in its place."""

    start: int
    end: int
    instead: str = MASK


def finds(pattern: re.Pattern[str], text: str) -> Iterator[re.Match[str]]:
    """Find each match, a window at a time."""
    at, length = 0, len(text)
    while at < length:
        edge = min(at + WINDOW + MARGIN, length)
        found = pattern.search(text, at, edge)
        if found is None:
            at += WINDOW
            continue
        start = found.start()
        if found.end() == edge < length:
            # Whether it ends there, or is one at all, the rest of the text says.
            found = pattern.match(text, start)
        if found is not None:
            yield found
        at = start + 1 if found is None else max(found.end(), start + 1)


def replaced(text: str, spans: Iterable[Span]) -> str:
    """Put something in the place of each span; where some overlap, what the first of them says counts."""
    parts: list[str] = []
    end = 0
    for span in spans:
        if span.start >= end:
            # Never longer than what it stands for: what fitted a message still does.
            parts += [text[end : span.start], span.instead[: span.end - span.start]]
        end = max(end, span.end)
    return "".join([*parts, text[end:]])
