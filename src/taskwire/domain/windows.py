"""Searches a long text one window at a time, and replaces what was found."""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

MASK = "•••"
# A pattern searches WINDOW characters at once, and MARGIN more for matches that begin in the window, so that
# other threads can run in between. Only a match that reaches the end of both is matched again in the whole
# text.
WINDOW, MARGIN = 8_192, 2_048


class Span(NamedTuple):
    """A part of a text, and the text that replaces it."""

    start: int
    end: int
    instead: str = MASK


def finds(pattern: re.Pattern[str], text: str) -> Iterator[re.Match[str]]:
    """Yield each match, one window at a time."""
    at, length = 0, len(text)
    while at < length:
        edge = min(at + WINDOW + MARGIN, length)
        found = pattern.search(text, at, edge)
        if found is None:
            at += WINDOW
            continue
        start = found.start()
        if found.end() == edge < length:
            # Only the rest of the text shows where the match ends, or whether there is one.
            found = pattern.match(text, start)
        if found is not None:
            yield found
        at = start + 1 if found is None else max(found.end(), start + 1)


def replaced(text: str, spans: Iterable[Span]) -> str:
    """Replace each span. Of overlapping spans the first one counts."""
    parts: list[str] = []
    end = 0
    for span in spans:
        if span.start >= end:
            # The replacement is never longer than the span, so that a text that fitted a message still fits.
            parts += [text[end : span.start], span.instead[: span.end - span.start]]
        end = max(end, span.end)
    return "".join([*parts, text[end:]])
