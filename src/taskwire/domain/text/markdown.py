"""Parses the Markdown that agents write, as far as Slack can show it.

Terminals change Markdown: bullets are other characters, code loses its fences and keeps only its indent,
lists follow a paragraph without a blank line. So this parser accepts more than the standard does. It refuses
no text. `messages/answer_blocks.py` turns the result into blocks of Slack.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

from taskwire.domain.text.terminal import find_fenced_rows

Kind = Literal["paragraph", "heading", "item", "code", "quote", "table"]


@dataclass(frozen=True)
class Node:
    """One block of a text: a paragraph, a heading, an item of a list, code, a quote or a table.

    `source` is the block's Markdown, without the mark of a heading, an item or a quote.
    """

    kind: Kind
    source: str
    # How many lists the item is nested in; 0 for the outermost list.
    depth: int = 0
    # The mark of an item: its number or its letter, if it has one.
    number: int | None = None
    letter: str = ""
    # Whether the cursor of a menu on the terminal stands before the item.
    has_cursor: bool = False


@dataclass(frozen=True)
class Span:
    """A piece of a block's text in one style. If the piece is a link, `url` is its address."""

    text: str
    is_bold: bool = False
    is_italic: bool = False
    is_struck: bool = False
    is_code: bool = False
    url: str = ""


_HEADING = re.compile(r" {0,3}#{1,6}[ \t]+(.*?)(?:[ \t]+#+)?[ \t]*")
_RULE = re.compile(r" {0,3}(?:(?:\*[ \t]*){3,}|(?:-[ \t]*){3,}|(?:_[ \t]*){3,})")
_QUOTE = re.compile(r" {0,3}> ?(.*)")
_ITEM = re.compile(
    r"( *)(?:(\u276f) )?(?:[-*+•◦▪]|([0-9]{1,3})[.)]"
    r"|\(?([A-Ha-h])\)(?= +\S)|([A-Ha-h])\.(?= +\S))(?: +|$)(.*)"
)
_TABLE_EDGE = re.compile(r"[ |:+-]*-[ |:+-]*")
_CODE_INDENT = 4
# A nested item is at least this many columns deeper than its parent.
_NESTED = 2

# A pattern for the part of a link after its label, and a pattern for a whole link.
LINK_END = (
    r"\]\(<?(?P<target>[^\s<>()]{1,2000}(?:\([^\s<>()]{0,300}\)[^\s<>()]{0,300})?)>?"
    r"(?: +\"[^\"\n]{0,300}\")?\)"
)
LINK = rf"!?\[(?P<label>[^\[\]\n]{{0,300}}){LINK_END}"
_INLINE = re.compile(
    r"(?P<code>(?<!`)(`{1,8})(?!`)(?P<inside>[^\n]{1,1000}?)(?<!`)\2(?!`))"
    r"|\\(?P<escaped>[!-/:-@\[-`{-~])"
    rf"|{LINK}"
    r"|<?(?P<bare>https?://[^\s<>\"`|\\^{}]{1,2000})>?"
    r"|\*\*(?P<bold>(?=[^\s*])[^\n]{1,1000}?(?<=[^\s]))\*\*"
    r"|(?<!\w)__(?P<bold_>(?=[^\s_])[^\n]{1,1000}?(?<=[^\s]))__(?!\w)"
    r"|~~(?P<struck>(?=[^\s~])[^\n]{1,1000}?(?<=[^\s]))~~"
    r"|\*(?P<italic>(?=[^\s*])[^*\n]{1,1000}?(?<=[^\s*]))\*"
    r"|(?<!\w)_(?P<italic_>(?=[^\s_])[^_\n]{1,1000}?(?<=[^\s_]))_(?!\w)"
)
_AFTER_ADDRESS = ".,;:!?'*_~"


def parse(text: str) -> list[Node]:
    """Split a text into its paragraphs, headings, items of lists, code, quotes and tables."""
    return list(_Blocks(text.split("\n")).nodes())


