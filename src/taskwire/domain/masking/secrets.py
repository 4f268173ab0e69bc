"""Masks secrets before a text is posted, stored or logged: known tokens, and text that looks like a token.

`telemetry.py` uses this for the log, and `slack/drafts.py` for messages, dialogs and files. `sealing.py` uses
it for values in Redis, where only our own tokens are masked.

The beginning that shows the kind of a token is kept (`ghp_•••`), but no part of the secret. Masking may hide
ordinary words, and it may miss a secret. Use `mask` only for text that people read, and not for text that the
bot has to parse again.

A text is searched one window at a time, so that other threads can run. A log of a million characters is
masked in another thread. Even so, the search blocks the event loop for some milliseconds at a time.
"""

import asyncio
import json
import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator
from heapq import merge
from itertools import takewhile
from urllib.parse import quote

from taskwire.domain.masking.key_blocks import find_key_blocks
from taskwire.domain.masking.own_tokens import SHORTEST, OwnTokens, is_json, is_plain_word
from taskwire.domain.masking.secret_patterns import (
    COMMANDS,
    HINT,
    MARGIN,
    MASK,
    PATTERNS,
    TOKEN_PREFIXES,
    SecretSpan,
    find_matches,
    replace_spans,
)
from taskwire.domain.text.agent_text import ZERO_WIDTH
from taskwire.domain.text.markdown import LINK_END

# In characters. A line of this length counts as full. A terminal of 80 columns breaks a long token at its
# edge, or inside a box a little before the edge.
_FULL_LINE = 70
# The characters between two parts of a token that a terminal broke: padding, a box's edges, and an indent.
_EDGE = r"[ \t]{0,200}(?:[│┃|][ \t]{0,200})?"
_BREAK = rf"(?:{_EDGE}\r?\n{_EDGE})?"
# In characters. A single line up to this length is first searched for hints. Most lines have none.
_SHORT_LINE = 500
# The most rounds of masking. In rare cases, a round brings two parts of another secret together.
_ROUNDS = 4
# A string in JSON, with its quotation marks.
_STRING = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"')
# Characters between two letters of a secret that a reader does not see: characters without width, control
# characters, and the marks of Markdown and mrkdwn.
_UNSEEN_RUN = re.compile(
    rf"(?:[{ZERO_WIDTH}\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f*`~]|\\(?=[!-/:-@\[-`{{-~]))+"
)
# A link, also in the form that `to_visible_text` writes: the label, and the address in parentheses. The
# address may have any length, and may be cut off: a reader still reads the label with the words beside it.
_CUT_END = r"\]\((?:<?[^\s<>()]++>?)?"
_LABEL = r"!?\[(?P<label>[^\[\]\n]{0,300})"
_LINK = re.compile(rf"{_LABEL}(?:{LINK_END}|{_CUT_END}\)?)|(?<=\S) \(https?://[^\s<>()]++(?:\)(?=\w)|\Z)")
# In characters. Only so much of an address is looked at to find the end of its link.
_LONGEST_ADDRESS = 16_384
_LINK_END = re.compile(rf"{LINK_END}|{_CUT_END}\)?")
# Underscores that may be a mark. Underscores inside a word are letters.
_OUTER_UNDERSCORES = re.compile("(?<![A-Za-z0-9_])_+|_+(?![A-Za-z0-9_])")

# Maps a span of a changed text to the same span of the text before the change.
_Placing = Callable[[SecretSpan], SecretSpan]


