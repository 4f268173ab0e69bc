"""Finds the question in an agent's answer, for the first line of a notice, and the choices in the answer."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from taskwire.domain.text.markdown import Node, is_sequence, parse, plain

# In characters. A phone shows about this many characters of a notification.
LONGEST_HEADLINE = 200
# In characters. A shorter first sentence says too little ("Done."), so the next sentence is added to it.
_SHORT = 25
# How many blocks at the end are searched for a question. Choices and a remark may follow the question.
_NEAR_END = 3
MOST_CHOICES = 8
# In characters. In a long answer, only this much of the end is searched for a question and its choices.
LONGEST_ENDING = 4_000

_SENTENCE_END = re.compile(r"(?<=[.!?…])[\"'\u201d\u2019)*_]{0,3}\s+(?=[^\sa-z])")
_ASKS = re.compile(r"\?[\"'\u201d\u2019)*_]{0,3}(?:\s|$)")
_CHOOSES = re.compile(
    r"\b(?:which|choose|choice|options?|prefer|pick|decide|decision|either|would you rather)\b", re.IGNORECASE
)
_OFFERS = re.compile(r"\b(?:would you like|do you want|should i|shall i)\b[^.?!]*:$", re.IGNORECASE)
_MARKED = re.compile(r"(?:option )?([A-H]|[0-9])[.):] +(.+)", re.IGNORECASE)


@dataclass(frozen=True)
class Choice:
    """A choice at the end of an answer. If a person chooses it, the agent gets the text `reply`."""

    label: str
    reply: str

    @property
    def is_menu(self) -> bool:
        """Whether the agent's program shows a menu. Then the program accepts only the choice's number."""
        return self.reply != self.label

    def with_remark(self, remark: str) -> str:
        """Return the text of this choice, and below it the remark that a person wrote."""
        return f"{self.reply}\n{remark}" if remark else self.reply


@dataclass(frozen=True)
class Answer:
    """An agent's answer as a notice shows it.

    `headline` is plain text. `body` is the parsed Markdown below the headline. `choices` become buttons.
    """

    headline: str
    body: tuple[Node, ...]
    choices: tuple[Choice, ...] = ()


@dataclass(frozen=True)
class Headline:
    """The first line of a notice as plain text. `rest` has the answer's blocks that are shown below it."""

    text: str
    rest: tuple[Node, ...]


def read_answer(text: str, full_text: str = "") -> Answer:
    """Find the headline and the choices of an answer.

    `text` may be only the beginning of the answer. Then `full_text` is the whole answer, and the end of
    `full_text` is searched for the question and the choices.
    """
    nodes = parse(text)
    if not full_text or not text:
        first = headline(nodes)
        return Answer(first.text, first.rest, choices(nodes))
    ending = parse(full_text[-LONGEST_ENDING:])
    asked, offered = find_question(ending), choices(ending)
    first = Headline(asked.text, tuple(nodes)) if asked else _first(nodes)
    items = [node for node in ending if node.kind == "item"][-len(offered) :] if offered else []
    return Answer(first.text, (*first.rest, *items), offered)


def headline(nodes: Sequence[Node]) -> Headline:
    """Return an answer's question as a headline. If there is no question, return the first sentence."""
    return find_question(nodes) or _first(nodes)


def find_question(nodes: Sequence[Node]) -> Headline | None:
    """Return the last question near the end of an answer as a headline; None if there is none."""
    for at in range(len(nodes) - 1, max(-1, len(nodes) - 1 - _places_near_end(nodes)), -1):
        if nodes[at].kind == "paragraph" and _ASKS.search(plain(nodes[at].source)):
            return _asked(nodes, at)
    return None


def _places_near_end(nodes: Sequence[Node]) -> int:
    """Return how many nodes the last three blocks of an answer have. A whole list counts as one block."""
    seen, previous = 0, ""
    for count, node in enumerate(reversed(nodes)):
        if node.kind != "item" or previous != "item":
            seen += 1
        if seen > _NEAR_END:
            return count
        previous = node.kind
    return len(nodes)


def _asked(nodes: Sequence[Node], at: int) -> Headline:
    """Make a headline of the last question in the paragraph `nodes[at]`.

    The headline is the whole line, which is removed from the rest. If the line is too long for a headline,
    the headline is only the question, and the line stays in the rest.
    """
    rows = nodes[at].source.split("\n")
    place = max(number for number, row in enumerate(rows) if _ASKS.search(plain(row)))
    text = " ".join(plain(rows[place]).split())
    if len(text) <= LONGEST_HEADLINE:
        left = "\n".join([*rows[:place], *rows[place + 1 :]])
        kept = (replace(nodes[at], source=left),) if left.strip() else ()
        return Headline(text, (*nodes[:at], *kept, *nodes[at + 1 :]))
    sentences = [
        each for each in _SENTENCE_END.split(text) if each.rstrip("\"'\u201d\u2019)*_ ").endswith("?")
    ]
    return Headline(sentences[-1] if sentences else text, tuple(nodes))