class _Blocks:
    """A parser that reads a text line by line and yields its blocks."""

    def __init__(self, lines: list[str]) -> None:
        self._lines = lines
        self._fenced = find_fenced_rows(lines)
        self._at = 0
        # The columns at which the items of the present list begin, from the outermost to the innermost.
        self._columns: list[int] = []

    def nodes(self) -> Iterator[Node]:
        """Yield the text's paragraphs, headings, items, code, quotes and tables, in order."""
        while self._at < len(self._lines):
            line = self._lines[self._at]
            if not line.strip() or _RULE.fullmatch(line):
                self._at += 1
            elif (node := self._next(line)).source or node.kind == "item":
                yield node

    def _next(self, line: str) -> Node:
        if self._fenced[self._at]:
            return Node("code", self._fence())
        if self._is_table(self._at):
            self._columns = []
            return Node("table", self._table())
        if item := _ITEM.fullmatch(line):
            return self._item(item)
        indent = len(line) - len(line.lstrip(" "))
        if self._columns and indent <= self._columns[0]:
            self._columns = []
        inside = self._columns[-1] + _NESTED if self._columns else 0
        if indent >= inside + _CODE_INDENT:
            return Node("code", self._indented(inside + _CODE_INDENT))
        if heading := _HEADING.fullmatch(line):
            self._at += 1
            return Node("heading", heading[1].strip())
        if _QUOTE.fullmatch(line):
            return Node("quote", self._quote())
        return Node("paragraph", self._paragraph(indent), depth=len(self._columns))

    def _fence(self) -> str:
        first = self._lines[self._at]
        ticks = len(first.strip()) - len(first.strip().lstrip("`"))
        indent = len(first) - len(first.lstrip(" "))
        body: list[str] = []
        self._at += 1
        while self._at < len(self._lines):
            line = self._lines[self._at]
            self._at += 1
            if not line.strip().strip("`") and line.strip().count("`") >= ticks:
                break
            body.append(line[min(indent, len(line) - len(line.lstrip(" "))) :])
        return "\n".join(body).strip("\n")

    def _is_table(self, at: int) -> bool:
        return self._is_row(at) and self._is_row(at + 1)

    def _is_row(self, at: int) -> bool:
        if at >= len(self._lines) or self._fenced[at]:
            return False
        said = self._lines[at].strip()
        return " | " in said or (said.startswith("|") and said.endswith("|") and len(said) > 2)

    def _table(self) -> str:
        rows: list[list[str]] = []
        while self._is_row(self._at) or (
            self._at < len(self._lines) and self._is_edge(self._lines[self._at])
        ):
            said = self._lines[self._at].strip()
            self._at += 1
            if not _TABLE_EDGE.fullmatch(said):
                rows.append([cell.strip() for cell in said.strip("|").split("|")])
        columns = max(map(len, rows), default=0)
        widths = [max((len(row[at]) for row in rows if at < len(row)), default=0) for at in range(columns)]
        return "\n".join(
            " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False)).rstrip()
            for row in rows
        )

    def _is_edge(self, line: str) -> bool:
        return "|" in line and _TABLE_EDGE.fullmatch(line.strip()) is not None

    def _item(self, found: re.Match[str]) -> Node:
        indent = len(found[1])
        while self._columns and indent < self._columns[-1] + _NESTED:
            self._columns.pop()
        self._columns.append(indent)
        depth = len(self._columns) - 1
        self._at += 1
        lines = [found[6].strip()]
        while self._goes_on(indent):
            lines.append(self._lines[self._at].strip())
            self._at += 1
        number = int(found[3]) if found[3] else None
        letter = found[4] or found[5] or ""
        return Node("item", "\n".join(lines).strip(), depth, number, letter, bool(found[2]))

    def _goes_on(self, indent: int) -> bool:
        """Return whether the next line continues a paragraph or an item: its indent exceeds `indent`."""
        if self._at >= len(self._lines) or self._fenced[self._at] or self._is_table(self._at):
            return False
        line = self._lines[self._at]
        starts_other = any(each.fullmatch(line) for each in (_ITEM, _HEADING, _QUOTE, _RULE))
        deeper = len(line) - len(line.lstrip(" "))
        return bool(line.strip()) and not starts_other and deeper > indent

    def _indented(self, columns: int) -> str:
        body: list[str] = []
        while self._at < len(self._lines):
            line = self._lines[self._at]
            if self._fenced[self._at] or (line.strip() and not line.startswith(" " * columns)):
                break
            body.append(line[columns:])
            self._at += 1
        return "\n".join(body).strip("\n").rstrip()

    def _quote(self) -> str:
        lines: list[str] = []
        while self._at < len(self._lines) and (found := _QUOTE.fullmatch(self._lines[self._at])):
            lines.append(found[1].rstrip())
            self._at += 1
        return "\n".join(lines).strip("\n")

    def _paragraph(self, indent: int) -> str:
        lines = [self._lines[self._at].strip()]
        self._at += 1
        while self._goes_on(indent - 1):
            lines.append(self._lines[self._at].strip())
            self._at += 1
        return "\n".join(lines)