class Masker:
    """Masks secrets in text.

    `known` are secrets whose values we know. `own` are the deployment's tokens, which are found in any
    encoding.
    """

    def __init__(self, known: Iterable[str] = (), own: Iterable[str] = ()) -> None:
        self._known_values, self._own_values = tuple(known), tuple(own)
        self._compile()

    def learn(self, token: str) -> None:
        """Mask another one of our own tokens from now on. Call this before the token is used."""
        self._known_values, self._own_values = (*self._known_values, token), (*self._own_values, token)
        self._compile()

    def _compile(self) -> None:
        values = {value.strip() for value in self._known_values}
        forms = {form for value in values for form in (value, quote(value, safe=""))}
        usable = sorted(
            (form for form in forms if len(form) >= SHORTEST), key=lambda form: (-len(form), form)
        )
        wrapped = "|".join(map(_make_value_pattern, usable))
        self._known = re.compile(wrapped) if usable else None
        self._own = OwnTokens(self._own_values)

    def mask(self, text: str) -> str:
        """Mask every secret in a text. A second call would change nothing."""
        if len(text) <= _SHORT_LINE and "\n" not in text and not self._may_contain_secret(text):
            return text
        for _ in range(_ROUNDS):
            masked = replace_spans(text, merge(*self._find_spans(text)))
            if masked == text:
                break
            text = masked
        return text

    def mask_own(self, text: str) -> str:
        """Mask our own tokens in a text. Everything else in the text stays unchanged."""
        # When a token is masked, a short token beside it may become a whole word, so the search is repeated.
        while found := self._own.find(text):
            text = replace_spans(text, (SecretSpan(start, end) for start, end in found))
        return text

    def mask_own_in_json(self, text: str) -> str:
        """Mask our own tokens in each string of a JSON text, and in JSON within a string.

        Everything else stays as it is written, because Lua scripts search for exact parts of the text.
        """
        if not self._own.may_be_in_json(text):
            return text
        if not is_json(text):
            return self.mask_own(text)
        return _STRING.sub(self._mask_string, text)

    def _mask_string(self, found: re.Match[str]) -> str:
        written = found.group()
        value: str = json.loads(written)
        masked = self.mask_own_in_json(value)
        # Half of a surrogate pair can only be sent as an escape sequence.
        return written if masked == value else json.dumps(masked, ensure_ascii=not _is_sendable(masked))

    def _may_contain_secret(self, line: str) -> bool:
        bare = _OUTER_UNDERSCORES.sub("", _LINK.sub(r"\g<label>", _UNSEEN_RUN.sub("", line)))
        if bare != line and self._may_contain_secret(bare):
            return True
        if HINT.search(line) is not None or (self._known is not None and bool(self._known.search(line))):
            return True
        return bool(self._own.find(line))

    def _find_spans(self, text: str) -> Iterator[Iterable[SecretSpan]]:
        yield from self._search(text)
        for shown, placed in _list_views(text):
            for spans in self._search(shown):
                yield map(placed, spans)

    def _search(self, text: str) -> Iterator[Iterable[SecretSpan]]:
        yield sorted(_skip_token_prefix(text, *found) for found in self._own.find(text))
        if self._known is not None:
            yield (_skip_token_prefix(text, *found.span()) for found in find_matches(self._known, text))
        yield find_key_blocks(text)
        for pattern in PATTERNS:
            yield (SecretSpan(found.end("kept"), found.end()) for found in find_matches(pattern, text))
        for command, argument in COMMANDS:
            yield _find_arguments(command, argument, text)
        yield _find_wrapped_secrets(text)


def _make_value_pattern(value: str) -> str:
    written = _BREAK.join(re.escape(letter) for letter in value)
    # A plain word beside a slash is part of a path, such as `.taskwire/store.sock`.
    return f"(?<!/){written}(?!/)" if is_plain_word(value) else written


def mask_beginning(mask: Callable[[str], str], text: str, longest: int) -> str:
    """Mask the first `longest` characters of a text and drop the rest, without searching all of the text.

    A secret that is cut in two would not be recognised. So MARGIN characters after the cut are also searched,
    and then removed. If they end within a link's address, they continue after it: a reader reads the label
    together with the words after the link.
    """
    edge = longest + MARGIN
    looked_at = text[:edge]
    begins = looked_at.rfind("](", max(longest - MARGIN, 0))
    address = _LINK_END.match(text, begins, begins + _LONGEST_ADDRESS) if begins >= 0 else None
    if address is not None and address.end() > edge:
        looked_at += f"){text[address.end() : address.end() + MARGIN]}"
    masked = mask(looked_at)
    if len(text) > len(looked_at):
        pairs = zip(reversed(masked), reversed(looked_at[longest:]), strict=False)
        besides = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
        masked = masked[: len(masked) - besides]
    return masked[:longest]


async def has_mask_instead(mask: Callable[[str], str], before: str, text: str) -> bool:
    """Return whether `text`, the new version of `before`, has a mask in place of a secret.

    This happens if a person edits a text in which they see a mask and not the secret. `before` may be long,
    so a worker thread masks it.
    """
    return MASK in text and MASK not in before and await asyncio.to_thread(mask, before) != before


def _is_sendable(text: str) -> bool:
    return not any("\ud800" <= letter <= "\udfff" for letter in text)


def _list_views(text: str) -> Iterator[tuple[str, _Placing]]:
    """Yield the forms in which people see a text: first without marks, then also without addresses of links.

    A form that is the same as the form before is not yielded. Each form comes with a function, which maps a
    span of the form to the span of `text`.
    """
    bare, placed = _remove(_find_each(_UNSEEN_RUN, text), text)
    # An underscore may become a mark when the marks beside it are gone.
    unmarked, placed_in_bare = _remove(_find_each(_OUTER_UNDERSCORES, bare), bare)
    if unmarked != text:
        yield unmarked, lambda span: placed(placed_in_bare(span))
    labels, placed_in_link = _remove(_find_link_syntax(bare), bare)
    if labels != bare:
        shown, placed_in_label = _remove(_find_each(_OUTER_UNDERSCORES, labels), labels)
        yield shown, lambda span: placed(_close_link(bare, placed_in_link(placed_in_label(span))))


def _find_each(pattern: re.Pattern[str], text: str) -> Iterator[tuple[int, int]]:
    return (found.span() for found in find_matches(pattern, text))


def _find_link_syntax(text: str) -> Iterator[tuple[int, int]]:
    """Yield the parts of each link that are not its label."""
    for found in find_matches(_LINK, text):
        if found["label"] is None:
            yield found.span()
        else:
            yield found.start(), found.start("label")
            yield found.end("label"), found.end()