def _first(nodes: Sequence[Node]) -> Headline:
    for at, node in enumerate(nodes):
        if node.kind in ("code", "table") or not plain(node.source).strip():
            continue
        source, rest = node.source, ""
        if node.kind != "heading":
            source, rest = _first_sentence(node.source)
        text = " ".join(plain(source).split())
        if len(text) > LONGEST_HEADLINE or node.kind not in ("paragraph", "heading"):
            return Headline(text, tuple(nodes))
        left = (replace(node, source=rest),) if rest else ()
        return Headline(text, (*nodes[:at], *left, *nodes[at + 1 :]))
    return Headline("", tuple(nodes))


def _first_sentence(source: str) -> tuple[str, str]:
    for end in _SENTENCE_END.finditer(source):
        if end.start() >= _SHORT:
            return source[: end.start()], source[end.end() :]
    return source, ""


def choices(nodes: Sequence[Node]) -> tuple[Choice, ...]:
    """List the choices at the end of an answer; none if the answer does not ask to choose from a list."""
    if menu := _menu(nodes):
        return menu
    end = len(nodes) - 1 if nodes and nodes[-1].kind == "paragraph" and not nodes[-1].depth else len(nodes)
    start = end
    while start and (nodes[start - 1].kind == "item" or nodes[start - 1].depth):
        start -= 1
    options = _options([node for node in nodes[start:end] if node.kind == "item" and not node.depth])
    return options if 2 <= len(options) <= MOST_CHOICES and _asks_to_choose(nodes, start, end) else ()


def leave_out_choices(nodes: Sequence[Node], offered: Sequence[Choice]) -> tuple[Node, ...]:
    """Return an answer without the list items that are offered as choices.

    If an item of the list has items below it, keep all items.
    """
    labels = {choice.label for choice in offered}
    if any(node.depth for node in nodes):
        return tuple(nodes)
    return tuple(node for node in nodes if node.kind != "item" or " ".join(_mark(node)) not in labels)


def _options(items: Sequence[Node]) -> tuple[Choice, ...]:
    """Return the items of a list as choices; none if they are not marked 1, 2, 3, or 0, 1, 2, or A, B, C."""
    marks = [_mark(node) for node in items]
    order = [_place(mark) for mark, _ in marks]
    if not items or order[0] not in (0, 1) or not is_sequence(order):
        return ()
    return tuple(_choice(mark, text) for mark, text in marks)


def _mark(node: Node) -> tuple[str, str]:
    """Return an item's mark, such as `2.` or `b)`, and its text. The mark is empty if there is none.

    In a list of bullets, the text may begin with the mark: `- Option A: Rename it`.
    """
    text = " ".join(plain(node.source).split())
    if node.number is not None:
        return f"{node.number}.", text
    if node.letter:
        return f"{node.letter})", text
    found = _MARKED.fullmatch(text)
    return (f"{found[1]}{')' if found[1].isalpha() else '.'}", found[2]) if found else ("", text)


def _place(mark: str) -> int | None:
    name = mark[:-1].lower()
    if name.isdecimal():
        return int(name)
    return ord(name) - ord("a") + 1 if name else None


def _asks_to_choose(nodes: Sequence[Node], start: int, end: int) -> bool:
    """Return whether the text around a list asks to choose from the list, which is `nodes[start:end]`."""
    lead = start and nodes[start - 1].kind in ("paragraph", "heading")
    before = plain(nodes[start - 1].source) if lead else ""
    behind = plain(nodes[end].source) if end < len(nodes) else ""
    if before.rstrip().endswith("?") or _OFFERS.search(before.rstrip()):
        return True
    return (
        _ASKS.search(f"{before} {behind}") is not None and _CHOOSES.search(f"{before} {behind}") is not None
    )


def _choice(mark: str, text: str) -> Choice:
    return Choice(label=f"{mark} {text}", reply=f"{mark} {text}")


def _menu(nodes: Sequence[Node]) -> tuple[Choice, ...]:
    """Return the choices of a menu that the agent's program shows; none if there is no menu.

    The program accepts only the number of a choice as an answer.
    """
    rows = [node for node in nodes[-MOST_CHOICES:] if node.number is not None]
    is_menu = any(node.has_cursor for node in rows)
    if not is_menu or [node.number for node in rows] != list(range(1, len(rows) + 1)):
        return ()
    return tuple(Choice(f"{node.number}. {plain(node.source)}", f"{node.number}") for node in rows)