def spans(source: str) -> list[Span]:
    """Split a block's Markdown into pieces of one style each, without the marks of the styles."""
    return [each for each in _spans(source, Span("")) if each.text]


def _spans(source: str, style: Span) -> Iterator[Span]:
    at = 0
    for found in _INLINE.finditer(source):
        yield replace(style, text=source[at : found.start()])
        at = found.end()
        yield from _found(found, style)
    yield replace(style, text=source[at:])


def _found(found: re.Match[str], style: Span) -> Iterator[Span]:
    if found["code"]:
        yield replace(style, text=_code(found["inside"]), is_code=True)
    elif found["escaped"]:
        yield replace(style, text=found["escaped"])
    elif found["target"]:
        yield from _link(found["label"], found["target"], style)
    elif found["bare"]:
        address, rest = _address(found["bare"])
        yield replace(style, text=address, url=address)
        yield replace(style, text=rest)
    elif inside := found["bold"] or found["bold_"]:
        yield from _styled(inside, replace(style, is_bold=True), is_known=style.is_bold)
    elif inside := found["italic"] or found["italic_"]:
        yield from _styled(inside, replace(style, is_italic=True), is_known=style.is_italic)
    elif inside := found["struck"]:
        yield from _styled(inside, replace(style, is_struck=True), is_known=style.is_struck)


def _styled(inside: str, style: Span, *, is_known: bool) -> Iterator[Span]:
    # A style within the same style changes nothing, so there is nothing to nest.
    return iter((replace(style, text=inside),)) if is_known else _spans(inside, style)


def _code(inside: str) -> str:
    is_padded = len(inside) > 2 and inside[0] == inside[-1] == " " and inside.strip()
    return inside[1:-1] if is_padded else inside


def _link(label: str, target: str, style: Span) -> Iterator[Span]:
    """Yield a link as its label and its address in parentheses, so that no label hides the address.

    If the label and the address are the same, yield only the address.
    """
    shown = "".join(each.text for each in spans(label)).strip()
    if shown and _bare(shown) != _bare(target):
        yield replace(style, text=f"{shown} (")
        yield replace(style, text=target, url=target)
        yield replace(style, text=")")
    else:
        yield replace(style, text=target, url=target)


def _bare(address: str) -> str:
    return re.sub(r"^https?://", "", address).rstrip("/").lower()


def _address(found: str) -> tuple[str, str]:
    """Return an address, and the punctuation after the address that belongs to the sentence."""
    address = found
    while address and (
        address[-1] in _AFTER_ADDRESS
        or (address[-1] == ")" and address.count("(") < address.count(")"))
        or (address[-1] == "]" and address.count("[") < address.count("]"))
    ):
        address = address[:-1]
    return address, found[len(address) :]


def plain(source: str) -> str:
    """Return a block's text without the marks of Markdown. Links are shown with their addresses."""
    return "".join(each.text for each in spans(source))


def cut_at_block(text: str, longest: int) -> str:
    """Cut a text to about `longest` characters, if possible at a blank line outside code.

    If too little would be left, cut after a whole line, or else after a word. Fenced code that is cut gets a
    closing fence, which may make the result a few characters longer than `longest`.
    """
    if len(text) <= longest:
        return text
    lines = text.split("\n")
    fenced = find_fenced_rows(lines)
    length, end, whole_lines = 0, 0, 0
    for at, line in enumerate(lines):
        if not line.strip() and not fenced[at]:
            end = at
        length += len(line) + 1
        if length > longest:
            break
        whole_lines = at + 1
    if end and sum(len(line) + 1 for line in lines[:end]) > longest // 3:
        return "\n".join(lines[:end]).rstrip()
    if not whole_lines:
        return text[:longest].rpartition(" ")[0] or text[:longest]
    kept = lines[:whole_lines]
    if fenced[whole_lines - 1] and whole_lines < len(lines) and fenced[whole_lines]:
        opening = next((line for line in reversed(kept) if line.strip().startswith("```")), "```")
        kept.append("`" * (len(opening.strip()) - len(opening.strip().lstrip("`")) or 3))
    return "\n".join(kept).rstrip()


def is_sequence(numbers: Sequence[int | None]) -> bool:
    """Return whether each number is one more than the number before it, as in one list.

    None stands for an item without a number. The result is then false.
    """
    return all(other is not None and one is not None and other == one + 1 for one, other in pairwise(numbers))