def _close_link(text: str, span: SecretSpan) -> SecretSpan:
    """Return a span that does not end inside a link.

    If a link begins inside the span, and the span ends with the link's label, the result ends where the link
    ends. Otherwise, return the span unchanged.
    """
    end = _LINK_END.match(text, span.end) if "[" in text[span.start : span.end] else None
    return span._replace(end=end.end()) if end else span


def _remove(unwanted: Iterable[tuple[int, int]], text: str) -> tuple[str, _Placing]:
    """Return a text without its `unwanted` parts, which are in order.

    Also return a function that maps a span of the new text to the span of the old text.
    """
    chunks: list[str] = []
    kept: list[str] = []
    at, length = 0, 0
    # For each part: its position in the new text, and the number of characters removed up to its end.
    places, gone = [], [0]
    for start, end in unwanted:
        kept.append(text[at:start])
        length += start - at
        places.append(length)
        gone.append(gone[-1] + end - start)
        at = end
        if len(kept) >= MARGIN:
            # Joining the whole text at once would block the event loop.
            chunks.append("".join(kept))
            kept = []

    def placed(span: SecretSpan) -> SecretSpan:
        start = span.start + gone[bisect_right(places, span.start)]
        return SecretSpan(start, span.end + gone[bisect_left(places, span.end)], span.replacement)

    return "".join([*chunks, *kept, text[at:]]), placed


def _find_arguments(command: re.Pattern[str], argument: re.Pattern[str], text: str) -> Iterator[SecretSpan]:
    for found in find_matches(command, text):
        for value in argument.finditer(text, found.start(), found.end()):
            yield SecretSpan(value.end(str(value.lastgroup)), value.end())


def _skip_token_prefix(text: str, start: int, end: int) -> SecretSpan:
    kind = TOKEN_PREFIXES.match(text, start, end)
    kept = kind.end() if kind and end - kind.end() >= SHORTEST else start
    return SecretSpan(kept, end)


def _find_wrapped_secrets(text: str) -> Iterator[SecretSpan]:
    """Yield the spans to mask for secrets that a terminal has wrapped over several lines."""
    for parts in _list_wrapped_runs(text):
        run = "".join(text[start:end] for start, end in parts)
        edges = [0]
        for start, end in parts:
            edges.append(edges[-1] + end - start)
        inner = edges[1:-1]
        found = merge(*(_find_in_run(pattern, run, inner) for pattern in PATTERNS))
        yield from _place_spans(text, parts, edges, found)


def _list_wrapped_runs(text: str) -> Iterator[list[tuple[int, int]]]:
    """Yield each word that a terminal may have wrapped, as a list of parts.

    A part is a start and an end index. The first part is the end of a full line, the last part is the
    beginning of a line, and the parts between them are whole lines.
    """
    parts: list[tuple[int, int]] = []
    at = 0
    while (end := text.find("\n", at)) >= 0 or parts:
        end = len(text) if end < 0 else end
        begins = at if not parts else at + _count_indent(text, at, end)
        is_full = end - at >= _FULL_LINE and text[end - 1] != " " and end < len(text)
        if is_full and (not parts or text.find(" ", begins, end) < 0):
            parts.append((begins if parts else text.rfind(" ", at, end) + 1 or at, end))
        elif parts:
            blank = text.find(" ", begins, end)
            yield [*parts, (begins, end if blank < 0 else blank)]
            parts = []
            continue
        at = end + 1


def _count_indent(text: str, at: int, end: int) -> int:
    return next((offset for offset in range(end - at) if not text[at + offset].isspace()), end - at)


def _find_in_run(pattern: re.Pattern[str], run: str, edges: list[int]) -> Iterator[tuple[int, int]]:
    """Yield the start and the end of each secret in `run` that crosses one of the `edges`.

    `run` is a joined word. `edges` are the indexes in `run` at which a line ended.
    """
    for found in find_matches(pattern, run):
        if bisect_right(edges, found.start()) < bisect_left(edges, found.end()):
            yield found.end("kept"), found.end()


def _place_spans(
    text: str, parts: list[tuple[int, int]], edges: list[int], secrets: Iterable[tuple[int, int]]
) -> Iterator[SecretSpan]:
    """Map secrets, found in the joined parts of a wrapped word, to spans of the text.

    The mask replaces the first part of a secret. The other parts are removed. `edges` are the indexes in the
    joined word at which the parts begin, followed by the length of the joined word.
    """
    for first, behind in secrets:
        line = bisect_right(edges, first) - 1
        instead = MASK
        while line < len(parts) and edges[line] < behind:
            begins, ends = parts[line]
            start = max(begins, begins + first - edges[line])
            end = min(ends, begins + behind - edges[line])
            if start == begins and end == ends and not instead:
                # This line has no text left before the blanks that follow, so remove these blanks too.
                end += len(text[end : end + MARGIN]) - len(text[end : end + MARGIN].lstrip(" "))
            yield SecretSpan(start, end, instead)
            line, instead = line + 1, ""
